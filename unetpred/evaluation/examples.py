"""A picture of examples: the same holes as all methods fill them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred import plots
from unetpred.evaluation.fillers import Filler
from unetpred.evaluation.measures import NETWORK, Row
from unetpred.photographs.dataset import central_crops
from unetpred.plots.pictures import HOLE_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def examples(rows: Sequence[Row], files: Sequence[Path], filler: Filler, count: int) -> Figure:
    """Draw the fillings of one hole in evenly ranked examples; `rows` are those of the hole."""
    methods = list(dict.fromkeys(row.method for row in rows))
    scores = np.array([row.structure for row in rows if row.method == NETWORK])
    order = np.argsort(-scores, kind="stable")  # NaN last
    ranks = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    lines = []
    for index in order[ranks]:
        # Read again: keeping every crop in case it is shown would take memory without bound.
        for _, crop in central_crops([files[index]], len(filler.mask)):
            of_image = rows[index * len(methods) : (index + 1) * len(methods)]
            masked = crop.copy()
            masked[filler.patch] = HOLE_GREY
            line = [(crop, of_image[0].image), (masked, f"hole of {rows[0].hole} px")]
            for row, patch in zip(of_image, filler(crop[None]).values(), strict=True):
                filled = crop.astype("float32")
                filled[filler.patch] = patch[0]
                line.append((filled, _caption(row)))
            lines.append(line)
    return plots.gallery(lines, ["original", "masked", *methods])


def _caption(row: Row) -> str:
    r = "r undefined" if np.isnan(row.structure) else f"r {row.structure:.2f}"
    distance = "" if row.content is None else f"\ncontent {row.content:.3f}"
    return f"{r}  L1 {row.l1:.1f}{distance}"
