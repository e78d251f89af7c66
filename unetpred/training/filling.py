"""Filling holes in photographs: what `train.py` trains a network towards."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetpred.network.folding import build_training_network, fold
from unetpred.network.model import Config
from unetpred.photographs import loader
from unetpred.photographs.dataset import Photographs
from unetpred.training.config import PRESETS, TrainConfig, cache_bytes
from unetpred.training.first_weights import initialise
from unetpred.training.setup import (
    divide_photographs,
    fingerprint,
    loss_vgg,
    make_loss,
    prepare,
    rate_factors,
)
from unetpred.training.task import Quality
from unetpred.training.validation import BASELINES, HeldOut
from unetpred.weights.files import save_weights

logger = logging.getLogger(__name__)


FEW = 30  # held-out photographs below which measures are rough


class Filling:
    """Photographs with holes, the network that fills them in, and its scores.

    The attributes and methods are those of `unetpred.training.task.Task`.

    Parameters
    ----------
    config : TrainConfig

    Raises
    ------
    InputError
        If photographs or VGG-16 are not to be had.
    """

    columns: tuple[str, ...] = (
        "structure",
        "l1",
        "content",
        *(f"{measure}_{name}" for measure in ("structure", "l1", "content") for name in BASELINES),
    )
    picture = "original, masked, filled in"

    def __init__(self, config: TrainConfig):
        self.config = config
        vgg = loss_vgg(config)
        files, crops = divide_photographs(config)
        if len(crops) < FEW:
            logger.warning(
                "only %d photograph(s) are held out; what is measured on fewer than %d says little",
                len(crops),
                FEW,
            )
        self.held_out = HeldOut(crops, vgg if config.loss == "hole" else None)
        window = None if config.window == config.image_size else config.box
        self.photographs = Photographs(
            files,
            config.image_size,
            config.batch_size,
            config.seed,
            window,
            augmentation=config.augmentation,
            patterns=config.patterns,
            cache=cache_bytes(),
        )
        self.architecture = Config(*PRESETS[config.preset])
        self.size = len(files)
        self.rate_factors = rate_factors(config)
        self.loss = make_loss(config, vgg)
        self._told = False

    def build(self) -> keras.Model:
        side = self.config.image_size
        return build_training_network(self.architecture, side, side, self.config.box)

    def first_weights(self, network: keras.Model, batches: Iterable[Any]) -> None:
        config = self.config
        initialise(network, self.architecture, config.init, config.vgg_weights, batches)

    def begun(self, folder: Path) -> None:
        pass

    def ship(self, network: keras.Model) -> keras.Model:
        return fold(network, self.architecture)

    def write(self, model: keras.Model, path: Path, step: int) -> None:
        save_weights(model, self.architecture, path, step=step)

    def batch(self, step: int, final: bool) -> tuple:
        return self.photographs.batch(step, final=final)

    def batches(self, wanted: Iterable[tuple[int, bool]]) -> Generator[tuple[Any, ...], None, None]:
        return loader.batches(self.photographs, wanted, self.config.workers)

    def prepare(self, images: Any, masks: Any) -> tuple[list[Any], Any]:
        return prepare(images, masks, self.config.box)

    def measure(self, model: keras.Model, stop: Callable[[], bool]) -> Quality | None:
        measured = self.held_out.measure(model, stop)
        if measured is None:
            return None
        if np.isnan(measured.structure) and not self._told:
            self._told = True
            logger.warning(
                "the structure of all %d held-out crops is undefined (each hole is of one colour): "
                "it is NaN, and best.weights.h5 is the last network measured",
                len(self.held_out.crops),
            )
        row = {"structure": measured.structure, "l1": measured.l1}
        if not np.isnan(measured.content):
            row["content"] = measured.content
        return Quality(
            measured.structure,
            row,
            measured.picture,
            measured.seconds,
            f"held-out structure {measured.structure:.4f}, l1 {measured.l1:.2f}",
            bool(np.isfinite(measured.l1)),
        )

    def baselines(self) -> dict[str, float]:
        minutes = self.config.max_minutes
        found = self.held_out.baselines(60.0 if minutes is None else min(60.0, minutes))
        for name, measures in found.items():
            numbers = ", ".join(f"{measure} {value:.4g}" for measure, value in measures.items())
            logger.info("the %s filling of the same holes: %s", name, numbers)
        return {
            f"{measure}_{name}": value
            for name, measures in found.items()
            for measure, value in measures.items()
        }

    def fingerprint(self) -> dict[str, Any]:
        return fingerprint(self.photographs.files, self.config.dataset_dir)

    def notes(self) -> dict[str, Any]:
        return {
            "photographs": len(self.photographs.files),
            "held_out": len(self.held_out.crops),
        }
