"""Curves of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.style import (
    COLOURS,
    FONT,
    JOURNAL_WIDTH,
    MM,
    POINTS,
    TEXT,
    figure_class,
    figure_of,
    given_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What is drawn, and what is written above it.
LABELS = {
    "loss": "training loss\n(lower is better)",
    "structure": "held-out structure r\n(higher is better)",
    "l1": "held-out L1 in the hole, 0..255\n(lower is better)",
    "content": "held-out content\n(lower is better)",
}
ROOM = 55.0  # mm, that a curve and its labels need beside another
HEIGHT = 2.0  # inches, of a curve and its labels
DASHES = ((5, 2), (2, 1.5), (6, 1.5, 1, 1.5), (1, 1))


def training_curves(
    history: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    baselines: Mapping[str, Mapping[str, float]] | None = None,
    width: float | None = None,
    *,
    curves: Sequence[str] | None = None,
    ax: Axes | Iterable[Axes] | None = None,
) -> Figure:
    """Plot how training went: loss, and what was measured on held-out images.

    Parameters
    ----------
    history : mapping of columns, or sequence of rows
        `step`, and any of `loss` (of the training crops), `structure` (held-out r, -1..1), `l1`
        (held-out mean absolute error in the hole, 0..255) and `content` (held-out distance of
        VGG-16 features). Numbers or their text, as read from a csv file; None, "" and NaN are
        steps at which a value was not measured, as the loss at step 0.
    baselines : mapping, optional
        Per name of a filling its `structure`, `l1` and `content` on the same held-out images:
        dashed lines. If not given, those that `history` has, in columns such as
        `structure_telea`; {} for none.
    width : float, optional
        Of the figure, mm; 180 if not given, 90 for a single curve. Curves that have no room
        beside each other are below each other. Text is of 7 points.
    curves : sequence of str, optional
        Which of the four, in their order; all that were measured, if not given.
    ax : matplotlib.axes.Axes, or iterable of them, optional
        Draw into these, one per curve.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no `step`, or none of the curves, or not those asked for.
    """
    columns = _columns(history)
    if baselines is None:
        baselines = _baselines(history)
    measured = [name for name in LABELS if name in columns and np.isfinite(columns[name]).any()]
    if "step" not in columns or not measured:
        raise InputError(
            f"history: has {', '.join(columns) or 'nothing'}; "
            f"give 'step' and some of {', '.join(map(repr, LABELS))}"
        )
    missing = [name for name in curves or () if name not in measured]
    if missing:
        raise InputError(
            f"history: nothing of {', '.join(map(repr, missing))} was measured; "
            f"there is {', '.join(map(repr, measured))}"
        )
    shown = list(curves) if curves else measured
    if ax is None:
        figure, cells = _grid(len(shown), width)
    else:
        cells = given_axes(ax, len(shown), ", ".join(shown))
        figure = figure_of(cells[0])
    for axes, name in zip(cells, shown, strict=True):
        known = np.isfinite(columns[name]) & np.isfinite(columns["step"])
        _draw(axes, name, columns["step"][known], columns[name][known], baselines)
    if baselines:
        _legend(cells, None if ax is not None else figure)
    return figure


def _grid(count: int, width: float | None) -> tuple[Figure, list[Axes]]:
    """A figure for so many curves of one axis of steps."""
    make = figure_class()
    width = width or min(JOURNAL_WIDTH, JOURNAL_WIDTH / 2 * count)
    rows = -(-count // max(1, min(count, int(width // ROOM))))
    across = -(-count // rows)
    size = width * MM, rows * HEIGHT + 0.3
    figure = make(figsize=size, dpi=200, layout="constrained", facecolor="white")
    cells: list[Axes] = []
    for index in range(count):
        shared = cells[0] if cells else None
        cells.append(figure.add_subplot(rows, across, index + 1, sharex=shared))
    return figure, cells


def _draw(
    axes: Axes,
    name: str,
    steps: np.ndarray,
    values: np.ndarray,
    baselines: Mapping[str, Mapping[str, float]],
) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator

    # Dots make a held-out curve of few points visible; a loss of thousands has none.
    marker = "o" if len(steps) <= 40 else None
    axes.plot(steps, values, color=COLOURS[0], lw=1.5, marker=marker, ms=3, label="U-Net-Pred")
    if name == "loss" and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_major_formatter(plain)
        # between the powers of ten only what leaves room
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter(plain)
    for number, (label, scores) in enumerate(baselines.items()):
        level = scores.get(name)
        if level is not None and np.isfinite(level):
            colour = COLOURS[1 + number % (len(COLOURS) - 1)]
            style = (0, DASHES[number % len(DASHES)])
            axes.axhline(level, color=colour, lw=1.3, ls=style, label=label)
    axes.set_title(LABELS[name], loc="left", **TEXT)
    axes.set_xlabel("step", **TEXT)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    # at least one tick, not two, or the only row of a run that begins would have parts of a step
    whole = MaxNLocator(5, steps=(1, 2, 5, 10), integer=True, min_n_ticks=1)
    axes.xaxis.set_major_locator(whole)
    axes.tick_params(labelsize=POINTS, labelfontfamily=FONT, which="both")
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(cells: Sequence[Axes], figure: Figure | None) -> None:
    """Say which line is what: once below the figure, or in axes that are somebody else's."""
    letters: dict[str, Any] = {"prop": {"family": FONT, "size": POINTS}, "frameon": False}
    lines = {str(line.get_label()): line for axes in cells for line in axes.get_lines()}
    if figure is not None:
        figure.legend(
            list(lines.values()),
            list(lines),
            loc="outside lower left",
            ncols=max(1, min(len(lines), int(figure.get_figwidth() / MM // 28))),
            **letters,
        )
        return
    for axes in cells:
        if len(axes.get_lines()) > 1:
            axes.legend(**letters)


def _baselines(
    history: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
) -> dict[str, dict[str, float]]:
    """What simple fillings reached, from the first row of a history that has it."""
    columns: dict[str, list[Any]] = {}
    if isinstance(history, Mapping):
        columns = {name: list(values) for name, values in history.items()}
    else:
        for row in history:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    found: dict[str, dict[str, float]] = {}
    for column, values in columns.items():
        measure, _, name = column.partition("_")
        if not name or measure not in LABELS:
            continue
        known = [number for number in map(_number, values) if np.isfinite(number)]
        if known:
            found.setdefault(name, {})[measure] = known[0]
    return found


def _number(value: Any) -> float:
    return float("nan") if value is None or value == "" else float(value)


def _columns(
    history: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
) -> dict[str, np.ndarray]:
    """Give columns of floats, NaN where nothing was measured."""
    wanted = ("step", *LABELS)
    if isinstance(history, Mapping):
        present = {name: history[name] for name in wanted if name in history}
    else:
        present = {
            name: [row.get(name) for row in history]
            for name in wanted
            if any(name in row for row in history)
        }
    return {name: np.array([_number(v) for v in column]) for name, column in present.items()}
