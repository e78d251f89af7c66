"""PyTorch only: images and multiply-adds per second on one GPU."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator

import keras
import numpy as np

from benchmarks.flops import convolutions
from benchmarks.scoring import WIDTHS, random_predictor, textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, seconds
from unetpred.backends.precision import full_float32
from unetpred.holes.masks import hole_box, hole_mask
from unetpred.images.colour import to_network

logger = logging.getLogger(__name__)

SIDE, HOLE, BATCH = 224, 52, 64


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure both widths in three precisions; nothing where there is no GPU."""
    if keras.backend.backend() != "torch":
        return
    import torch

    if not torch.cuda.is_available():
        logger.warning("no GPU: nothing is measured")
        return
    torch.backends.cudnn.benchmark = True  # all batches have one shape
    batch = 8 if options.quick else BATCH
    images = textures(batch, SIDE)
    mask = np.repeat(hole_mask((SIDE, SIDE))[None, ..., None], batch, 0)
    inputs = [torch.as_tensor(array, device="cuda") for array in (to_network(images), mask)]
    rows = []
    for name, width in WIDTHS.items():
        predictor = random_predictor(width, batch)
        graph = predictor.outputs(1).graph((SIDE, SIDE), (hole_box((SIDE, SIDE), HOLE),))
        work = 2 * sum(layer.multiply_adds for layer in convolutions(graph))

        def called(graph=graph):
            with torch.no_grad():
                graph(inputs, training=False)
            torch.cuda.synchronize()

        def bfloat16(called=called):
            with torch.autocast("cuda", torch.bfloat16):
                called()

        calls = {
            "score, float32": lambda p=predictor: p.score(images, mask[:1]),
            "network, float32": full_float32()(called),
            "network, TF32": called,
            "network, bfloat16": bfloat16,
        }
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        times = interleaved(calls, rounds=3 if options.quick else 9, warm=3)
        for call in calls:
            each = seconds(times, call) / batch
            rows.append((name, call, 1 / each, work / each / 1e12))
    yield Table(
        "Scoring on a GPU",
        ("width", "what", "images/s", "TFLOP/s"),
        rows,
        f"A hole of {HOLE} px in images of {SIDE} px, {batch} at a time: arrays in and scores out, "
        "and the network alone, its inputs on the GPU already.",
    )
