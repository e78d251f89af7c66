"""Maps of predictability, a few places at a time, so that they are seen growing and can stop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unetpred.app.engine import Engine, Spot
from unetpred.app.opened import Picture
from unetpred.errors import InputError
from unetpred.scoring.map_grid import hole_pattern
from unetpred.scoring.maps import (
    PENDING,
    PlaceScorer,
    PredictabilityMap,
    blank_map,
    keep,
    plan,
)

MOST = 100_000  # places; maps of more are for the command line
CLOSEST = 4  # px between two places


@dataclass
class Mapped:
    """A map, complete or not.

    Attributes
    ----------
    result : PredictabilityMap
    picture : Picture
        What it is of.
    spot : Spot
        The hole that is at each place in turn; its centre means nothing.
    stride : int
        px between places.
    done, total : int
        Places that are scored, and that can be.
    stopped : bool
        Whether no more shall be.
    """

    result: PredictabilityMap
    picture: Picture
    spot: Spot
    stride: int
    done: int = 0
    total: int = 0
    stopped: bool = False


def places(picture: Picture, stride: int, size: int) -> int:
    """How many places a map would have."""
    before, after = size // 2, size - size // 2
    fits = ((side - after) // stride + 1 - -(-before // stride) for side in picture.size)
    return math.prod(max(0, count) for count in fits)


def mapping(engine: Engine, picture: Picture, spot: Spot, stride: int) -> Iterator[Mapped]:
    """Score the structure of holes all over a picture; give the map after every few places.

    The scores are those of `unetpred.predictability_map`. It stops where nobody asks for more, or
    by `stop`; other work with the networks goes on in between.

    Raises
    ------
    InputError
        If the hole is painted, or fits in at no place, or there are more than `MOST` places.
    """
    if spot.hole is None:
        raise InputError("a painted hole cannot be at every place; choose a square or a disc")
    size, shape = int(spot.hole.sizes[0]), spot.hole.shape
    if stride < CLOSEST:
        raise InputError(f"{stride} px between two places: at least {CLOSEST} px are right here")
    if (count := places(picture, stride, size)) > MOST:
        raise InputError(
            f"{picture.name}: {count} places are too many for the page; put them farther apart, or "
            "use `unetpred map`"
        )
    result = blank_map(picture.size, stride, size)
    hole = hole_pattern(size, shape, spot.context)
    total = int(np.sum(result.reason == PENDING))
    mapped = Mapped(result, picture, spot, stride, 0, total)
    yield mapped
    pixels = picture.source.load()
    with engine.lock:
        predictor = engine.predictor(spot.weights)
        planned = plan(result, pixels, hole, spot.context, predictor)
        scorer = PlaceScorer(pixels, hole, spot.context, predictor)
    for batch in planned:
        with engine.lock:
            if mapped.stopped:
                return
            keep(result, batch, scorer.compute(scorer.read(batch)))
            mapped.done += len(batch)
        yield mapped


def stop(engine: Engine, mapped: Mapped) -> None:
    """Let a map be as it is: wait for the places that are being scored, and score no more."""
    with engine.lock:
        mapped.stopped = True
