"""Scoring against the naive network, and against plain convolutions of the same shapes."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from benchmarks.flops import convolutions, plain_network
from benchmarks.naive import naive_copy
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred.holes.masks import hole_box, hole_mask
from unetpred.images.colour import from_network, to_network
from unetpred.network.forward import forward
from unetpred.network.model import Config, build_hole_model, build_unetpred
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import structure
from unetpred.training.config import PRESETS
from unetpred.weights.files import save_weights

WIDTHS = {name: width for name, (_, width) in PRESETS.items()}


def random_predictor(width: float, batch_size: int) -> Predictor:
    """A `Predictor` with random weights: how long scoring takes does not depend on them."""
    random.seed(0)  # where Keras takes its seeds from
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.weights.h5"
        save_weights(build_unetpred(width=width), Config(width=width), file)
        return Predictor(file, batch_size=batch_size)


def textures(count: int, side: int) -> np.ndarray:
    """Pictures (count,side,side,3) float32, RGB 0..255."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (count, -(-side // 8), -(-side // 8), 3))
    fine = coarse.repeat(8, 1).repeat(8, 2)[:, :side, :side] + rng.normal(0, 9, (side, side, 3))
    return np.clip(fine, 0, 255).astype("float32")


def score_naively(network: keras.Model, images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Structure (N,) of images by the whole output of a naive network."""
    masks = np.broadcast_to(mask, images.shape).astype("float32")
    raw = network.predict_on_batch([to_network(images), masks])
    filled = np.where(masks == 0, np.clip(from_network(raw), 0, 255), images)
    return np.array([structure(f, i, mask).value for f, i in zip(filled, images, strict=True)])


def check_equal(hole: keras.Model, naive: keras.Model, images: np.ndarray, mask: np.ndarray):
    """Refuse to compare with a network that computes something else."""
    top, left, bottom, right = hole_box(mask.shape[:2])
    one, masks = to_network(images[:1]), mask[None]
    ours = forward(hole, [one, masks])[0]
    whole = naive.predict_on_batch([one, np.broadcast_to(masks, one.shape)])
    difference = np.abs(ours - whole[:, top:bottom, left:right]).max()
    if not difference <= 1e-4 * ours.std():
        raise AssertionError(f"the naive network differs by {difference}, std {ours.std()}")


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure both widths."""
    side, rows = 224, []
    mask = hole_mask((side, side))[..., None]
    batches = {"lite": 4, "full": 1} if options.quick else {"lite": 8, "full": 4}
    for name, batch in batches.items():
        predictor = random_predictor(WIDTHS[name], batch)
        network = predictor.network(1)
        hole = build_hole_model(network, side, side, hole_box((side, side)))
        naive = naive_copy(network)
        naive.jit_compile = network.jit_compile  # whatever ours does with it
        images = textures(batch, side)
        check_equal(hole, naive, images, mask)
        shapes = convolutions(hole)
        # OpenVINO computes convolutions of what never changes in advance: there is no limit there
        ways = () if keras.config.backend() == "openvino" else (False, True)
        limits = {f"plain {jit}": plain_network(shapes, batch, jit) for jit in ways}
        times = interleaved(
            {
                "ours": lambda p=predictor, i=images: p.score(i, mask[None]),
                "naive": lambda n=naive, i=images: score_naively(n, i, mask),
                **{
                    key: lambda p=plain: p.predict_on_batch(np.zeros((1, 1), "float32"))
                    for key, plain in limits.items()
                },
            },
            rounds=3 if options.quick else 9,
        )
        limit = min(limits, key=lambda key: seconds(times, key), default=None)
        operations = 2 * batch * sum(shape.multiply_adds for shape in shapes)
        rows.append(
            (
                name,
                batch,
                ratio(times, "naive", "ours"),
                100 * ratio(times, limit, "ours") if limit else np.nan,
                1e3 * seconds(times, "ours") / batch,
                operations / batch / 1e9,
                operations / seconds(times, "ours") / 1e9,
                operations / seconds(times, limit) / 1e9 if limit else np.nan,
            )
        )
    yield Table(
        "Scoring",
        (
            "width",
            "batch",
            "naive / ours",
            "% of the limit",
            "ours, ms per image",
            "GFLOP per image",
            "ours, GFLOP/s",
            "limit, GFLOP/s",
        ),
        rows,
        f"Structure of the centred 52 px hole of {side} px images, from pixels to score. *naive*: "
        "masks on all channels and the whole output, as the original, for which it stands (see "
        "docs/scale.md); the same weights, and the same output in the hole. *limit*: plain "
        "convolutions of exactly the shapes that ours computes, without bias, activation, mask or "
        "score, the faster of two ways to compile them. GFLOP count the multiply-adds of "
        "those convolutions, twice.",
    )
