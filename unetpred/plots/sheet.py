"""Sheets on which pictures and lines of text have their place to the pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.style import FONT, INK, MM, POINTS, figure_class

PAD = 0.05  # inches
LINE = 0.15
LEAST_DPI = 144  # below, text of `POINTS` is hard to read on a screen


def layout(columns: int, wide: int, width: float) -> tuple[int, int, int]:
    """The dpi at which columns of `wide` pixels make a figure of `width` mm, pad, and line (px)."""
    inches = width * MM - (columns + 1) * PAD
    if not inches > 0:
        raise InputError(f"width {width}: {columns} pictures beside each other need more mm")
    dpi = max(LEAST_DPI, math.ceil(columns * wide / inches))
    return dpi, int(PAD * dpi), round(LINE * dpi)


class Sheet:
    """A figure of so many pixels on which pictures and lines of text have their place.

    Places are in pixels from the top left, as in images: only so does a pixel of a photograph
    cover whole pixels of the figure, and a seam that is seen is one of the filling.
    """

    def __init__(self, width: int, height: int, dpi: int) -> None:
        make = figure_class()
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.width, self.height = width, height
        # A hundredth more than whole: Agg cuts off the fraction, and 7.04 * 100 is below 704.
        inches = (width + 0.01) / dpi, (height + 0.01) / dpi
        self.figure = make(figsize=inches, dpi=dpi, facecolor="white")
        canvas: Any = FigureCanvasAgg(self.figure)
        self._renderer = canvas.get_renderer()

    def picture(self, left: int, top: int, levels: np.ndarray) -> None:
        """Put an image (H,W,3), uint8, one pixel on one pixel."""
        height, width = levels.shape[:2]
        box = (
            left / (self.width + 0.03),
            1 - (top + height) / (self.height + 0.03),
            width / (self.width + 0.03),
            height / (self.height + 0.03),
        )
        axes = self.figure.add_axes(box)
        axes.set_axis_off()
        axes.imshow(levels, interpolation="nearest", aspect="auto")

    def text(self, left: int, top: int, width: int, line: str, weight: str = "normal") -> None:
        """Write one line into a strip `LINE` high, shortened in the middle to fit `width`."""
        entry = self.figure.text(
            left / self.width,
            1 - (top + LINE * self.figure.dpi / 2) / self.height,
            "",
            family=FONT,
            size=POINTS,
            weight=weight,
            color=INK,
            va="center_baseline",
            parse_math=False,
        )
        line = _drawable(line)

        def fits(kept: int) -> bool:
            entry.set_text(_shortened(line, kept))
            return bool(entry.get_window_extent(self._renderer).width <= width)

        low, high = 1, len(line)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(middle) else (low, middle - 1)
        entry.set_text(_shortened(line, low))


def _shortened(line: str, kept: int) -> str:
    """Keep so many characters of a line, an ellipsis counted, by cutting in its middle."""
    if kept >= len(line):
        return line
    # The end is worth more: there are a file's own name and the scores.
    head = (kept - 1) // 3
    return f"{line[:head]}…{line[len(line) - (kept - 1 - head) :]}"


def _drawable(line: str) -> str:
    """Put a box where the font has no sign, which would be drawn so with a warning."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    signs = get_font(findfont(FontProperties(family=FONT))).get_charmap()
    return "".join(sign if ord(sign) in signs else "□" for sign in line)


def as_levels(image: np.ndarray, name: str) -> np.ndarray:
    """Give an image (H,W,3) in whole levels, uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"{name}: shape {image.shape} cannot be shown; give (H,W,3)")
    if image.dtype == np.uint8:
        return image
    return np.asarray(np.clip(np.rint(np.nan_to_num(image)), 0, 255), "uint8")


def fit_to_side(levels: np.ndarray, side: int) -> np.ndarray:
    """Enlarge or reduce by a whole factor so that the larger side is at most `side`."""
    height, width = levels.shape[:2]
    larger = max(height, width)
    if larger <= side:
        return levels.repeat(side // larger, axis=0).repeat(side // larger, axis=1)
    factor = -(-larger // side)
    height, width = max(1, height // factor), max(1, width // factor)
    blocks = levels[: height * factor, : width * factor]
    blocks = blocks.reshape(height, -1, width, blocks.shape[1] // width, 3)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), "uint8")
