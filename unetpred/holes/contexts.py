"""What surrounds a place in an image: the crop that is scored instead of the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.io.limits import MAX_PIXELS, max_pixels

DEFAULT_CONTEXT = 224  # px; of the crops of the published method
FULL = "full"  # the whole image instead of a crop


@dataclass(frozen=True)
class Context:
    """What surrounds a hole: the whole image, or a square crop around the hole's centre.

    Parameters
    ----------
    size : int or "full"
        Side of the crop, px; what is beyond the image's border is missing. "full" is the whole
        image.

    Raises
    ------
    InputError
        If it is neither, smaller than the network takes, or larger than an image may be.
    """

    size: int | Literal["full"] = "full"

    def __post_init__(self) -> None:
        # late, because the command line's parser must not import Pillow
        from unetpred.images.arrays import MIN_SIDE

        if self.size == FULL:
            return
        try:
            side = int(self.size)
            if side != float(self.size):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"`context` {self.size}: whole pixels, or full, is right") from None
        if side < MIN_SIDE:
            raise InputError(f"`context` {side}: at least {MIN_SIDE} px are needed")
        most = max_pixels() or MAX_PIXELS
        if side * side > most:
            raise InputError(
                f"`context` {side}: at most {math.isqrt(most)} px, or full for the whole image, is "
                "right"
            )
        object.__setattr__(self, "size", side)

    @property
    def side(self) -> int | None:
        """Of the crop, px; None for the whole image."""
        return None if self.size == FULL else int(self.size)

    def __str__(self) -> str:
        if self.side is None:
            return "full image"
        return (
            f"crop of {self.side}x{self.side} px around the hole's centre; "
            "beyond the image's border is missing"
        )


def surroundings(
    image: np.ndarray, center: tuple[int, int], side: int = DEFAULT_CONTEXT
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square out of an image; what lies beyond the image's border is missing.

    Parameters
    ----------
    image : numpy.ndarray, (H,W,C)
        Any values.
    center : (x, y)
        Column and row, 0-based; they need not lie in the image.
    side : int
        Of the square, px. It covers rows ``y - side//2 .. y - side//2 + side - 1`` and columns
        alike.

    Returns
    -------
    crop : numpy.ndarray, (side,side,C)
        Zero beyond the border.
    inside : numpy.ndarray, (side,side) float32
        1 within the image, 0 beyond its border: the mask of what can be visible at all.
    """
    height, width = image.shape[:2]
    left, top = (value - side // 2 for value in center)
    rows = slice(max(top, 0), max(min(top + side, height), 0))
    columns = slice(max(left, 0), max(min(left + side, width), 0))
    crop = np.zeros((side, side, *image.shape[2:]), image.dtype)
    inside = np.zeros((side, side), "float32")
    if rows.start < rows.stop and columns.start < columns.stop:
        there = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        crop[there] = image[rows, columns]
        inside[there] = 1
    return crop, inside
