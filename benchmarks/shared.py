"""What a place of a map costs with the whole image as context: sharing features, and one by one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.scoring import textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred.holes.contexts import FULL
from unetpred.scoring.crops import fields
from unetpred.scoring.maps import Places, PlaceScorer, blank_map, hole_pattern, plan
from unetpred.scoring.predictor import Predictor

SIDES = HEIGHT, WIDTH = 288, 384
STRIDE = 16


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure with `lite` and `full`."""
    names = ("lite",) if options.quick else ("lite", "full")
    rows = [_measured(name, 1 if options.quick else 3 if name == "lite" else 2) for name in names]
    yield Table(
        "Map with the whole image as context",
        ("weights", "image", "stride", "one by one / shared", "shared, ms per place", "one by one"),
        rows,
        "Shared: two batches of places, with the features of the image computed for them. One by "
        "one: places of one graph, compiled before, which see their receptive fields alone.",
    )


def _measured(name: str, rounds: int) -> tuple:
    predictor, pattern = Predictor(name), hole_pattern(52, "square", FULL)
    image = textures(1, max(SIDES))[0][:HEIGHT, :WIDTH]
    shared = plan(blank_map(SIDES, STRIDE), image, pattern, FULL, predictor)
    places = [place for batch in shared for place in batch.places]
    parts = fields(image, pattern, places, predictor.outputs().network)
    part = max(parts, key=lambda one: len(one.places))
    some = part.places[: 3 * predictor.batch_size]
    size = predictor.batch_size
    alone = [Places(part, [], some[i : i + size]) for i in range(0, len(some), size)]

    keeps = PlaceScorer(image, pattern, FULL, predictor)

    def together() -> None:
        scorer = PlaceScorer(image.copy(), pattern, FULL, predictor)  # whose features are not known
        for batch in shared[:2]:
            scorer.compute(scorer.read(batch))

    def one_by_one() -> None:
        for batch in alone:
            keeps.compute(keeps.read(batch))

    times = interleaved({"shared": together, "alone": one_by_one}, rounds, warm=1)
    counts = {"shared": sum(map(len, shared[:2])), "alone": len(some)}
    gain = ratio(times, "alone", "shared") * counts["shared"] / counts["alone"]
    costs = [round(1e3 * seconds(times, way) / counts[way], 1) for way in ("shared", "alone")]
    return name, f"{WIDTH}x{HEIGHT}", STRIDE, gain, *costs
