"""A wider network that holds a narrower one several times, to go on training from."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from unetpred.network.model import Config, build_unetpred
from unetpred.network.partial_convolution import PConv2D

#: The symmetries of a square, for kernels (h,w,C,F); every pair that differs by a half turn first.
SYMMETRIES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda x: x,
    lambda x: x[::-1, ::-1],
    lambda x: x.swapaxes(0, 1),
    lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    lambda x: x[:, ::-1],
    lambda x: x[::-1],
    lambda x: x.swapaxes(0, 1)[:, ::-1],
    lambda x: x.swapaxes(0, 1)[::-1],
)


def widen(model: keras.Model, config: Config) -> keras.Model:
    """Put copies of a network side by side, each with its kernels turned or mirrored.

    A copy fills the image as `model` fills the turned or mirrored image, because pooling and
    upsampling have the symmetries of a square. The output is the mean of the copies' fillings,
    whose errors are partly independent. No copy reads another one: those weights begin at zero,
    and training may change them. (Equal copies, as in Net2WiderNet [1]_, would only give the
    output of `model`.)

    The mask ratio of hidden layers does not change, because all features of a layer have one mask.
    That of the last layer does, which also reads three channels of the image: its weights are
    scaled so that the filling is the same where it sees nothing of the image.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred` or `unetpred.load_model`.
    config : Config
        Of the network wanted: of the same variant, with all filters twice to eight times.

    Returns
    -------
    keras.Model
        As from `build_unetpred`. For images whose sides are multiples of 32 (16 for "released")
        the output in holes is that mean, up to rounding; it differs a little only in pixels that
        touch what is visible. For other sizes the padding, which may be uneven, is mirrored with
        the copy.

    Raises
    ------
    ValueError
        If the network wanted has another variant, or another multiple of the filters.

    References
    ----------
    .. [1] T. Chen, I. Goodfellow, J. Shlens, "Net2Net: accelerating learning via knowledge
       transfer", ICLR 2016, arXiv:1511.05641, section 2.3.
    """
    wide = build_unetpred(config.variant, config.width, kernel_initializer="zeros")
    layers = [layer for layer in wide.layers if isinstance(layer, PConv2D)]
    if {layer.name for layer in layers} != {x.name for x in model.layers if isinstance(x, PConv2D)}:
        raise ValueError(f"a network of variant {config.variant} cannot be made of another one")
    copies = _copies(model.get_layer(layers[0].name).filters, layers[0].filters)
    for layer in layers:
        narrow = model.get_layer(layer.name)
        kernel, bias = narrow.get_weights()
        last = layer.name == "block10"
        if last:
            of_features = narrow.input[0].shape[-1]
            kernel[:, :, :of_features] *= _ratio(narrow) / _ratio(layer)
            kernel, bias = kernel / copies, bias / copies  # the output is the mean
        joined, biases = layer.get_weights()  # zeros
        for copy, turned in enumerate(SYMMETRIES[:copies]):
            to = slice(None) if last else slice(copy * narrow.filters, (copy + 1) * narrow.filters)
            start = begin = 0  # of the input tensor's channels, in `kernel` and in `joined`
            for old, new in zip(narrow.input[0::2], layer.input[0::2], strict=True):
                few, many = old.shape[-1], new.shape[-1]
                first = begin + (copy * few if many > few else 0)  # all copies read one image
                joined[:, :, first : first + few, to] += turned(kernel[:, :, start : start + few])
                start, begin = start + few, begin + many
            biases[to] += bias
        layer.set_weights([joined, biases])
    return wide


def _copies(old: int, new: int) -> int:
    if new % old or not 2 <= new // old <= len(SYMMETRIES):
        raise ValueError(f"{new} filters are not {old} twice to {len(SYMMETRIES)} times")
    return new // old


def _ratio(last: PConv2D) -> float:
    """The mask ratio of the last layer where all of the image is missing, and no feature."""
    features, _, image, _ = last.input
    return float((features.shape[-1] + image.shape[-1]) / features.shape[-1])
