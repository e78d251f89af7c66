"""What all figures share: sizes, letters, colours, and the axes that a caller gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from unetpred.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: Two columns of most journals, mm; one is 85 mm.
JOURNAL_WIDTH = 180.0
#: The most that a figure's height has, mm: a page of a journal, with room for its caption.
PAGE_HEIGHT = 230.0
MM = 1 / 25.4  # inches

FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine breaks lines alike
POINTS = 7
LETTER = 1.6  # mm, the width of most letters of `POINTS`
INK = "#222222"
TEXT: dict[str, Any] = {"color": INK, "family": FONT, "fontsize": POINTS}

#: Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def figure_class() -> type[Figure]:
    """Import matplotlib's Figure, or say how to get it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "pictures need matplotlib, which is not installed: pip install matplotlib"
        ) from None
    return Figure


def given_axes(ax: Any, count: int, what: str) -> list[Axes]:
    """The axes that a caller gave to draw into, as a list.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, or nested iterables of them
        As `matplotlib.figure.Figure.subplots` gives them, in reading order.
    count : int
        How many are needed.
    what : str
        What they are for, for the message.

    Raises
    ------
    InputError
        If there are not so many.
    """
    axes = list(_flat(ax))
    if len(axes) != count:
        raise InputError(f"ax: {len(axes)} axes for {what}; {count} are needed")
    return axes


def _flat(ax: Any) -> Iterable[Axes]:
    if isinstance(ax, Iterable):
        for one in ax:
            yield from _flat(one)
    else:
        yield ax


def figure_of(axes: Axes) -> Figure:
    """The figure, or part of one, that axes are in."""
    return cast("Figure", axes.figure)


def colour_map(cmap: str | Colormap) -> Colormap:
    """A map of colours by its name in matplotlib, or itself.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    from matplotlib import colormaps

    if not isinstance(cmap, str):
        return cmap
    if cmap not in colormaps:
        raise InputError(f"cmap {cmap!r}: matplotlib has none of this name; 'viridis' is one")
    return colormaps[cmap]


def check_limits(low: float, high: float) -> None:
    """Raise InputError unless colours can run from `low` to `high`."""
    if not low < high:
        raise InputError(f"vmin {low:g} and vmax {high:g}: vmin has to be below vmax")


def beyond(low: float, high: float, least: float, most: float) -> str:
    """Which ends of a bar of colours from `low` to `high` have an arrow: values lie beyond."""
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    return ends.get((least < low, most > high), "neither")


def frame(axes: Axes, line: bool = False) -> None:
    """No ticks, and a thin frame or none."""
    axes.set(xticks=(), yticks=())
    for spine in axes.spines.values():
        spine.set(linewidth=0.4, color="#999999")
        spine.set_visible(line)
