"""What content costs beside structure, and what it saves to compute an original's features once."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from benchmarks.scoring import WIDTHS, random_predictor, textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred.holes.masks import hole_box, hole_mask
from unetpred.scoring.content import contents

SIDE = 224


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure both widths, and content by itself."""
    batches = {"lite": 4, "full": 1} if options.quick else {"lite": 8, "full": 4}
    mask, rows = hole_mask((SIDE, SIDE))[None, ..., None], []
    for name, batch in batches.items():
        predictor, images = random_predictor(WIDTHS[name], batch), textures(batch, SIDE)
        calls = {
            "structure": lambda p=predictor, i=images: p.score(i, mask),
            "both": lambda p=predictor, i=images: p.score(i, mask, ("structure", "content")),
        }
        times = interleaved(calls, rounds=3 if options.quick else 9)
        each = (1e3 * seconds(times, call) / batch for call in calls)
        rows.append((name, batch, ratio(times, "both", "structure"), *each))
    yield Table(
        "Content",
        ("width", "batch", "with content / structure alone", "structure, ms per image",
         "with content, ms per image"),
        rows,
        f"Scores of the centred 52 px hole of {SIDE} px images, from pixels to scores. All patches "
        "of a batch go through VGG-16 at once.",
    )  # fmt: skip
    yield _further(predictor, 3 if options.quick else 9)


def _further(predictor, rounds: int) -> Table:
    """Several fillings of the same patches, together and one by one."""
    vgg, batch = predictor.vgg(), 8
    top, left, bottom, right = hole_box((SIDE, SIDE))
    original = textures(batch, SIDE)[:, top:bottom, left:right]
    rng = np.random.default_rng(1)
    fillings = [original + rng.normal(0, 30, original.shape).astype("float32") for _ in range(5)]
    rows = []
    for count in (1, 3, 5):
        given = fillings[:count]
        calls = {
            "together": lambda f=given: contents(f, original, vgg),
            "apart": lambda f=given: [contents([one], original, vgg) for one in f],
        }
        times = interleaved(calls, rounds)
        each = 1e3 * seconds(times, "together") / batch
        rows.append((count, ratio(times, "apart", "together"), each))
    return Table(
        "Content of several fillings",
        ("fillings", "one by one / together", "together, ms per patch"),
        rows,
        "Patches of 52 px, 8 at a time. Together, as in `--sites` and `unetpred evaluate`, the "
        "features of the original are computed once for all of its fillings.",
    )
