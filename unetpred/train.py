"""Training: one visible configuration, one loop, on any backend."""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from unetpred import checkpoint
from unetpred.ahead import ahead
from unetpred.checkpoint import STATE, Diverged
from unetpred.colour import to_network
from unetpred.data import Photographs
from unetpred.errors import InputError
from unetpred.files import make_folder
from unetpred.folding import SCALE, build_training_network
from unetpred.held_out import HeldOut
from unetpred.initial import initialise
from unetpred.layers import dtype_policy
from unetpred.model import Config
from unetpred.optimizer import make_optimizer
from unetpred.run_log import RunLog
from unetpred.run_setup import (
    changes,
    divide_photographs,
    fingerprint,
    make_loss,
    write_config,
)
from unetpred.shipping import Shipping
from unetpred.stopping import Stopped, stop_signals
from unetpred.train_config import PRESETS, TrainConfig, cache_bytes, learning_rate
from unetpred.weights import save_weights

__all__ = ["Diverged", "Run", "Stopped", "TrainConfig", "learning_rate"]

logger = logging.getLogger(__name__)

LAST, BEST = "last.weights.h5", "best.weights.h5"


class Run:
    """A training run: the network, its optimiser, and where it stands.

    Call `begin` or `resume`, then `train`.

    Parameters
    ----------
    config : TrainConfig

    Raises
    ------
    InputError
        If photographs, VGG-16 or the folder of the run are not to be had.
    """

    def __init__(self, config: TrainConfig):
        self.config = config
        self.folder = make_folder(config.checkpoint_dir)
        loss = make_loss(config)
        files, crops = divide_photographs(config)
        self.held_out = HeldOut(crops)
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
        self.steps_per_epoch = config.steps_per_epoch or max(1, len(files) // config.batch_size)
        self.total = config.epochs * self.steps_per_epoch

        if keras.backend.backend() == "tensorflow":
            from unetpred.tensorflow_only import make_deterministic

            make_deterministic()
        # Keras takes the seeds of first weights from here; its set_random_seed imports TensorFlow
        random.seed(config.seed)
        self.architecture = Config(*PRESETS[config.preset])
        with dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32"):
            self.network = build_training_network(
                self.architecture, config.image_size, config.image_size, config.box
            )
        self.optimizer = make_optimizer(
            config.lr, config.weight_decay, config.ema, config.optimizer
        )
        self.optimizer.build(self.network.trainable_variables)
        self._train_on = self._make_step(loss)
        self.step, self.best = 0, -np.inf
        self._saved: tuple[int, Path] | None = None  # step of the last good state, and its file
        self._shipping = Shipping(self.network, self.optimizer, self.architecture, self._measuring)

    def _make_step(self, loss: Callable) -> Callable[[list[np.ndarray], np.ndarray], float]:
        backend, compiled = keras.backend.backend(), self.config.jit_compile
        if backend == "torch" and compiled:
            from unetpred.torch_step import CompiledStep

            return CompiledStep(self.network, loss, self.optimizer)
        if compiled is None:
            compiled = backend == "jax"
        self.network.compile(self.optimizer, loss=loss, jit_compile=compiled)

        def step(inputs: list[np.ndarray], target: np.ndarray) -> float:
            self.network.reset_metrics()  # older Keras 3 gives the mean of all steps so far
            return float(self.network.train_on_batch(inputs, target))

        return step

    # -- starting, stopping and going on ------------------------------------------------------

    def begin(self) -> None:
        """Start from step 0; the files of an earlier run in the folder are moved aside."""
        checkpoint.remove_leftovers(self.folder)
        batches = ((image, mask) for (image, mask), *_ in map(self._make, range(4)))
        initialise(
            self.network,
            self.architecture,
            self.config.init,
            self.config.vgg_weights,
            batches,
        )
        self._compare_photographs()
        self._set_aside()

    def _set_aside(self) -> None:
        if (self.folder / STATE).exists():
            aside = checkpoint.set_aside(self.folder)
            logger.warning("%s: held an earlier run, which is now in %s", self.folder, aside)

    def _compare_photographs(self) -> None:
        try:
            before = checkpoint.read_run(self.config.init).get("photographs")
        except InputError:  # begun with no state of a run
            return
        if before not in (None, self._fingerprint()):
            logger.warning(
                "%s: was trained on other photographs (another --seed divides them otherwise); "
                "some that are held out here may be among them, which flatters what is measured",
                self.config.init,
            )

    def resume(self, path: str | Path | None = None) -> bool:
        """Go on from a checkpoint.

        Parameters
        ----------
        path : path-like, optional
            A state, or the folder of one. The folder of the run if not given; if it is another,
            the files of an earlier run in that of this one are moved aside.

        Returns
        -------
        bool
            Whether there was a complete one.

        Raises
        ------
        InputError
            If it is of another network, or `path` does not exist or is a file but no state.
        """
        checkpoint.remove_leftovers(self.folder)
        path = Path(path or self.folder)
        if path.is_dir():
            path /= STATE
            try:
                run = checkpoint.read_run(path)
            except InputError as error:
                logger.warning("%s; there is nothing to go on from", error)
                return False
        else:
            run = checkpoint.read_run(path)
        differences = changes(self.config, self._fingerprint(), run)
        if differences:
            logger.warning("going on with %s: not what an unbroken run would give", differences)
        checkpoint.load_state(path, checkpoint.named_variables(self.network, self.optimizer))
        if path.resolve().parent != self.folder.resolve():
            self._set_aside()
        self.step = run["step"]
        if (self.folder / BEST).exists():  # else the next one is the best of this folder
            self.best = run["best"]
        self._saved = self.step, path
        logger.info("going on from step %d of %d (%s)", self.step, self.total, path)
        return True

    def save(self) -> None:
        """Write the state for resuming, then the network as it ships.

        Raises
        ------
        Diverged
            If a weight is no number; the files are left as they were.
        """
        run = {
            "step": self.step,
            "best": self.best,
            "config": asdict(self.config),
            "photographs": self._fingerprint(),
        }
        variables = checkpoint.named_variables(self.network, self.optimizer)
        checkpoint.write_state(self.folder / STATE, variables, run)
        self._saved = self.step, self.folder / STATE
        self.export(LAST)

    def export(self, name: str) -> None:
        """Write the network as it ships into the folder."""
        save_weights(self.shipped(), self.architecture, self.folder / name, step=self.step)

    def shipped(self) -> keras.Model:
        """Give the network that ships: the average of the weights, folded."""
        return self._shipping.at(self.step)

    def _measuring(self) -> Iterator[list[np.ndarray]]:
        """Give the batches on which the statistics of what ships are measured."""
        return (self._make(step)[0] for step in range(16))

    def _fingerprint(self) -> dict:
        return fingerprint(self.photographs.files, self.config.dataset_dir)

    # -- the loop -----------------------------------------------------------------------------

    def train(self, progress: bool = False) -> None:
        """Train to the end of the run.

        Parameters
        ----------
        progress : bool
            Whether a bar on stderr shows loss, images per second and time left.

        Raises
        ------
        Stopped
            On Ctrl-C or SIGTERM, with the state saved.
        Diverged
            If loss or weights are no numbers any more; the last good checkpoint is kept.
        InputError
            If no photograph can be read.
        """
        if self.step >= self.total:
            logger.info("the run is finished: step %d of %d", self.step, self.total)
            self.export(LAST)  # it may have ended between the two files of a checkpoint
            return
        write_config(
            self.folder / "config.json",
            self.config,
            steps=self.total,
            photographs=len(self.photographs.files),
            held_out=len(self.held_out.crops),
        )
        config, losses, waited, spent = self.config, [], 0.0, 0.0
        batches = ahead(self._make, range(self.step, self.total), config.workers, each=2)
        log = RunLog(self.folder, self.step)
        with stop_signals() as stop, closing(log), closing(batches), self._bar(progress) as bar:
            while self.step < self.total:
                asked = time.perf_counter()
                inputs, target, files = next(batches)
                started = time.perf_counter()
                rate = learning_rate(config, self.step, self.total)
                self.optimizer.learning_rate.assign(rate)
                loss = self._train_on(inputs, target)
                ended = time.perf_counter()
                if not np.isfinite(loss):
                    raise Diverged(self._last_good(f"the loss is {loss}", files))
                losses.append(loss)
                waited, spent = waited + started - asked, spent + ended - asked
                self.step += 1
                bar.update(config.batch_size)
                bar.set_postfix(loss=f"{np.mean(losses[-50:]):.4f}", refresh=False)

                done = self.step == self.total
                measures = done or self.step % config.val_interval == 0
                row: dict[str, float] = {}
                try:
                    if measures and (done or not stop):
                        row = self._measure(log, lambda done=done: bool(stop) and not done)
                    if row or done or stop or self.step % config.log_interval == 0:
                        row = {
                            "step": self.step,
                            "loss": float(np.mean(losses)),
                            "lr": rate,
                            **row,
                            "images_per_second": len(losses) * config.batch_size / spent,
                            "waiting": waited / spent,
                        }
                        log.record(row)
                        losses, waited, spent = [], 0.0, 0.0
                    if done or stop or self.step % config.checkpoint_interval == 0:
                        self.save()
                except Diverged as error:
                    raise Diverged(self._last_good(str(error), files)) from None
                if stop and not done:
                    raise Stopped(f"stopped at step {self.step} of {self.total}", stop[0])

    def _make(self, step: int) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
        """Give inputs, target (N,h,w,4) of the window, and file names of a step."""
        top, left, bottom, right = self.config.box
        batch = self.photographs.batch(step)
        image = to_network(batch.images) / np.float32(SCALE)
        target = np.concatenate([image, 1 - batch.masks], axis=-1)  # (N,H,W,4)
        return [image, batch.masks], target[:, top:bottom, left:right], batch.files

    def _measure(self, log: RunLog, stop: Callable[[], bool]) -> dict[str, float]:
        """Measure on held-out photographs, and keep the network if it is the best so far."""
        measured = self.held_out.measure(self.shipped(), stop)
        if measured is None:
            return {}
        if not np.isfinite(measured.l1):
            raise Diverged("the network's output is no number")
        logger.info(
            "step %d: held-out structure %.4f, l1 %.2f",
            self.step,
            measured.structure,
            measured.l1,
        )
        log.picture(measured.picture, self.step)
        quality = measured.structure if np.isfinite(measured.structure) else -1.0
        if quality > self.best:
            self.best = quality
            self.export(BEST)
        return {"structure": measured.structure, "l1": measured.l1}

    def _last_good(self, problem: str, files: list[str]) -> str:
        kept = "there was no checkpoint yet"
        if self._saved is not None:
            step, path = self._saved
            kept = f"the last good checkpoint, of step {step}, is kept in {path.parent}"
        return f"{problem} at step {self.step}, files {', '.join(files)}; {kept}"

    def _bar(self, progress: bool):
        from tqdm import tqdm

        return tqdm(
            total=self.total * self.config.batch_size,
            initial=self.step * self.config.batch_size,
            unit="image",
            unit_scale=True,
            dynamic_ncols=True,
            file=sys.stderr,
            disable=not progress,
        )
