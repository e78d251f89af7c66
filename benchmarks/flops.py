"""Counting the multiply-adds of a network, and computing nothing but them."""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import ops

from unetpred.network.partial_convolution import PConv2D


class Convolution(NamedTuple):
    """One 3x3 convolution of features: the size of its input, and what comes out."""

    height: int
    width: int
    channels: int
    filters: int
    padding: str

    @property
    def multiply_adds(self) -> int:
        """Of one image; those with the zeros of "same" padding count too."""
        less = 2 if self.padding == "valid" else 0
        positions = (self.height - less) * (self.width - less)
        return positions * 9 * self.channels * self.filters


def convolutions(model: keras.Model) -> list[Convolution]:
    """The convolutions of features that a network computes, read off its graph.

    Those of its one-channel masks are not among them: they are a cost, not the work.
    """
    found = []
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            layer = node.operation
            if isinstance(layer, PConv2D):
                _, height, width, _ = node.input_tensors[0].shape
                padding = node.arguments.kwargs.get("padding") or layer.padding
                found.append(Convolution(height, width, layer.channels, layer.filters, padding))
    return found


class _PlainConvolutions(keras.layers.Layer):
    """Convolutions alone, on inputs that are there already; one value of each is given."""

    def __init__(self, shapes: list[Convolution], batch: int):
        super().__init__()
        self.paddings = [shape.padding for shape in shapes]
        self.features = [
            self.add_weight(shape=(batch, s.height, s.width, s.channels), initializer="ones")
            for s in shapes
        ]
        self.kernels = [
            self.add_weight(shape=(3, 3, s.channels, s.filters), initializer="ones") for s in shapes
        ]

    def call(self, start):
        outputs = [
            ops.conv(x, kernel, padding=padding)[0, 0, 0, 0]
            for x, kernel, padding in zip(self.features, self.kernels, self.paddings, strict=True)
        ]
        return start + ops.sum(ops.stack(outputs))

    def compute_output_shape(self, shape):
        return shape


def plain_network(shapes: list[Convolution], batch: int, jit_compile: bool) -> keras.Model:
    """Plain convolutions of the same shapes, without bias, activation, mask or data movement.

    ``start (1,1) -> (1,1)``. How fast it is, is the limit for a network of these convolutions.
    """
    start = keras.Input((1,))
    model = keras.Model(start, _PlainConvolutions(shapes, batch)(start))
    if keras.config.backend() == "tensorflow":  # the others have one way
        model.jit_compile = jit_compile
    return model
