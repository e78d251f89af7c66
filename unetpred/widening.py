"""A wider network that fills holes as a narrower one does, to go on training from."""

from __future__ import annotations

import keras
import numpy as np

from unetpred.layers import PConv2D
from unetpred.model import Config, build_unetpred

UNEVEN = 0.5
"""How much the copies of a channel differ in weight, as a part of their mean."""


def widen(model: keras.Model, config: Config, seed: int = 0) -> keras.Model:
    """Copy every feature of a network several times, so that its fillings stay as they are.

    A layer that reads the copies of a channel shares the weight of that channel out among them,
    unevenly at random, without which all copies would learn the same (Net2WiderNet [1]_). The mask
    ratio of hidden layers does not change, since all copies of a channel have its mask. That of
    the last one does, where three channels of the image stand beside the features: its weights are
    scaled so that the filling is the same where it sees nothing of the image.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred` or `unetpred.load_model`.
    config : Config
        Of the network wanted: of the same variant, with a whole multiple of all filters.
    seed : int
        Of the shares.

    Returns
    -------
    keras.Model
        As from `build_unetpred`. Its output is that of `model`, up to rounding, in holes but for
        the pixels that touch what is visible, where it is near.

    Raises
    ------
    ValueError
        If the network wanted has another variant or not a whole multiple of the filters.

    References
    ----------
    .. [1] T. Chen, I. Goodfellow, J. Shlens, "Net2Net: accelerating learning via knowledge
       transfer", ICLR 2016, arXiv:1511.05641, section 2.3.
    """
    wide = build_unetpred(config.variant, config.width, kernel_initializer="zeros")
    layers = [layer for layer in wide.layers if isinstance(layer, PConv2D)]
    if {layer.name for layer in layers} != {x.name for x in model.layers if isinstance(x, PConv2D)}:
        raise ValueError(f"a network of variant {config.variant} cannot be made of another one")
    rng = np.random.default_rng(seed)
    for layer in layers:
        narrow = model.get_layer(layer.name)
        kernel, bias = narrow.get_weights()
        pieces, start = [], 0
        for old, new in zip(narrow.input[0::2], layer.input[0::2], strict=True):
            piece = kernel[:, :, start : start + old.shape[-1]]
            pieces.append(_shared_out(piece, _times(old.shape[-1], new.shape[-1]), rng))
            start += old.shape[-1]
        # (3,3,C*times,filters) -> the same with every filter as often as it is in `wide`
        times = _times(narrow.filters, layer.filters)
        if layer.name == "block10":
            pieces[0] *= _ratio(narrow) / _ratio(layer)
        joined = np.concatenate(pieces, axis=2).repeat(times, axis=3)
        layer.set_weights([joined, bias.repeat(times)])
    return wide


def _ratio(last: PConv2D) -> float:
    """The mask ratio of the last layer where all of the image is missing, and no feature."""
    features, _, image, _ = last.input
    return (features.shape[-1] + image.shape[-1]) / features.shape[-1]


def _times(old: int, new: int) -> int:
    if new % old:
        raise ValueError(f"{new} filters are no whole multiple of {old}")
    return new // old


def _shared_out(kernel: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """(h,w,C,F) -> (h,w,C*times,F), of which the copies of a channel sum to what it had."""
    shares = rng.uniform(-UNEVEN, UNEVEN, (*kernel.shape[:3], times, kernel.shape[3]))
    shares = (1 + shares - shares.mean(axis=3, keepdims=True)) / times
    height, width, channels, filters = kernel.shape
    parts = kernel[:, :, :, None] * shares  # (h,w,C,times,F)
    return parts.reshape(height, width, channels * times, filters).astype("float32")
