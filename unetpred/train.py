"""Training: one visible configuration, one loop, on any backend."""

from __future__ import annotations

import csv
import json
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import ops

from unetpred.colour import to_network
from unetpred.data import Photographs, central_crops, list_photographs, split
from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.folding import SCALE, build_training_network, fold
from unetpred.losses import hole_loss
from unetpred.masks import hole_mask
from unetpred.model import Config, build_hole_model
from unetpred.scores import structure
from unetpred.weights import save_weights

logger = logging.getLogger(__name__)

STATE = "state.h5"


@dataclass
class TrainConfig:
    """Everything that determines a run."""

    dataset_dir: str
    checkpoint_dir: str
    val_dir: str | None = None
    val_split: float = 0.05
    preset: str = "lite"
    image_size: int = 128
    window: int = 64  # the holes lie in the central square of this side, and only it is computed
    batch_size: int = 16
    epochs: int = 100
    steps_per_epoch: int | None = None
    lr: float = 2e-3
    warmup: int = 200  # steps
    decay: float = 1.0  # the last part of the run over which the rate falls to zero
    weight_decay: float = 1e-4
    ema: float = 0.999
    correlation: float = 0.5  # weight of 1 - r in the loss
    mixed_precision: bool = False
    checkpoint_interval: int = 500
    val_interval: int = 1000
    val_limit: int = 256
    init_from: str | None = None  # a state.h5 of another run: weights only, with a warm-up
    seed: int = 0
    workers: int = 1


PRESETS = {"lite": Config("paper", 0.25), "full": Config("paper", 1.0)}


class Stopped(Exception):
    """The run was asked to stop; its state is saved."""


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Warm-up, a plateau, and a cosine to zero over the last part of the run."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    start = total * (1 - config.decay)
    progress = np.clip((step - start) / max(1.0, total - start), 0, 1)
    return float(config.lr * warm * 0.5 * (1 + np.cos(np.pi * progress)))


