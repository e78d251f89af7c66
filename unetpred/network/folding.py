"""The network in training, and folding it into the network that ships.

Training needs three things that the published network does not have: batch normalisation after
every partial convolution, image values of about unit size, and an output layer that starts as the
identity on the visible pixels. Each of them is an affine map next to a convolution. So all of them
disappear into kernels and biases afterwards, and what ships is the published network.
"""

from __future__ import annotations

import keras
import numpy as np

from unetpred.network.architecture import SCALE
from unetpred.network.model import Config, Window, build_unetpred, decode, encode, make_convolve
from unetpred.network.partial_convolution import PConv2D


def build_training_network(
    config: Config, height: int, width: int, window: tuple[int, int, int, int] | None = None
) -> keras.Model:
    """The network with batch normalisation, computed in one window of its output.

    Parameters
    ----------
    config : Config
        Variant and width.
    height, width : int
        Size of the training crops, multiples of `config.multiple`.
    window : (top, left, bottom, right), optional
        The part of the output that the loss looks at; the whole crop if not given.

    Returns
    -------
    keras.Model
        ``[image / 64, mask] -> output / 64`` in the units of `build_unetpred`, (N,h,w,3) of the
        window.
    """
    if height % config.multiple or width % config.multiple:
        raise ValueError(
            f"training crops of {height}x{width} px: sides must be multiples of {config.multiple}"
        )
    image = keras.Input((height, width, 3), name="image")
    mask = keras.Input((height, width, 1), name="mask")
    convolve = make_convolve(config, {}, normalise=True)
    skips, bottom = encode(image, mask, convolve, config)
    part = None if window is None else Window(*window, height, width)
    output = decode(image, mask, skips, bottom, convolve, part)
    output = keras.layers.Activation("linear", dtype="float32", name="output")(output)
    model = keras.Model([image, mask], output, name="training")

    last = model.get_layer("block10")
    kernel, bias = last.get_weights()
    kernel *= 0.1
    kernel[:, :, -3:] = 0
    kernel[1, 1, -3:] = np.eye(3)
    last.set_weights([kernel, bias])
    return model


def fold(training: keras.Model, config: Config) -> keras.Model:
    """The published network that computes what the training network computes.

    Batch normalisation comes after the mask ratio and before the bias would, so with
    ``g = gamma / sqrt(variance + epsilon)`` the folded layer has kernel ``g * kernel`` and bias
    ``beta - g * mean``, at empty windows too.

    Parameters
    ----------
    training : keras.Model
        From `build_training_network`.
    config : Config
        What it was built with.

    Returns
    -------
    keras.Model
        As from `build_unetpred`; equal to the training network in inference up to rounding.
    """
    model = build_unetpred(config.variant, config.width, kernel_initializer="zeros")
    for layer in model.layers:
        if not isinstance(layer, PConv2D):
            continue
        source = training.get_layer(layer.name)
        kernel = np.array(source.get_weights()[0], "float64")
        if layer.name == "block10":
            bias = source.get_weights()[1] * SCALE
            kernel[:, :, :-3] *= SCALE  # features to pixel units; the image is in them already
        else:
            norm = training.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = (np.array(w, "float64") for w in norm.get_weights())
            gain = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * gain, beta - gain * mean
            if layer.name == "vblock1_conv_1":
                kernel /= SCALE
        layer.set_weights([kernel.astype("float32"), bias.astype("float32")])
    return model
