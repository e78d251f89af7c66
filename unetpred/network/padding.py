"""Padding to what the poolings can halve, and its undoing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from unetpred.network.architecture import Tensor

PACKAGE = "unetpred"


def margins(size: int, multiple: int) -> tuple[int, int]:
    """What `size` lacks to the next multiple: how much of it goes before, and how much after."""
    # no modulo of a negative number: converters to other formats round it in their own ways
    extra = (multiple - size % multiple) % multiple
    return extra // 2, extra - extra // 2


@keras.saving.register_keras_serializable(PACKAGE)
class PadToMultiple(keras.layers.Layer):
    """Pad arrays (N,H,W,C) with zeros until H and W are multiples of a number.

    Half of the padding goes to either side, the odd pixel to the bottom and the right. In a mask
    zeros are missing pixels, so what is beyond the border of an image counts as missing.

    Parameters
    ----------
    multiple : int
        H and W become multiples of this.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(multiple, int) or multiple < 1:
            raise ValueError(f"multiple must be a positive integer, got {multiple!r}")
        self.multiple = multiple

    def call(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        _, height, width, _ = ops.shape(inputs[0])
        rows, columns = margins(height, self.multiple), margins(width, self.multiple)
        return [ops.pad(x, ((0, 0), rows, columns, (0, 0))) for x in inputs]

    def compute_output_spec(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        def padded(size: int | None) -> int | None:
            return None if size is None else size + sum(margins(size, self.multiple))

        return [
            keras.KerasTensor(
                (x.shape[0], padded(x.shape[1]), padded(x.shape[2]), x.shape[3]), dtype=x.dtype
            )
            for x in inputs
        ]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(PACKAGE)
class CropLike(keras.layers.Layer):
    """Undo `PadToMultiple`: ``[y, x] -> y`` cut around its middle to the height and width of x."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        y, reference = inputs
        _, padded_height, padded_width, _ = ops.shape(y)
        _, height, width, _ = ops.shape(reference)
        top, left = (padded_height - height) // 2, (padded_width - width) // 2
        return y[:, top : top + height, left : left + width, :]

    def compute_output_spec(self, inputs: Sequence[Tensor]) -> Tensor:
        y, reference = inputs
        return keras.KerasTensor((*reference.shape[:3], y.shape[3]), dtype=y.dtype)
