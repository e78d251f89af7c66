"""A training step against a naive one, and the time it waits for photographs."""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from benchmarks.naive import naive_network
from benchmarks.scoring import textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred.images.colour import to_network
from unetpred.network.folding import SCALE, build_training_network
from unetpred.network.model import Config
from unetpred.network.partial_convolution import dtype_policy
from unetpred.photographs.dataset import Photographs
from unetpred.photographs.loader import batches
from unetpred.training.config import PRESETS, TrainConfig
from unetpred.training.optimisation.optimizer import make_optimizer
from unetpred.training.run import Run
from unetpred.training.setup import make_loss


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure steps, then a short run."""
    with tempfile.TemporaryDirectory() as folder:
        photographs = options.dataset_dir or _photographs(Path(folder) / "photographs")
        sizes = {"lite": 2} if options.quick else {"lite": 16, "full": 4}
        rows = [
            row
            for preset, batch in sizes.items()
            for row in _steps(TrainConfig(photographs, preset=preset, batch_size=batch), options)
        ]
        columns = ("width", "batch", "precision", "naive / ours", "images/s", "naive, images/s")
        yield Table(
            "Training step",
            columns,
            rows,
            "Crops of 128 px, one step of optimiser and loss. *naive*: masks on all channels as "
            "the original carries them, the whole output, float32; the same optimiser and loss. "
            "Ours has batch normalisation in addition, which the naive one has not.",
        )
        steps = 2 if options.quick else 20
        config = TrainConfig(
            photographs,
            str(Path(folder) / "run"),
            epochs=1,
            steps_per_epoch=2 * steps,
            log_interval=steps,
            val_interval=2 * steps,
            val_limit=1,
            batch_size=sizes["lite"],
            mixed_precision=options.mixed_precision,
        )
        yield _waiting(config)
        yield _loading(photographs, options.quick)


def _photographs(folder: Path) -> str:
    """Write pictures as large as photographs of the web are."""
    folder.mkdir()
    for i, picture in enumerate(textures(40, 640).astype("uint8")):
        Image.fromarray(picture[:480]).save(folder / f"{i:02d}.jpg", quality=90)
    return str(folder)


def _compiled(network: keras.Model, config: TrainConfig) -> keras.Model:
    optimizer = make_optimizer(config.lr, config.weight_decay, config.ema, config.optimizer)
    jit_compile = keras.config.backend() == "jax"
    network.compile(optimizer, loss=make_loss(config), jit_compile=jit_compile)
    return network


def _steps(config: TrainConfig, options: argparse.Namespace) -> Iterator[tuple]:
    """Give a row for each precision."""
    side, (top, left, bottom, right) = config.image_size, config.box
    files = sorted(Path(config.dataset_dir).rglob("*.jpg"))
    batch = Photographs(files, side, config.batch_size, config.seed, config.box).batch(0)
    image = to_network(batch.images) / np.float32(SCALE)  # (N,H,W,3)
    mask = batch.masks.astype("float32")
    masks = np.repeat(mask, 3, axis=-1)
    target = np.concatenate([image, 1 - mask], axis=-1)  # (N,H,W,4)
    window = target[:, top:bottom, left:right]
    architecture = Config(*PRESETS[config.preset])
    precisions = {"float32": "float32"}
    if options.mixed_precision:
        precisions["bfloat16"] = "mixed_bfloat16"
    naive = _compiled(naive_network(architecture), config)
    calls = {"naive": lambda: naive.train_on_batch([image, masks], target)}
    for name, policy in precisions.items():
        with dtype_policy(policy):
            network = build_training_network(architecture, side, side, config.box)
        step = _compiled(network, config).train_on_batch
        calls[name] = lambda step=step: step([image, mask], window)
    times = interleaved(calls, rounds=2 if options.quick else 5, warm=1)
    for name in precisions:
        yield (
            config.preset,
            config.batch_size,
            name,
            ratio(times, "naive", name),
            config.batch_size / seconds(times, name),
            config.batch_size / seconds(times, "naive"),
        )


def _waiting(config: TrainConfig) -> Table:
    """The second half of a run, after everything is compiled."""
    training = Run(config)
    training.begin()
    training.train()
    with open(Path(config.checkpoint_dir) / "history.csv", newline="") as file:
        *_, last = csv.DictReader(file)
    row = (config.preset, float(last["images_per_second"]), f"{100 * float(last['waiting']):.2f} %")
    return Table(
        "Waiting for photographs",
        ("width", "images/s", "share of the time spent waiting for data"),
        [row],
        f"A run of `train.py` on {len(training.photographs.files)} photographs, "
        f"{config.workers} processes that read.",
    )


def _loading(folder: str, quick: bool) -> Table:
    """Crops a second from one thread and from processes, once all photographs are decoded."""
    files = sorted(Path(folder).rglob("*.jpg"))
    settings = {"window": (16, 16, 112, 112), "augmentation": "vivid", "patterns": 0.15}
    photographs = Photographs(files, 128, 64, **settings)
    count = 4 if quick else 40
    rows = []
    for workers in (1, 2):
        made = batches(photographs, ((step, False) for step in range(2 * count)), workers)
        for _ in range(count):  # while which the processes start and decode
            next(made)
        started = time.perf_counter()
        for _ in range(count):
            next(made)
        rate = count * photographs.batch_size / (time.perf_counter() - started)
        made.close()
        rows.append((workers, rate, rate / workers))
    return Table(
        "Loader",
        ("workers", "crops/s", "crops/s of each"),
        rows,
        "Crops of 128 px, `vivid` colours, 15 % drawn, batches of 64, nothing computed with them. "
        "One worker is a thread, two are processes that share the decoded photographs.",
    )
