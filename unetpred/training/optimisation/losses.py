"""Losses to train with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.images.colour import from_network
from unetpred.network.architecture import SCALE
from unetpred.network.vgg16 import LOSS_LAYERS, vgg_model

if TYPE_CHECKING:
    import keras

#: Weights of the original's loss. The first three weigh the parts of F, for pixels and features
#: alike; each of the others weighs the term of its name in the total.
UPSTREAM_WEIGHTS = {
    "fft_abs": 1.0,
    "fft_log": 0.026,
    "fft_phase": 6.45e-5,
    "fft_pixel": 1.0,
    "fft_content": 8.79,
    "fft_style": 0.002,
    "content_l2": 0.0,
    "tv": 0.0,
    "l1": 0.0,
    "l2": 0.0,
}

#: Weights of the loss that our own weights are trained with.
HOLE_WEIGHTS = {"l1": 1.0, "correlation": 0.5, "hue": 0.5, "content": 0.0}
#: What keeps the correlation of all but constant patches from counting, in units of 64 levels.
HOLE_STD = 1e-3**0.5

UPSTREAM_VGG_TERMS = ("fft_content", "fft_style", "content_l2")
VGG_TERMS = (*UPSTREAM_VGG_TERMS, "content")  # the terms of VGG-16's features
_FFT_PARTS = ("fft_abs", "fft_log", "fft_phase")
_FFT_EPS = 1e-7
_TV_EPS = 1e-7


def upstream_loss(
    y_true: Any,
    y_pred: Any,
    vgg_weights: str | os.PathLike[str] | keras.Model | None = None,
    weights: Mapping[str, float] | None = None,
    terms: str = "all",
) -> dict[str, Any]:
    """Compute the loss that the original was trained with, and its terms.

    With P and T the 2-D Fourier transforms of prediction and target over height and width (the
    half with frequencies 0..w/2 of the columns), and means over channels and frequencies::

        F(p,t) = fft_abs   * mean ||P| - |T||
               + fft_log   * mean |log(|P| + 1e-7) - log(|T| + 1e-7)|
               + fft_phase * mean ||P||T| - Re P Re T - Im P Im T|

    As in the original, every term is a sum over the batch, not a mean, and the style term keeps the
    original's bug: the spectra (N,C,h,w') are reshaped to (N,h*w',C), not transposed. Everything
    is computed in float32 and differentiable, also where a spectrum is 0.

    Parameters
    ----------
    y_true, y_pred : array_like or tensor, (N, H, W, 3)
        Target and prediction as the network gives them: BGR, mean-subtracted. H and W at least 8.
    vgg_weights : path-like or keras.Model, optional
        VGG-16 for the feature terms: a file (see `unetpred.network.vgg16.read_vgg`), or, to read it
        once for many calls, `vgg_model(path, LOSS_LAYERS)`. The default is that of `read_vgg`,
        trained on ImageNet.
    weights : mapping of str to float, optional
        Weights that replace those of `UPSTREAM_WEIGHTS`, by name.
    terms : {"all", "weighted"}
        "all" computes every term; "weighted" leaves out those of weight 0, for training. VGG-16
        is needed only where a feature term is computed.

    Returns
    -------
    dict of str to tensor ()
        `total`, the sum of the terms by their weights, and the terms, before these weights:

        * `fft_pixel`: F of the images;
        * `fft_content`: F of the features, summed over `LOSS_LAYERS`;
        * `fft_style`: mean over (C,C) of ``|G(p) - G(t)|``, summed over `LOSS_LAYERS`;
          ``G = f'f / (h*w'*C)`` with f the reshaped ``|P|`` of the features;
        * `content_l2`: mean squared difference of the features, summed over `LOSS_LAYERS`;
        * `tv`: mean squared difference of the magnitudes of the images' gradients;
        * `l1`, `l2`: mean absolute, mean squared difference of the images;
        * `unit_fft_abs`, `unit_fft_log`, `unit_fft_phase`: the three means in `fft_pixel`, of
          which it is the sum by their weights.

    Raises
    ------
    InputError
        If a weight's name or `terms` is unknown, the shapes do not fit, or VGG-16 is needed and
        not available.
    """
    from keras import ops

    if terms not in ("all", "weighted"):
        raise InputError(f"terms={terms!r} is unknown; 'all' or 'weighted' would be right")
    weights = _weights(weights, UPSTREAM_WEIGHTS)
    wanted = {
        name
        for name in UPSTREAM_WEIGHTS
        if name not in _FFT_PARTS and (terms == "all" or weights[name] != 0)
    }

    true = ops.cast(ops.convert_to_tensor(y_true), "float32")
    pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
    if not _same_images(tuple(true.shape), tuple(pred.shape)):
        raise InputError(
            f"y_true {tuple(true.shape)} and y_pred {tuple(pred.shape)} must both be (N,H,W,3)"
        )

    result = {}
    if "fft_pixel" in wanted:
        parts = _fft_parts(_spectrum(true), _spectrum(pred))
        result.update({f"unit_{name}": part for name, part in parts.items()})
        result["fft_pixel"] = sum(weights[name] * parts[name] for name in _FFT_PARTS)
    if wanted.intersection(UPSTREAM_VGG_TERMS):
        result.update(_feature_terms(true, pred, _loss_vgg(vgg_weights), weights, wanted))
    if "tv" in wanted:
        result["tv"] = _l2(_gradient_magnitude(true), _gradient_magnitude(pred))
    if "l1" in wanted:
        result["l1"] = ops.sum(ops.mean(ops.abs(pred - true), axis=(1, 2, 3)))
    if "l2" in wanted:
        result["l2"] = _l2(true, pred)
    total = sum(weights[name] * result[name] for name in UPSTREAM_WEIGHTS if name in wanted)
    return {"total": ops.convert_to_tensor(total, dtype="float32"), **result}


def _same_images(true: tuple[int | None, ...], pred: tuple[int | None, ...]) -> bool:
    """Tell whether both shapes are (N,H,W,3) and agree where they are known."""
    return (
        len(true) == len(pred) == 4
        and true[-1] == pred[-1] == 3
        and all(a == b or None in (a, b) for a, b in zip(true, pred, strict=True))
    )


def _loss_vgg(vgg_weights: str | os.PathLike[str] | keras.Model | None) -> keras.Model:
    """Give the VGG-16 of the loss, checked, or built where it isn't yet."""
    if vgg_weights is None or isinstance(vgg_weights, (str, os.PathLike)):
        return vgg_model(vgg_weights, LOSS_LAYERS)
    channels = [output.shape[-1] for output in vgg_weights.outputs]
    if channels != [64, 128, 256, 512]:
        raise InputError(
            f"the VGG model gives features of {channels} channels; build it by "
            "vgg_model(path, LOSS_LAYERS)"
        )
    return vgg_weights


