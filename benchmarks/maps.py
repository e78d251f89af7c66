"""What a place of a map costs, against scoring as many crops."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from benchmarks.scoring import textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred import predictability_map
from unetpred.holes.contexts import DEFAULT_CONTEXT as CROP
from unetpred.holes.masks import hole_mask
from unetpred.scoring.predictor import Predictor


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure with `lite`."""
    side, stride = (384, 48) if options.quick else (512, 16)
    picture, predictor = textures(1, side)[0], Predictor("lite")
    structure = predictability_map(picture, stride, predictor=predictor).structure
    places = int(np.isfinite(structure).sum())
    corners = np.random.default_rng(0).integers(0, side - CROP + 1, (places, 2))
    crops = np.stack([picture[y : y + CROP, x : x + CROP] for y, x in corners])
    mask = hole_mask((CROP, CROP))[None, ..., None]
    times = interleaved(
        {
            "map": lambda: predictability_map(picture, stride, predictor=predictor),
            "crops": lambda: predictor.score(crops, mask),
        },
        rounds=3,
        warm=1,
    )
    yield Table(
        "Map",
        ("image", "stride", "places", "map / crops", "ms per place", "ms per crop"),
        [
            (
                f"{side}x{side}",
                stride,
                places,
                ratio(times, "map", "crops"),
                1e3 * seconds(times, "map") / places,
                1e3 * seconds(times, "crops") / places,
            )
        ],
        f"`lite`: a map with contexts of {CROP} px against scoring as many crops of that size, "
        "which were cut before. Contexts that reach beyond the border of the image are among the "
        "places. Both use the same network, compiled before.",
    )
