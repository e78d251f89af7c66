"""Pictures of what goes in and what comes out.

Every function gives a `matplotlib.figure.Figure`. They are made without pyplot, so no backend is
chosen, no window opens and nothing has to be closed; `save` writes one as a file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.io.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Two columns of most journals, mm; one is 85 mm.
JOURNAL_WIDTH = 180.0
MM = 1 / 25.4  # inches

PAD = 0.05  # inches
LINE = 0.15
LEAST_DPI = 144  # below, text of `POINTS` is hard to read on a screen
FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine breaks lines alike
POINTS = 7
INK = "#222222"
HOLE_GREY = 128

#: Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def triptych(
    image: np.ndarray,
    mask: np.ndarray,
    filled: np.ndarray,
    caption: str = "",
    width: float = JOURNAL_WIDTH,
) -> Figure:
    """Show an image, what is left of it, and how it was filled in, side by side.

    Small images are enlarged a whole number of times, those above 1024 px a side reduced by
    block means.

    Parameters
    ----------
    image, filled : array (H,W,3)
        RGB, 0..255. Values beyond are clipped.
    mask : array (H,W)
        1 = visible, 0 = missing; what is missing is shown mid grey.
    caption : str
        Text below, taken literally. A line too long for the figure loses its middle, so that
        both the beginning of a path and the scores after it stay.
    width : float
        Of the figure, mm; text is of 7 points in it. Pictures keep their pixels, whatever it is.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    original, result = as_levels(image, "image"), as_levels(filled, "filled")
    hole = np.asarray(mask) == 0
    for name, shape in (("mask", hole.shape), ("filled", result.shape[:2])):
        if shape != original.shape[:2]:
            raise InputError(f"{name}: shape {shape} does not fit image {original.shape[:2]}")
    masked = np.where(hole[..., None], np.uint8(HOLE_GREY), original)
    side = max(original.shape[:2])
    panels = [fit_to_side(panel, max(448, min(side, 1024))) for panel in (original, masked, result)]
    tall, wide = panels[0].shape[:2]
    lines = caption.splitlines()
    dpi, pad, line_height = _layout(3, wide, width)
    below = pad // 2 + line_height * len(lines) if lines else 0
    sheet = _Sheet(4 * pad + 3 * wide, 2 * pad + line_height + tall + below, dpi)
    for column, (panel, title) in enumerate(
        zip(panels, ("original", "masked", "filled in"), strict=True)
    ):
        left = pad + column * (wide + pad)
        sheet.text(left, pad, wide, title)
        sheet.picture(left, pad + line_height, panel)
    for row, line in enumerate(lines):
        top = pad + line_height + tall + pad // 2 + row * line_height
        sheet.text(pad, top, sheet.width - 2 * pad, line)
    return sheet.figure


def gallery(
    rows: Sequence[Sequence[tuple[np.ndarray, str]]],
    titles: Sequence[str],
    side: int = 224,
    width: float = JOURNAL_WIDTH,
) -> Figure:
    """Show many images, one a row, with what became of them in columns.

    Parameters
    ----------
    rows : sequence of rows
        Each a sequence of (image, text) with one pair per title: an array (H,W,3), RGB 0..255,
        and what to write under it, such as its score, in one or more lines; "" for nothing.
    titles : sequence of str
        Heads of the columns.
    side : int
        Largest side of a picture in pixels. Smaller images are enlarged a whole number of
        times, larger ones reduced by block means.
    width : float
        Of the figure at most, mm: narrower where pictures would be enlarged until their pixels
        show. Text is of 7 points in it, and lines too long for a column lose their middle.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no row, or a row has not as many pictures as there are titles.
    """
    if not rows or not titles:
        raise InputError("gallery: nothing to show; give at least one row and one title")
    for index, row in enumerate(rows):
        if len(row) != len(titles):
            raise InputError(
                f"gallery: row {index} has {len(row)} pictures for {len(titles)} titles"
            )
    cells = [[fit_to_side(as_levels(image, "image"), side) for image, _ in row] for row in rows]
    wide = max(cell.shape[1] for row in cells for cell in row)
    heights = [max(cell.shape[0] for cell in row) for row in cells]
    dpi, pad, line_height = _layout(len(titles), wide, width)
    below = [line_height * max(len(text.splitlines()) for _, text in row) for row in rows]
    sheet = _Sheet(
        pad + len(titles) * (wide + pad),
        pad + line_height + sum(heights) + sum(below) + pad * len(rows),
        dpi,
    )
    for column, title in enumerate(titles):
        sheet.text(pad + column * (wide + pad), pad, wide, title, weight="bold")
    top = pad + line_height
    for row, pictures, height, text_height in zip(rows, cells, heights, below, strict=True):
        for column, ((_, text), cell) in enumerate(zip(row, pictures, strict=True)):
            left = pad + column * (wide + pad)
            inset = (wide - cell.shape[1]) // 2, (height - cell.shape[0]) // 2
            sheet.picture(left + inset[0], top + inset[1], cell)
            for number, line in enumerate(text.splitlines()):
                sheet.text(left, top + height + number * line_height, wide, line)
        top += height + text_height + pad
    return sheet.figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure, whole or not at all, in the format its ending names.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Written pixel for pixel, whatever matplotlib's settings crop or scale.
    path : path-like
        `.png`, or another ending that matplotlib knows.

    Raises
    ------
    InputError
        If the folder is missing or not writable, or the ending is unknown.
    """
    from matplotlib import rc_context

    ending = os.path.splitext(path)[1].lstrip(".").lower()
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"{path}: pictures of this kind cannot be written; give a .png")
    with rc_context({"savefig.bbox": None}), atomic_path(path) as temporary:
        figure.savefig(temporary, format=ending, dpi=figure.dpi)


def _layout(columns: int, wide: int, width: float) -> tuple[int, int, int]:
    """The dpi at which columns of `wide` pixels make a figure of `width` mm, pad, and line (px)."""
    inches = width * MM - (columns + 1) * PAD
    if not inches > 0:
        raise InputError(f"width {width}: {columns} pictures beside each other need more mm")
    dpi = max(LEAST_DPI, math.ceil(columns * wide / inches))
    return dpi, int(PAD * dpi), round(LINE * dpi)


class _Sheet:
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


def figure_class() -> type[Figure]:
    """Import matplotlib's Figure, or say how to get it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "pictures need matplotlib, which is not installed: pip install matplotlib"
        ) from None
    return Figure


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
