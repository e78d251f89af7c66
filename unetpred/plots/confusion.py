"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.style import FONT, INK, JOURNAL_WIDTH, MM, figure_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion(counts: np.ndarray, names: Sequence[str], width: float = JOURNAL_WIDTH / 2) -> Figure:
    """Draw a confusion matrix: of the pixels of each label, how many a mask gives to each class.

    Parameters
    ----------
    counts : numpy.ndarray, (K,K) or (K,K+1)
        Pixels by label (row) and mask (column).
    names : sequence of str
        Of the K classes, and of a last column where it has pixels.
    width : float
        Of the figure, mm.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are not as many names as rows.
    """
    counts = np.asarray(counts, float)
    names = list(names)
    if len(names) != len(counts):
        raise InputError(f"names: {len(names)} of them; {len(counts)} are needed")
    columns = names
    if counts.shape[1] > len(counts):
        if counts[:, -1].any():
            columns = [*names, "none"]
        else:
            counts = counts[:, :-1]
    totals = counts.sum(1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    make = figure_class()
    width = max(width, 7 * len(columns) + 30)
    figure = make(figsize=(width * MM, width * MM), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="viridis", vmin=0, vmax=100)
    text: dict[str, Any] = {"fontsize": 7, "family": FONT}
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5 or row == column:
            colour = INK if share > 60 else "white"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, **text)
    axes.set_xticks(range(len(columns)), columns, rotation=90, color=INK, **text)
    axes.set_yticks(range(len(names)), names, color=INK, **text)
    axes.set_xlabel("mask", color=INK, **text)
    axes.set_ylabel("label", color=INK, **text)
    axes.set_title("% of the pixels of each label", loc="left", color=INK, **text)
    return figure
