"""Pictures of what goes in and what comes out.

Every function gives a `matplotlib.figure.Figure`. They are made without pyplot, so no backend is
chosen, no window opens and nothing has to be closed; `save` writes one as a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.outlines import around_hole, outline_box, outline_hole
from unetpred.plots.sheet import Sheet, as_levels, fit_to_side, layout
from unetpred.plots.style import (
    JOURNAL_WIDTH,
    LETTER,
    MM,
    PAGE_HEIGHT,
    TEXT,
    figure_of,
    frame,
    given_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOLE_GREY = 128
TITLES = ("original", "masked", "filled in")


def triptych(
    image: np.ndarray,
    mask: np.ndarray,
    filled: np.ndarray,
    caption: str = "",
    width: float = JOURNAL_WIDTH,
    *,
    outline: bool = True,
    zoom: bool | None = None,
    context: tuple[int, int, int, int] | None = None,
    ax: Iterable[Axes] | None = None,
) -> Figure:
    """Show an image, what is left of it, and how it was filled in, side by side.

    Small images are enlarged a whole number of times, those above 1024 px a side reduced by
    block means. A small hole is shown enlarged too, with what is around it, in a second row.

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
    outline : bool
        Whether a line marks the hole where it was filled in. It lies around the hole and covers
        nothing of the filling.
    zoom : bool, optional
        Whether the second row is there; if not given, where hole is below a quarter of the image
        in height and width.
    context : tuple of int, optional
        (top, left, bottom, right), px: what the network saw, rows top..bottom-1 and columns
        left..right-1, drawn dashed on the original; it may reach beyond the image.
    ax : iterable of three matplotlib.axes.Axes, optional
        Draw into these, without caption and second row, and not pixel on pixel.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the shapes do not fit, or there are not three axes.
    """
    original, result = as_levels(image, "image"), as_levels(filled, "filled")
    hole = np.asarray(mask) == 0
    for name, shape in (("mask", hole.shape), ("filled", result.shape[:2])):
        if shape != original.shape[:2]:
            raise InputError(f"{name}: shape {shape} does not fit image {original.shape[:2]}")
    masked = np.where(hole[..., None], np.uint8(HOLE_GREY), original)
    side = max(448, min(max(hole.shape), 1024))
    panels = [fit_to_side(panel, side) for panel in (original, masked, result)]
    tall, wide = panels[0].shape[:2]
    region = None if zoom is False else around_hole(hole, (tall, wide), bool(zoom))
    parts = [region.of(panel) for panel in (original, masked, result)] if region else []
    if outline and hole.any():
        shown = fit_to_side(np.where(hole[..., None], np.uint8(255), np.zeros_like(original)), side)
        panels[2] = outline_hole(panels[2], shown[..., 0] > 0)
        if region:
            parts[2] = outline_hole(parts[2], region.of(hole))
    if context is not None:
        scale = tall / hole.shape[0], wide / hole.shape[1]
        box = (edge * scale[index % 2] for index, edge in enumerate(context))
        panels[0] = outline_box(panels[0], tuple(box))
    if ax is not None:
        return _into(given_axes(ax, 3, "original, masked and filled in"), panels)

    lines = caption.splitlines()
    dpi, pad, line_height = layout(3, wide, width)
    # the second row is as high as its pictures, which may be a little below a panel
    second = pad + line_height + parts[0].shape[0] if region else 0
    below = pad // 2 + line_height * len(lines) if lines else 0
    sheet = Sheet(4 * pad + 3 * wide, 2 * pad + line_height + tall + second + below, dpi)
    for column, (panel, title) in enumerate(zip(panels, TITLES, strict=True)):
        left = pad + column * (wide + pad)
        sheet.text(left, pad, wide, title)
        sheet.picture(left, pad + line_height, panel)
    top = pad + line_height + tall
    if region:
        high, across = region.size
        words = f"around the hole: {across}x{high} of {hole.shape[1]}x{hole.shape[0]} px"
        sheet.text(pad, top + pad, sheet.width - 2 * pad, words)
        for column, part in enumerate(parts):
            sheet.picture(pad + column * (wide + pad), top + pad + line_height, part)
    for row, line in enumerate(lines):
        under = top + second + pad // 2 + row * line_height
        sheet.text(pad, under, sheet.width - 2 * pad, line)
    return sheet.figure


def _into(axes: Sequence[Axes], panels: Sequence[np.ndarray]) -> Figure:
    """Draw a triptych's panels into axes of somebody else's figure."""
    for one, panel, title in zip(axes, panels, TITLES, strict=True):
        one.imshow(panel, interpolation="nearest")
        one.set_title(title, loc="left", **TEXT)
        frame(one)
    return figure_of(axes[0])


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
        show. Text is of 7 points in it. Lines too long for a column are broken between words,
        and words too long for it lose their middle.

    Returns
    -------
    matplotlib.figure.Figure
        As high as its rows; `gallery_pages` splits them into pages.

    Raises
    ------
    InputError
        If there is no row, or a row has not as many pictures as there are titles.
    """
    (figure,) = gallery_pages(rows, titles, side, width, height=float("inf"))
    return figure