class Run:
    """A training run: the network, its optimiser, and where it stands."""

    def __init__(self, config: TrainConfig):
        self.config = config
        self.folder = Path(config.checkpoint_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        files = list_photographs(config.dataset_dir)
        if config.val_dir:
            held_out = list_photographs(config.val_dir)
        else:
            files, held_out = split(files, config.val_split, config.seed)
        self.held_out = held_out[: config.val_limit]
        edge = (config.image_size - config.window) // 2
        self.window = (edge, edge, edge + config.window, edge + config.window)
        self.photographs = Photographs(
            files, config.image_size, config.batch_size, config.seed, self.window
        )
        self.steps_per_epoch = config.steps_per_epoch or max(1, len(files) // config.batch_size)
        self.total = config.epochs * self.steps_per_epoch

        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32")
        self.network = build_training_network(
            PRESETS[config.preset], config.image_size, config.image_size, self.window
        )
        keras.config.set_dtype_policy("float32")
        self.optimizer = keras.optimizers.AdamW(
            config.lr,
            weight_decay=config.weight_decay,
            global_clipnorm=1.0,
            use_ema=config.ema > 0,
            ema_momentum=config.ema,
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.network.compile(
            self.optimizer,
            loss=lambda true, predicted: hole_loss(true, predicted, config.correlation),
            jit_compile=keras.config.backend() == "jax",
        )
        self.optimizer.build(self.network.trainable_variables)
        self.step, self.best = 0, -np.inf
        if config.init_from:
            self._read(Path(config.init_from), weights_only=True)

    # -- stopping and going on ----------------------------------------------------------------

    def _variables(self) -> dict:
        named = {f"network/{i}": v for i, v in enumerate(self.network.variables)}
        return {**named, **{f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}}

    def save(self) -> None:
        """Write the state for resuming, then the network as it ships."""
        with atomic_path(self.folder / STATE) as temporary, h5py.File(temporary, "w") as file:
            for name, variable in self._variables().items():
                file[name] = ops.convert_to_numpy(variable.value)
            file.attrs["run"] = json.dumps(
                {"step": self.step, "best": self.best, "config": asdict(self.config)}
            )
        self.export("last.weights.h5")

    def resume(self) -> bool:
        """Go on from the last checkpoint; False if there is none."""
        path = self.folder / STATE
        if not path.exists():
            return False
        self._read(path)
        return True

    def _read(self, path: Path, weights_only: bool = False) -> None:
        with h5py.File(path, "r") as file:
            if not weights_only:
                state = json.loads(file.attrs["run"])
                self.step, self.best = state["step"], state["best"]
            for name, variable in self._variables().items():
                if weights_only and not name.startswith("network/"):
                    continue
                variable.assign(file[name][()])

    def averaged(self) -> keras.Model:
        """The network that ships: the average of the weights, folded."""
        trainable = self.network.trainable_variables
        kept = [ops.convert_to_numpy(v.value) for v in trainable]
        self.optimizer.finalize_variable_values(trainable)
        model = fold(self.network, PRESETS[self.config.preset])
        for variable, value in zip(trainable, kept, strict=True):
            variable.assign(value)
        return model

    def export(self, name: str) -> None:
        """Write the averaged, folded network into the checkpoint folder."""
        save_weights(
            self.averaged(), PRESETS[self.config.preset], self.folder / name, step=self.step
        )

    # -- the loop -----------------------------------------------------------------------------

    def train(self, report: Callable[[dict], None] | None = None) -> None:
        """Train to the end of the run.

        Raises
        ------
        Stopped
            On Ctrl-C or SIGTERM, with the state saved.
        InputError
            If the loss is no number.
        """
        stop: list[int] = []
        before = {
            s: signal.signal(s, lambda number, _: stop.append(number))
            for s in (signal.SIGINT, signal.SIGTERM)
        }
        batches = self.photographs.batches(self.step, self.total, self.config.workers)
        losses, waited, began = [], 0.0, time.perf_counter()
        try:
            while self.step < self.total:
                asked = time.perf_counter()
                batch = next(batches)
                waited += time.perf_counter() - asked
                loss = self._train_on(batch)
                if not np.isfinite(loss):
                    raise InputError(
                        f"loss is {loss} at step {self.step}, files {', '.join(batch.files)}; "
                        f"the last good state is kept in {self.folder / STATE}"
                    )
                losses.append(loss)
                self.step += 1
                done = self.step == self.total
                if self.step % self.config.checkpoint_interval == 0 or done or stop:
                    self.save()
                if self.step % self.config.val_interval == 0 or done:
                    spent = time.perf_counter() - began
                    row = {
                        "step": self.step,
                        "loss": float(np.mean(losses)),
                        "lr": self._rate(),
                        **self.evaluate(),
                        "images_per_second": len(losses) * self.config.batch_size / spent,
                        "waiting": waited / spent,
                    }
                    self._record(row)
                    if report:
                        report(row)
                    losses, waited, began = [], 0.0, time.perf_counter()
                if stop:
                    raise Stopped(f"stopped at step {self.step} of {self.total}")
        finally:
            batches.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _rate(self) -> float:
        return learning_rate(self.config, self.step, self.total)

    def _train_on(self, batch) -> float:
        top, left, bottom, right = self.window
        image = to_network(batch.images) / np.float32(SCALE)
        target = np.concatenate([image, 1 - batch.masks], axis=-1)  # (N,H,W,4)
        self.optimizer.learning_rate.assign(self._rate())
        loss = self.network.train_on_batch(
            [image, batch.masks], target[:, top:bottom, left:right]
        )
        return float(loss)

    def evaluate(self, side: int = 224) -> dict:
        """Mean structure r and L1 in the centred 52 px hole of the held-out photographs."""
        model = self.averaged()
        mask = hole_mask((side, side), 52)
        box = (86, 86, 138, 138)
        predict = build_hole_model(model, side, side, box)
        scores, errors = [], []
        for _, crop in central_crops(self.held_out, side):
            image = to_network(crop[None].astype("float32"))
            output = predict.predict_on_batch([image, mask[None, ..., None]])[0]
            filled = np.clip(output[..., ::-1] + np.array([123.68, 116.779, 103.939]), 0, 255)
            patch = crop[box[0] : box[2], box[1] : box[3]]
            scores.append(structure(filled, patch, np.zeros((52, 52))).value)
            errors.append(np.abs(filled - patch).mean())
        result = {"structure": float(np.nanmean(scores)), "l1": float(np.mean(errors))}
        if result["structure"] > self.best:
            self.best = result["structure"]
            self.export("best.weights.h5")
        return result

    def _record(self, row: dict) -> None:
        path = self.folder / "history.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
