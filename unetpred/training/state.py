"""Where a training run stands: network and optimiser, begun, resumed, saved, and shipped."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetpred.errors import InputError
from unetpred.io.files import make_folder
from unetpred.network.partial_convolution import dtype_policy
from unetpred.training.clock import Clock
from unetpred.training.filling import Filling
from unetpred.training.optimisation.devices import devices_scope
from unetpred.training.optimisation.optimizer import make_optimizer
from unetpred.training.records import checkpoints as checkpoint
from unetpred.training.records.checkpoints import STATE
from unetpred.training.records.exported import Shipping
from unetpred.training.setup import changes
from unetpred.training.task import Task

logger = logging.getLogger(__name__)

MEASURED = 16  # batches on which the statistics of what ships are measured
LAST, BEST = "last.weights.h5", "best.weights.h5"


class TrainingState:
    """A network in training, its optimiser, and where they stand: what a checkpoint holds.

    `unetpred.training.run.Run`, which trains it, has the same parameters.
    """

    def __init__(
        self,
        config: Any,
        started: float | None = None,
        task: Callable[[Any], Task] = Filling,
    ):
        self.config = config
        self.folder = make_folder(config.checkpoint_dir)
        self.task = task(config)
        self.steps_per_epoch = config.steps_per_epoch or max(1, self.task.size // config.batch_size)
        self.total = config.epochs * self.steps_per_epoch  # unknown to a run of given minutes
        self._clock = Clock(config.max_minutes, started)

        if keras.backend.backend() == "tensorflow":
            from unetpred.backends.tensorflow import make_deterministic

            make_deterministic()
        # Keras takes the seeds of first weights from here; its set_random_seed imports TensorFlow
        random.seed(config.seed)
        self._on_devices = devices_scope(getattr(config, "devices", None), config.batch_size)
        with self._on_devices():
            self._build()
            self._train_on = self._make_step(self.task.loss)
        self.step, self.best = 0, -np.inf
        self._making = 0.0  # seconds that making the batches of `_measuring` took last
        self._saved: tuple[int, Path] | None = None  # step of the last good state, and its file
        self._shipping = Shipping(self.network, self.optimizer, self.task.ship, self._measuring)

    def _build(self) -> None:
        config = self.config
        with dtype_policy("mixed_bfloat16" if config.mixed_precision else "float32"):
            self.network = self.task.build()
        self.optimizer = make_optimizer(
            config.lr,
            config.weight_decay,
            config.ema,
            config.optimizer,
            factors=self.task.rate_factors,
        )
        self.optimizer.build(self.network.trainable_variables)

    def __getattr__(self, name: str) -> Any:
        # photographs, held_out and architecture are those of the task
        if name in ("photographs", "held_out", "architecture"):
            return getattr(self.task, name)
        raise AttributeError(f"a run has no {name}")

    def _make_step(self, loss: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        backend, compiled = keras.backend.backend(), self.config.jit_compile
        if backend == "torch":
            from unetpred.training.optimisation.torch_step import TorchStep, on_gpu

            if compiled or on_gpu():
                return TorchStep(
                    self.network, loss, self.optimizer, self.task.prepare, bool(compiled)
                )
        if compiled is None:
            compiled = backend == "jax"
        self.network.compile(self.optimizer, loss=loss, jit_compile=compiled)

        def step(*arrays: np.ndarray) -> float:
            self.network.reset_metrics()  # older Keras 3 gives the mean of all steps so far
            prepared = self.task.prepare(*arrays)
            with self._on_devices():
                return float(self.network.train_on_batch(*prepared))

        return step

    # -- starting, stopping and going on ------------------------------------------------------

    def begin(self) -> None:
        """Start from step 0; the files of an earlier run in the folder are moved aside."""
        checkpoint.remove_leftovers(self.folder)
        inputs = map(self._inputs, range(4))
        batches = (keras.tree.map_structure(keras.ops.convert_to_numpy, x) for x in inputs)
        self.task.first_weights(self.network, batches)
        self._compare_photographs()
        self._set_aside()
        self.task.begun(self.folder)

    def _set_aside(self) -> None:
        if (self.folder / STATE).exists():
            aside = checkpoint.set_aside(self.folder)
            logger.warning("%s: held an earlier run, which is now in %s", self.folder, aside)

    def _compare_photographs(self) -> None:
        try:
            before = checkpoint.read_run(self.config.init).get("photographs")
        except InputError:  # begun with no state of a run
            return
        if before not in (None, self.task.fingerprint()):
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
            If it is of another network or damaged, or `path` does not exist or is no state.
        """
        checkpoint.remove_leftovers(self.folder)
        found = checkpoint.last_state(path or self.folder)
        if found is None:
            where = path or self.folder
            logger.warning("%s: has no %s; there is nothing to go on from", where, STATE)
            return False
        path, run = found, checkpoint.read_run(found)
        differences = changes(self.config, self.task.fingerprint(), run)
        if differences:
            logger.warning("going on with %s: not what an unbroken run would give", differences)
        checkpoint.load_state(path, checkpoint.named_variables(self.network, self.optimizer))
        if path.resolve().parent != self.folder.resolve():
            self._set_aside()
        self.step = run["step"]
        if (self.folder / BEST).exists():  # else the next one is the best of this folder
            self.best = run["best"]
        self._saved = self.step, path
        self._clock.before = run.get("seconds", 0.0)
        self._losses = list(run.get("losses", ()))
        logger.info("going on from step %d%s (%s)", self.step, self._of(), path)
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
            "photographs": self.task.fingerprint(),
            "seconds": self._clock.elapsed(),
            "losses": [float(loss) for loss in self._losses],
        }
        variables = checkpoint.named_variables(self.network, self.optimizer)
        checkpoint.write_state(self.folder / STATE, variables, run)
        self._saved = self.step, self.folder / STATE
        self.export(LAST)

    def export(self, name: str) -> None:
        """Write the network as it ships into the folder."""
        self.task.write(self.shipped(), self.folder / name, self.step)

    def shipped(self) -> keras.Model:
        """Give the network that ships: the average of the weights, folded."""
        return self._shipping.at(self.step)

    def _measuring(self) -> Iterator[Any]:
        """Give the batches on which the statistics of what ships are measured."""
        self._making = 0.0
        for step in range(MEASURED):
            started = time.monotonic()
            batch = self._inputs(step)
            self._making += time.monotonic() - started
            yield batch

    def _inputs(self, step: int) -> Any:
        """Give the network's inputs of a step, as a run of this kind ends."""
        *arrays, _ = self.task.batch(step, self.config.final > 0)
        return self.task.prepare(*arrays)[0]

    def _share(self) -> float:
        """Give how much of the run is done, 0..1."""
        if self.config.max_minutes:
            return self._clock.share()
        return self.step / self.total

    def _of(self) -> str:
        return "" if self.config.max_minutes else f" of {self.total}"
