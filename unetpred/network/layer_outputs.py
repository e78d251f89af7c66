"""What comes out of single layers: their names, the network up to them, their masks."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

import numpy as np

from unetpred.errors import InputError

if TYPE_CHECKING:
    import keras


def choose_layers(patterns: str | Sequence[str], variant: str) -> list[str]:
    """Names of layers by name or pattern, in the order of the network.

    Raises
    ------
    InputError
        If a pattern fits no layer.
    """
    from unetpred.network.model import layer_names

    names = layer_names(variant)
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    if not patterns:
        raise InputError("layers: none is named; `unetpred features --list` shows all of them")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"layer {pattern!r}: there is none of that name; {names[0]} ... {names[-1]} are "
                "right, `unetpred features --list` shows all of them"
            )
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def layer_model(
    model: keras.Model, layers: Sequence[str], part: Literal["features", "mask"] = "features"
) -> keras.Model:
    """The part of a network that leads to some of its layers.

    Parameters
    ----------
    model : keras.Model
        From `unetpred.load_model` or `unetpred.build_unetpred`.
    layers : sequence of str
        Names of its partial convolutions.
    part : {"features", "mask"}
        What is wanted of them: activations (N,h,w,C), or updated masks (N,h,w,1).

    Returns
    -------
    keras.Model
        ``[image, mask] -> [one array per layer]``, with the weights of `model`.
    """
    import keras

    which = ("features", "mask").index(part)
    return keras.Model(model.inputs, [model.get_layer(name).output[which] for name in layers])


def layer_masks(
    model: keras.Model, mask: np.ndarray, layers: str | Sequence[str] = "*"
) -> dict[str, np.ndarray]:
    """The mask after every layer: what the layer still has no visible pixel for.

    Parameters
    ----------
    model : keras.Model
        From `unetpred.load_model`; its weights do not matter.
    mask : array_like, (H,W)
        Anything but 0 = visible, 0 = missing.
    layers : str or sequence of str
        As for `features`; all if not given.

    Returns
    -------
    dict of str to numpy.ndarray, (h,w) float32
        1 = visible, 0 = missing, by layer, in the order of the network.

    Raises
    ------
    InputError
        If a layer does not exist, or the mask is not (H,W).
    """
    from unetpred.network.model import config_of

    given = _visible(mask, 1)  # (1,H,W)
    names = choose_layers(layers, config_of(model).variant)
    nothing = np.zeros((*given.shape, 3), "float32")
    outputs = layer_model(model, names, "mask").predict_on_batch([nothing, given[..., None]])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return {name: np.asarray(x)[0, :, :, 0] for name, x in zip(names, outputs, strict=True)}


def visible_masks(mask: np.ndarray | None, count: int) -> np.ndarray | None:
    """Check masks, and give them one form.

    Parameters
    ----------
    mask : array_like, (H,W) or (count,H,W), or None
        Anything but 0 = visible, 0 = missing. None stays None: nothing is missing.
    count : int
        Number of images.

    Returns
    -------
    numpy.ndarray, (1 or count,H,W) float32, or None
        1 = visible, 0 = missing.

    Raises
    ------
    InputError
        If the shape is another one, or a value is not finite.
    """
    return None if mask is None else _visible(mask, count)


def _visible(mask: np.ndarray, count: int) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or len(mask) not in (1, count):
        raise InputError(f"mask of shape {mask.shape}: (H,W) or ({count},H,W) is right")
    if mask.dtype.kind == "f" and not np.isfinite(mask).all():
        raise InputError("mask holds NaN or infinity; 0 = missing and anything else = visible")
    return np.asarray(mask != 0, "float32")
