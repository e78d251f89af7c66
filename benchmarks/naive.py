"""The network as the original computes it: masks on all channels, the whole output."""

from __future__ import annotations

import keras
from keras import ops

from unetpred.network.architecture import DECODER, ENCODER, Config
from unetpred.network.model import config_of


class NaivePConv(keras.layers.Layer):
    """Partial convolution by two convolutions, one of the features and one of the masks.

    ``[x, m] -> [y, m']`` with masks of as many channels as their features have.
    """

    def __init__(self, filters: int, activation: str | None = "relu", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = keras.activations.get(activation)

    def build(self, shapes):
        shape = (3, 3, shapes[0][-1], self.filters)
        self.window = float(9 * shapes[0][-1])
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="he_normal")
        self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")
        self.ones = self.add_weight(name="ones", shape=shape, initializer="ones", trainable=False)

    def call(self, inputs):
        x, m = inputs
        visible = ops.conv(m, self.ones, padding="same")
        y = ops.conv(x * m, self.kernel, padding="same")
        y = ops.where(visible > 0.5, y * self.window / ops.maximum(visible, 1.0), 0.0) + self.bias
        return [self.activation(y), ops.clip(visible, 0.0, 1.0)]


def naive_network(config: Config) -> keras.Model:
    """``[image (N,H,W,3), mask (N,H,W,3)] -> (N,H,W,3)``, H and W multiples of `config.multiple`.

    The units are those of `unetpred.build_unetpred`; the weights are random.
    """
    image, mask = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    x, m = image, mask
    skips = []
    for block, (filters, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            name = f"vblock{block}_conv_{i}"
            x, m = NaivePConv(config.filters(filters), name=name)([x, m])
        if block <= config.levels:
            skips.append((x, m))
            x, m = (keras.layers.MaxPooling2D(2)(t) for t in (x, m))
    for (filters, block), skip in zip(DECODER[-config.levels :], reversed(skips), strict=True):
        x, m = (keras.layers.UpSampling2D(2)(t) for t in (x, m))
        x, m = (keras.layers.Concatenate()(pair) for pair in zip((x, m), skip, strict=True))
        for i in (1, 2):
            name = f"vblock{block}_conv_{i}"
            x, m = NaivePConv(config.filters(filters), name=name)([x, m])
    x, m = keras.layers.Concatenate()([x, image]), keras.layers.Concatenate()([m, mask])
    y, _ = NaivePConv(3, activation=None, name="block10")([x, m])
    return keras.Model([image, mask], y, name="naive")


def naive_copy(model: keras.Model) -> keras.Model:
    """The naive network with the weights of one from `unetpred.build_unetpred`."""
    naive = naive_network(config_of(model))
    for layer in naive.layers:
        if isinstance(layer, NaivePConv):
            kernel, bias = model.get_layer(layer.name).get_weights()
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
    return naive
