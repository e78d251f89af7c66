"""Curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.pictures import COLOURS, FONT, INK, JOURNAL_WIDTH, MM, figure_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(
    history: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    baselines: Mapping[str, Mapping[str, float]] | None = None,
    width: float | None = None,
) -> Figure:
    """Plot how training went: loss, and what was measured on held-out images.

    Parameters
    ----------
    history : mapping of columns, or sequence of rows
        `step`, and any of `loss` (of the training crops), `structure` (held-out r, -1..1) and
        `l1` (held-out mean absolute error in the hole, 0..255). Numbers or their text, as read
        from a csv file; None, "" and NaN are steps at which a value was not measured.
    baselines : mapping, optional
        Per name of a filling its `structure` and `l1` on the same held-out images: dashed lines.
    width : float, optional
        Of the figure, mm; 180 if not given, 90 for a single curve. Its text is of 7 points.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no `step`, or none of the curves.
    """
    columns = _columns(history)
    labels = {
        "loss": "training loss",
        "structure": "held-out structure r\n(higher is better)",
        "l1": "held-out L1 in the hole, 0..255\n(lower is better)",
    }
    shown = [name for name in labels if name in columns and np.isfinite(columns[name]).any()]
    if "step" not in columns or not shown:
        raise InputError(
            f"history: has {', '.join(columns) or 'nothing'}; "
            "give 'step' and some of 'loss', 'structure', 'l1'"
        )
    make = figure_class()
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator

    width = width or min(JOURNAL_WIDTH, JOURNAL_WIDTH / 2 * len(shown))
    figure = make(figsize=(width * MM, 2.4), dpi=200, layout="constrained")
    text: dict[str, Any] = {"fontsize": 7, "color": INK, "family": FONT}
    for index, name in enumerate(shown):
        shared = figure.axes[0] if index else None
        axes = figure.add_subplot(1, len(shown), index + 1, sharex=shared)
        known = np.isfinite(columns[name]) & np.isfinite(columns["step"])
        steps, values = columns["step"][known], columns[name][known]
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
        dashes = ((5, 2), (2, 1.5), (6, 1.5, 1, 1.5), (1, 1))
        for number, (label, scores) in enumerate((baselines or {}).items()):
            if np.isfinite(scores.get(name, np.nan)):
                colour = COLOURS[1 + number % (len(COLOURS) - 1)]
                style = (0, dashes[number % len(dashes)])
                axes.axhline(scores[name], color=colour, lw=1.3, ls=style, label=label)
        axes.set_title(labels[name], loc="left", **text)
        axes.set_xlabel("step", **text)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10), integer=True))
        axes.tick_params(labelsize=7, labelfontfamily=FONT, which="both")
        axes.grid(color="#dddddd", lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        if len(axes.get_lines()) > 1:
            axes.legend(prop={"family": FONT, "size": 7}, frameon=False)
    return figure


def _columns(
    history: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
) -> dict[str, np.ndarray]:
    """Give columns of floats, NaN where nothing was measured."""

    def number(value: Any) -> float:
        return float("nan") if value is None or value == "" else float(value)

    wanted = ("step", "loss", "structure", "l1")
    if isinstance(history, Mapping):
        present = {name: history[name] for name in wanted if name in history}
    else:
        present = {
            name: [row.get(name) for row in history]
            for name in wanted
            if any(name in row for row in history)
        }
    return {name: np.array([number(v) for v in column]) for name, column in present.items()}