def _feature_terms(
    true: Any, pred: Any, vgg: keras.Model, weights: Mapping[str, float], wanted: set[str]
) -> dict[str, Any]:
    """Give those of the terms of VGG features that are wanted."""
    sums = {name: 0.0 for name in UPSTREAM_VGG_TERMS if name in wanted}
    pairs = zip(vgg(true, training=False), vgg(pred, training=False), strict=True)
    for features_true, features_pred in pairs:
        if "content_l2" in sums:
            sums["content_l2"] += _l2(features_true, features_pred)
        if not wanted.intersection(("fft_content", "fft_style")):
            continue
        spectrum_true, spectrum_pred = _spectrum(features_true), _spectrum(features_pred)
        if "fft_content" in sums:
            parts = _fft_parts(spectrum_true, spectrum_pred)
            sums["fft_content"] += sum(weights[name] * parts[name] for name in _FFT_PARTS)
        if "fft_style" in sums:
            sums["fft_style"] += _style(spectrum_true[2], spectrum_pred[2])
    return sums


def _spectrum(x: Any) -> tuple[Any, Any, Any]:
    """Transform (N,H,W,C) over H and W: real, imaginary part and magnitude, each (N,C,H,W//2+1)."""
    from keras import ops

    x = ops.transpose(x, (0, 3, 1, 2))  # (N,C,H,W)
    real, imag = ops.rfft(x)  # (N,C,H,W//2+1)
    swap = (0, 1, 3, 2)
    real, imag = ops.fft((ops.transpose(real, swap), ops.transpose(imag, swap)))
    real, imag = ops.transpose(real, swap), ops.transpose(imag, swap)
    power = ops.square(real) + ops.square(imag)
    # The square root has no gradient at 0, where silent channels are: 0 is taken there. The inner
    # `where` is needed too, since the gradient of the branch not taken would be 0 * inf = NaN.
    some = power > 0
    magnitude = ops.where(some, ops.sqrt(ops.where(some, power, ops.ones_like(power))), 0.0)
    return real, imag, magnitude


