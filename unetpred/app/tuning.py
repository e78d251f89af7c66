"""Size tuning: how the scores of one place change with the size of its hole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from unetpred.app.engine import Engine, Spot
from unetpred.app.opened import Picture
from unetpred.errors import InputError

SMALLEST = 8  # px; a hole of few pixels has a correlation of chance
LARGEST = 160  # px; larger ones leave little of 224 px to fill in from
POINTS = 10

#: The columns of a row, and what a curve of them is called.
CURVES = {
    "structure": "U-Net-Pred",
    "structure_harmonic": "harmonic",
    "structure_telea": "Telea",
    "structure_mean_fill": "mean colour",
}


def sizes_at(picture: Picture, spot: Spot) -> list[int]:
    """Sizes of holes that fit in at the place of a spot, px, rising by about equal factors.

    The spot's own size is among them.

    Raises
    ------
    InputError
        If the hole is painted, or lies too near the border.
    """
    if spot.hole is None or spot.hole.center is None:
        raise InputError("a painted hole has no size to change; click on a place")
    (x, y), (height, width) = spot.hole.center, picture.size
    # of size s it covers x - s//2 .. x - s//2 + s - 1
    room = min(2 * min(x, y) + 1, 2 * min(width - x, height - y), LARGEST)
    if room < SMALLEST:
        raise InputError(
            f"({x}, {y}): no hole of {SMALLEST} px or more fits in so near the border; click on "
            "a place farther inside"
        )
    spaced = np.rint(np.geomspace(SMALLEST, room, POINTS)).astype(int)
    own = int(spot.hole.sizes[0])
    return sorted({*map(int, spaced), *([own] if own <= room else [])})


def tuning(engine: Engine, picture: Picture, spot: Spot) -> Iterator[list[dict]]:
    """Score holes of several sizes at one place; give the rows so far after each.

    Parameters
    ----------
    engine : Engine
    picture : Picture
    spot : Spot
        The place; each size is scored as `Engine.score` scores it.

    Yields
    ------
    list of dict
        Rows as of `Answer`, by rising size.
    """
    rows: list[dict] = []
    for size in sizes_at(picture, spot):
        assert spot.hole is not None
        hole = replace(spot.hole, size=size)
        answer = engine.score(picture, replace(spot, hole=hole), ("structure",))
        rows.append(answer.row)
        yield rows
