"""Lines around holes and contexts, and the part around a hole, to the pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: A hole whose sides are below this part of the image's is shown enlarged too.
SMALL = 1 / 4
#: What is around a hole when it is enlarged: so many times its side in all.
AROUND = 2
LEAST_REGION = 64  # px on a side, so that a tiny hole has surroundings too
COVERED = 1 / 4
DASH = 8  # dashes of a context in a panel's side, at least


class Region(NamedTuple):
    """A part of an image, and how it is enlarged.

    Attributes
    ----------
    rows, columns : slice
        Of the image.
    factor : int
        Pixels of the figure per pixel of the image and direction.
    """

    rows: slice
    columns: slice
    factor: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px of the image."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def of(self, levels: np.ndarray) -> np.ndarray:
        """This part of an array (H,W,...), enlarged."""
        part = levels[self.rows, self.columns]
        return part.repeat(self.factor, axis=0).repeat(self.factor, axis=1)


def around_hole(hole: np.ndarray, panel: tuple[int, int], always: bool = False) -> Region | None:
    """Choose what to show enlarged.

    Parameters
    ----------
    hole : array of bool (H,W)
        What is missing.
    panel : tuple of int
        (height, width) at which the whole image is shown, px of the figure.
    always : bool
        Whether to enlarge holes that are not `SMALL` too, as far as there is something to gain.

    Returns
    -------
    Region or None
        As large as fits into the panel when enlarged. None where the hole is large enough to be
        seen, or there is none.
    """
    if not hole.any():
        return None
    height, width = hole.shape
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    high, wide = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    if not always and (high >= SMALL * height or wide >= SMALL * width):
        return None
    factor = min(panel[0] // max(AROUND * high, LEAST_REGION),
                 panel[1] // max(AROUND * wide, LEAST_REGION))  # fmt: skip
    if factor < 1 or factor <= panel[1] / width:
        return None
    shown = min(panel[0] // factor, height), min(panel[1] // factor, width)
    first = top + high // 2 - shown[0] // 2, left + wide // 2 - shown[1] // 2
    first = min(max(first[0], 0), height - shown[0]), min(max(first[1], 0), width - shown[1])
    return Region(
        slice(first[0], first[0] + shown[0]), slice(first[1], first[1] + shown[1]), factor
    )


def outline_hole(levels: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Draw a line around a hole: white, and black around the white.

    It lies on what is visible, so that nothing of a filling is covered. There is none around
    holes so many that it would hide more than `COVERED` of the rest of the picture.

    Parameters
    ----------
    levels : array (H,W,3), uint8
        Of the figure.
    hole : array of bool (H,W)
        What is missing.
    """
    from scipy.ndimage import binary_dilation

    drawn, line, square = levels.copy(), _line(levels), np.ones((3, 3), bool)
    if not hole.any():
        return drawn
    # all that is drawn lies within two lines of the hole
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    part = tuple(
        slice(max(0, int(where[0]) - 2 * line), int(where[-1]) + 2 * line + 1)
        for where in (rows, columns)
    )
    inner = hole[part]
    near = binary_dilation(inner, square, iterations=line)
    far = binary_dilation(near, square, iterations=line)
    if np.count_nonzero(far & ~inner) > COVERED * (hole.size - np.count_nonzero(hole)):
        return drawn
    drawn[part][far & ~inner] = 0
    drawn[part][near & ~inner] = 255
    return drawn


def outline_box(levels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Draw the border of a box in dashes of white and black, as far as it is within the picture.

    Parameters
    ----------
    levels : array (H,W,3), uint8
        Of the figure.
    box : tuple of float
        (top, left, bottom, right), px of the figure; rows top..bottom, columns left..right.
    """
    drawn, line = levels.copy(), 2 * _line(levels)
    height, width = levels.shape[:2]
    top, left, bottom, right = (round(edge) for edge in box)
    dash = max(2 * line, min(height, width) // (4 * DASH))
    for first, last, start, end in (
        (top, top + line, left, right),
        (bottom - line, bottom, left, right),
        (top, bottom, left, left + line),
        (top, bottom, right - line, right),
    ):
        row = np.arange(max(0, top, first), min(height, bottom, last))
        column = np.arange(max(0, left, start), min(width, right, end))
        if len(row) and len(column):
            white = (row[:, None] + column) // dash % 2 == 0
            part = np.s_[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
            drawn[part] = np.where(white, 255, 0)[..., None]
    return drawn


def _line(levels: np.ndarray) -> int:
    """How thick a line is, px of the figure."""
    return max(1, round(int(max(levels.shape[:2])) / 448))