def _fft_parts(
    spectrum_true: tuple[Any, Any, Any], spectrum_pred: tuple[Any, Any, Any]
) -> dict[str, Any]:
    """Give the three means that F weighs, each summed over the batch."""
    from keras import ops

    true_real, true_imag, true_abs = spectrum_true
    pred_real, pred_imag, pred_abs = spectrum_pred
    differences = {
        "fft_abs": pred_abs - true_abs,
        "fft_log": ops.log(pred_abs + _FFT_EPS) - ops.log(true_abs + _FFT_EPS),
        "fft_phase": pred_abs * true_abs - pred_real * true_real - pred_imag * true_imag,
    }
    return {
        name: ops.sum(ops.mean(ops.abs(difference), axis=(1, 2, 3)))
        for name, difference in differences.items()
    }


def _style(true_abs: Any, pred_abs: Any) -> Any:
    """Compare the original's "Gram" matrices of two magnitudes (N,C,h,w')."""
    from keras import ops

    channels, height, width = true_abs.shape[1:]
    positions = height * width

    def gram(magnitude: Any) -> Any:
        # Row-major, without bringing the channels to the end: so it is in the original.
        f = ops.reshape(magnitude, (-1, positions, channels))  # (N,h*w',C)
        return ops.matmul(ops.transpose(f, (0, 2, 1)), f) / (positions * channels)  # (N,C,C)

    return ops.sum(ops.mean(ops.abs(gram(pred_abs) - gram(true_abs)), axis=(1, 2)))


def _gradient_magnitude(y: Any) -> Any:
    """Give the magnitude of central differences, (N,H,W,C) to (N,H-2,W-2,C)."""
    from keras import ops

    rows = (y[:, 2:, 1:-1] - y[:, :-2, 1:-1]) / 2
    columns = (y[:, 1:-1, 2:] - y[:, 1:-1, :-2]) / 2
    return ops.sqrt(ops.square(rows) + ops.square(columns) + _TV_EPS)


def _l2(true: Any, pred: Any) -> Any:
    """Give the mean squared difference per image, summed over the batch."""
    from keras import ops

    return ops.sum(ops.mean(ops.square(pred - true), axis=(1, 2, 3)))


