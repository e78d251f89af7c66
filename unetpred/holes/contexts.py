"""What surrounds a place in an image: the crop that is scored instead of the whole."""

from __future__ import annotations

import numpy as np

DEFAULT_CONTEXT = 224  # px; of the crops of the published method
FULL = "full"  # the whole image instead of a crop


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