def gallery_pages(
    rows: Iterable[Sequence[tuple[np.ndarray, str]]],
    titles: Sequence[str],
    side: int = 224,
    width: float = JOURNAL_WIDTH,
    height: float = PAGE_HEIGHT,
) -> Iterator[Figure]:
    """Give galleries, each with as many rows as a page has room for.

    Parameters
    ----------
    rows : iterable of rows
        As for `gallery`. They are asked for one by one, and those of one page are kept, so
        a generator of many needs little memory.
    titles, side, width
        As for `gallery`; every page has its titles.
    height : float
        Of a page, mm. A row that is higher has a page by itself, which is higher.

    Yields
    ------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        As `gallery`, when it is at that row.
    """
    page: list[_Row] = []
    for index, row in enumerate(rows if titles else ()):
        if len(row) != len(titles):
            raise InputError(
                f"gallery: row {index} has {len(row)} pictures for {len(titles)} titles"
            )
        cells = [fit_to_side(as_levels(image, "image"), side) for image, _ in row]
        made = _Row(cells, [text for _, text in row])
        if page and _Page([*page, made], titles, width).millimetres > height:
            yield _Page(page, titles, width).drawn()
            page = []
        page.append(made)
    if not page:
        raise InputError("gallery: nothing to show; give at least one row and one title")
    yield _Page(page, titles, width).drawn()


class _Row(NamedTuple):
    cells: list[np.ndarray]  # (h,w,3) uint8, in pixels of the figure
    texts: list[str]

    @property
    def height(self) -> int:
        return int(max(cell.shape[0] for cell in self.cells))


class _Page:
    """Rows of a gallery below each other."""

    def __init__(self, rows: Sequence[_Row], titles: Sequence[str], width: float) -> None:
        self.rows, self.titles = rows, titles
        self.wide = max(cell.shape[1] for row in rows for cell in row.cells)
        self.dpi, self.pad, self.line = layout(len(titles), self.wide, width)
        letters = max(1, int(self.wide / self.dpi / MM / LETTER))
        self.texts = [[_lines(text, letters) for text in row.texts] for row in rows]
        self.below = [self.line * max(map(len, texts)) for texts in self.texts]
        self.height = self.pad + self.line + sum(self.below)
        self.height += sum(row.height + self.pad for row in rows)

    @property
    def millimetres(self) -> float:
        return self.height / self.dpi / MM

    def drawn(self) -> Figure:
        """Draw it."""
        pad, step = self.pad, self.wide + self.pad
        sheet = Sheet(pad + len(self.titles) * step, self.height, self.dpi)
        for column, title in enumerate(self.titles):
            sheet.text(pad + column * step, pad, self.wide, title, weight="bold")
        top = pad + self.line
        for row, texts, below in zip(self.rows, self.texts, self.below, strict=True):
            for column, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
                left = pad + column * step
                across, down = self.wide - cell.shape[1], row.height - cell.shape[0]
                sheet.picture(left + across // 2, top + down // 2, cell)
                for number, line in enumerate(text):
                    sheet.text(left, top + row.height + number * self.line, self.wide, line)
            top += row.height + below + pad
        return sheet.figure


def _lines(text: str, letters: int) -> list[str]:
    """Break lines between words where they are longer than a column; a word keeps its length."""
    lines = []
    for line in text.splitlines():
        lines += wrap(line, letters, break_long_words=False, break_on_hyphens=False) or [""]
    return lines