def hole_loss(
    y_true: Any,
    y_pred: Any,
    weights: Mapping[str, float] | None = None,
    vgg: keras.Model | None = None,
) -> Any:
    """Compute the loss our weights are trained with: L1, 1 - r, mean hue and content in the hole.

    r is Pearson's correlation of all missing values of one image, the structure score, with
    `HOLE_STD` added to both standard deviations in quadrature, so that patches that are all but
    constant do not dominate the gradient.

    The hue term compares the mean colours of the hole along the two axes of colour, R - B and
    G - (R + B) / 2. Natural colours vary so little along the second one that L1 alone leaves it
    unlearned: in a short trial of 400 steps the means followed it with a slope of 0.1 without the
    term, 0.5 with it (and of 0.9 along the first).

    Parameters
    ----------
    y_true : tensor, (N, H, W, 4)
        The target, BGR, mean-subtracted, divided by 64; and as fourth channel 1 where it was
        missing, 0 where it was visible.
    y_pred : tensor, (N, H, W, 3)
        The prediction, in the units of the target.
    weights : mapping of str to float, optional
        Weights that replace those of `HOLE_WEIGHTS`, by name.
    vgg : keras.Model, optional
        ``vgg_model(path)``, where content has a weight.

    Returns
    -------
    tensor, ()
        Mean over the batch of ``l1 * (mean absolute error over the missing values) +
        correlation * (1 - r) + hue * (|difference along R - B| / 2 + |difference along
        G - (R + B) / 2|) + content * (content of the filled-in image)``. An image without missing
        values counts as correlation * 1. Content is that of the score, see `scores.content`, of the
        central `DEFAULT_HOLE` px, or all there is if that is less; nothing is clipped.

    Raises
    ------
    InputError
        If a weight's name is unknown.
    """
    from keras import ops

    weights = _weights(weights, HOLE_WEIGHTS)
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    true, hidden = y_true[..., :3], y_true[..., 3:]
    count = 3 * ops.sum(hidden, axis=(1, 2, 3), keepdims=True)
    count = count + ops.cast(count < 0.5, "float32")  # at least 1

    def mean(x: Any) -> Any:
        return ops.sum(x * hidden, axis=(1, 2, 3), keepdims=True) / count

    error = mean(ops.abs(true - y_pred))
    colour = 3 * ops.sum((y_pred - true) * hidden, axis=(1, 2)) / count[:, 0, 0]  # (N,3)
    blue, green, red = colour[:, 0], colour[:, 1], colour[:, 2]
    hue = ops.abs(red - blue) / 2 + ops.abs(green - (red + blue) / 2)  # (N,)
    true, pred = true - mean(true), y_pred - mean(y_pred)
    variances = (mean(true**2) + HOLE_STD**2) * (mean(pred**2) + HOLE_STD**2)
    r = mean(true * pred) / ops.sqrt(variances)
    total = weights["l1"] * error + weights["correlation"] * (1 - r)  # (N,1,1,1)
    loss = ops.mean(total) + weights["hue"] * ops.mean(hue)
    if weights["content"]:
        loss = loss + weights["content"] * _content(y_true, y_pred, vgg)
    return loss


def _content(y_true: Any, y_pred: Any, vgg: keras.Model) -> Any:
    """Give the mean content score of the middle of the filled-in images."""
    from keras import ops

    from unetpred.holes.masks import DEFAULT_HOLE

    height, width = y_true.shape[1:3]
    top, left = max(0, (height - DEFAULT_HOLE) // 2), max(0, (width - DEFAULT_HOLE) // 2)
    part = (slice(None), slice(top, top + DEFAULT_HOLE), slice(left, left + DEFAULT_HOLE))
    true, hidden = y_true[part][..., :3], y_true[part][..., 3:]
    filled = true + (y_pred[part] - true) * hidden
    distances = []
    pairs = [vgg(from_network(SCALE * x), training=False) for x in (true, filled)]
    for features_true, features_filled in zip(*pairs, strict=True):
        difference = _unit(features_filled) - _unit(features_true)  # (N,h,w,C)
        distances.append(ops.mean(ops.sum(ops.square(difference), axis=-1)))
    return sum(distances) / len(distances)


def _unit(features: Any) -> Any:
    """Divide features (N,h,w,C) by their norm over channels, as the content score does."""
    from keras import ops

    eps = float(np.finfo("float32").eps)
    return features / ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True) + eps)


def _weights(
    changes: Mapping[str, float] | None, defaults: Mapping[str, float]
) -> dict[str, float]:
    """Give the default weights with the changes."""
    unknown = set(changes or {}) - set(defaults)
    if unknown:
        raise InputError(
            f"unknown loss weights {', '.join(sorted(unknown))}; there are {', '.join(defaults)}"
        )
    return {**defaults, **(changes or {})}
