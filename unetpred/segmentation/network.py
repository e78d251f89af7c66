"""The network that segments: the plan, widths and names of the one that fills in.

Its convolutions are plain ones, what partial convolutions are where nothing is missing; its last
layer gives a probability for each class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from unetpred.network.architecture import DECODER, ENCODER, SCALE, Config
from unetpred.network.model import layer_names, upsample
from unetpred.network.padding import CropLike, PadToMultiple

HEAD = "head"
#: The convolutions from input to output, without the head.
CONVOLUTIONS = tuple(layer_names("paper")[:-1])
MULTIPLE = Config().multiple  # px; what sides are padded to a multiple of


def channels(classes: int) -> int:
    """Channels of the output: one for two classes, else one for each."""
    return 1 if classes == 2 else classes


def build_segmenter(
    classes: int, width: float = 0.25, kernel_initializer: str = "he_normal"
) -> keras.Model:
    """The network with random weights.

    Parameters
    ----------
    classes : int
        At least 2.
    width : float
        Factor on the filters of every layer but the last.
    kernel_initializer : str
        As in `keras.layers.Conv2D`.

    Returns
    -------
    keras.Model
        image (N,H,W,3): BGR, 0..255 minus (103.939, 116.779, 123.68), to probabilities, float32:
        (N,H,W,classes), which sum to 1; for two classes (N,H,W,1), of the second.

        H and W are free. Sides that are no multiple of 32 are padded to the next one with zeros;
        `unetpred.segmentation.predictor.Segmenter` mirrors the image instead.
    """
    config = Config("paper", width)

    def convolve(name: str, x: Any, filters: int) -> Any:
        return _convolution(name, config.filters(filters), kernel_initializer, activation="relu")(x)

    image = keras.Input((None, None, 3), name="image")
    (padded,) = PadToMultiple(MULTIPLE, name="pad_to_multiple")([image])
    features = _features(padded, convolve)
    outputs = channels(classes)
    output = _convolution(HEAD, outputs, kernel_initializer, size=1)(features)
    output = CropLike(name="crop")([output, image])
    kind = "sigmoid" if outputs == 1 else "softmax"
    output = keras.layers.Activation(kind, dtype="float32", name="probabilities")(output)
    return keras.Model(image, output, name="segmenter")


def build_training_segmenter(classes: int, width: float, side: int) -> keras.Model:
    """The network as it is trained: with batch normalisation, and without the last nonlinearity.

    Parameters
    ----------
    classes, width
        As for `build_segmenter`.
    side : int
        Of the crops, a multiple of 32.

    Returns
    -------
    keras.Model
        image / 64 (N,side,side,3) to logits (N,side,side, 1 or classes), float32.
    """
    config = Config("paper", width)

    def convolve(name: str, x: Any, filters: int) -> Any:
        x = _convolution(name, config.filters(filters), "he_normal", use_bias=False)(x)
        return ops.relu(_normalisation(f"{name}_norm")(x))

    image = keras.Input((side, side, 3), name="image")
    features = _features(image, convolve)
    output = _convolution(HEAD, channels(classes), "glorot_uniform", size=1)(features)
    output = keras.layers.Activation("linear", dtype="float32", name="logits")(output)
    return keras.Model(image, output, name="training")


def _convolution(name: str, filters: int, initializer: str, size: int = 3, **more: Any) -> Any:
    return keras.layers.Conv2D(
        filters,
        size,
        padding="same",
        data_format="channels_last",
        kernel_initializer=initializer,
        name=name,
        **more,
    )


def _normalisation(name: str) -> keras.layers.Layer:
    if keras.config.backend() == "torch":
        from unetpred.backends.torch_normalization import TorchBatchNormalization

        return TorchBatchNormalization(name=name)
    return keras.layers.BatchNormalization(name=name)


def _features(x: Any, convolve: Callable[[str, Any, int], Any]) -> Any:
    skips = []
    for block, (filters, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            x = convolve(f"vblock{block}_conv_{i}", x, filters)
        skips.append(x)
        x = ops.max_pool(x, 2, strides=2)
    for skip, (filters, block) in zip(reversed(skips), DECODER, strict=True):
        x = ops.concatenate([upsample(x), skip], axis=-1)
        x = convolve(f"vblock{block}_conv_1", x, filters)
        x = convolve(f"vblock{block}_conv_2", x, filters)
    return x


def fold(training: keras.Model, classes: int, width: float) -> keras.Model:
    """The network that ships: normalisations become part of kernels and biases.

    Parameters
    ----------
    training : keras.Model
        From `build_training_segmenter`.
    classes, width
        What it was built with.

    Returns
    -------
    keras.Model
        As from `build_segmenter`; in inference it computes what `training` does, up to rounding.
    """
    model = build_segmenter(classes, width, "zeros")
    for name in CONVOLUTIONS:
        (kernel,) = (np.asarray(w, "float64") for w in training.get_layer(name).get_weights())
        norm = training.get_layer(f"{name}_norm")
        gamma, beta, mean, variance = (np.asarray(w, "float64") for w in norm.get_weights())
        gain = gamma / np.sqrt(variance + norm.epsilon)
        kernel, bias = kernel * gain, beta - gain * mean
        if name == CONVOLUTIONS[0]:
            kernel = kernel / SCALE
        model.get_layer(name).set_weights([kernel.astype("float32"), bias.astype("float32")])
    model.get_layer(HEAD).set_weights(training.get_layer(HEAD).get_weights())
    return model


def reach(levels: int = len(DECODER)) -> int:
    """How far from a pixel, px, the image can matter for its output."""
    radius = 0
    for level in range(levels):  # the decoder, from full size down
        radius += 2 * 2**level  # two convolutions
    radius += sum(
        2**level for level in range(levels)
    )  # upsampling: half a coarse pixel, rounded up
    for level, (_, count) in enumerate(ENCODER):
        radius += count * 2**level
        radius += 2**level  # the pooling
    return radius
