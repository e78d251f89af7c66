"""Training: one visible configuration, one loop, on any backend."""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetpred.errors import InputError, WriteError, some_of
from unetpred.io.files import make_folder
from unetpred.network.partial_convolution import dtype_policy
from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.progress import Lines, is_seen
from unetpred.training import checkpoints as checkpoint
from unetpred.training.checkpoints import STATE, Diverged
from unetpred.training.clock import Clock
from unetpred.training.config import TrainConfig, learning_rate
from unetpred.training.devices import devices_scope
from unetpred.training.exported import Shipping
from unetpred.training.filling import Filling
from unetpred.training.log import RunLog
from unetpred.training.optimizer import make_optimizer
from unetpred.training.setup import changes, write_config
from unetpred.training.task import Task

__all__ = ["Diverged", "Run", "Stopped", "TrainConfig", "learning_rate"]

logger = logging.getLogger(__name__)

MEASURED = 16  # batches on which the statistics of what ships are measured
LAST, BEST = "last.weights.h5", "best.weights.h5"


class Run:
    """A training run: the network, its optimiser, and where it stands.

    Call `begin` or `resume`, then `train`.

    Parameters
    ----------
    config : TrainConfig or unetpred.segmentation.training.config.SegmentationConfig
    started : float, optional
        When the program began, by `time.monotonic`; now if not given.
    task : callable, optional
        Makes the `Task` of a configuration; `Filling` if not given.

    Raises
    ------
    InputError
        If images, VGG-16 or the folder of the run cannot be used.
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
        self._idle = False
        self._losses: list[Any] = []  # since the last row; floats, or what a GPU is to compute
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
            from unetpred.training.torch_step import TorchStep, on_gpu

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

    # -- the loop -----------------------------------------------------------------------------

    def train(self, progress: bool | None = False, begun: Callable[[], object] = bool) -> None:
        """Train to the end of the run.

        Parameters
        ----------
        progress : bool, optional
            Whether a bar on stderr shows loss, images per second and time left. None for a bar
            where stderr is a terminal, and else a line in the log now and then.
        begun : callable, optional
            Called once the first step is done.

        Raises
        ------
        Stopped
            On Ctrl-C or SIGTERM, with the state saved; before the first step at once.
        Diverged
            If loss or weights are no numbers any more; the last good checkpoint is kept.
        InputError
            If no image can be read.
        WriteError
            If the disk is full, say.
        """
        if self._share() >= 1:
            logger.info("the run is finished: step %d%s", self.step, self._of())
            self.export(LAST)  # it may have ended between the two files of a checkpoint
            return
        write_config(
            self.folder / "config.json",
            self.config,
            steps=self.total,
            **self.task.notes(),
        )
        self._introduce()
        config, timed, waited, spent = self.config, 0, 0.0, 0.0
        batches = self.task.batches(self._wanted())
        log = RunLog(self.folder, self.step, self.task.columns, self.task.picture)
        with (
            self._telling_what_is_kept(),
            stop_signals(lambda: self._idle) as stop,
            closing(log),
            closing(batches),
            self._bar(progress) as bar,
        ):
            self._idle = True  # until a step is done there is nothing to save
            if self.step == 0:
                self._measure_first(log, stop)
            while True:
                asked = time.perf_counter()
                *arrays, files = next(batches)
                started = time.perf_counter()
                rate = learning_rate(config, self.step, self._share())
                self.optimizer.learning_rate.assign(rate)
                self._losses.append(self._train_on(*arrays))
                ended, timed = time.perf_counter(), timed + 1
                if self._idle:
                    self._idle = False
                    begun()
                waited, spent = waited + started - asked, spent + ended - asked
                losses = self._losses
                if isinstance(losses[-1], float) or self.step % 20 == 0:
                    # a GPU has yet to compute the others: looking at each would make it wait
                    losses[:] = [float(loss) for loss in losses]
                    if not np.isfinite(losses).all():
                        self._losses = []  # or whoever trains on with this run averages them
                        raise Diverged(self._last_good(f"the loss is {losses[-1]}", files))
                    bar.set_postfix(loss=f"{np.mean(losses[-50:]):.4f}", refresh=False)
                self.step += 1
                bar.update(config.batch_size)

                done = self._share() >= 1
                measures = done or self.step % config.val_interval == 0
                row: dict[str, float] = {}
                try:
                    if measures and (done or not stop):
                        # the last one is measured to its end
                        row = self._measure(log, bool if done else lambda: bool(stop))
                    due = bool(row) or done or self.step % config.log_interval == 0
                    if due or stop:
                        row = {
                            "step": self.step,
                            "loss": float(np.mean([float(loss) for loss in losses])),
                            "lr": rate,
                            **row,
                            "images_per_second": timed * config.batch_size / spent,
                            "waiting": waited / spent,
                        }
                        log.record(row)
                        timed, waited, spent = 0, 0.0, 0.0
                        if due:  # else whoever goes on averages what an unbroken run does
                            self._losses = []
                    if done or stop or self.step % config.checkpoint_interval == 0:
                        self.save()
                except Diverged as error:
                    raise Diverged(self._last_good(str(error), files)) from None
                if done:
                    return
                if stop:
                    raise Stopped(f"stopped at step {self.step}{self._of()}", stop[0])

    def _introduce(self) -> None:
        """Say what is trained, on how much, and for how long."""
        config, notes = self.config, self.task.notes()
        held_out = notes.get("held_out", notes.get("held_out_images"))
        length = f"{self.total} steps ({config.epochs} x {self.steps_per_epoch})"
        if config.max_minutes:
            length = f"{config.max_minutes:g} minutes"
        logger.info(
            "%d images to train on, %s held out; %s parameters; Keras %s on %s; batches of %d; %s",
            self.task.size,
            held_out,
            f"{self.network.count_params():,}",
            keras.__version__,
            keras.backend.backend(),
            config.batch_size,
            length,
        )
        if not config.max_minutes and config.warmup >= self.total:
            logger.warning(
                "the warm-up of %d steps outlasts the run of %d, in which the rate stays below its "
                "full height; a longer run, or --warmup %d, is right",
                config.warmup,
                self.total,
                self.total // 10,
            )

    def _share(self) -> float:
        """Give how much of the run is done, 0..1."""
        if self.config.max_minutes:
            return self._clock.share()
        return self.step / self.total

    def _of(self) -> str:
        return "" if self.config.max_minutes else f" of {self.total}"

    def _wanted(self) -> Iterator[tuple[int, bool]]:
        """Give which batches are wanted; in a run of given minutes for as long as it is asked."""
        timed, step = self.config.max_minutes is not None, self.step
        while timed or step < self.total:
            share = self._share() if timed else step / self.total
            yield step, share >= 1 - self.config.final
            step += 1

    def _measure_first(self, log: RunLog, stop: list[int]) -> None:
        """Measure what training begins with; in a run of given minutes do all that ends it."""
        row = self._measure(log, lambda: bool(stop))
        if row:
            log.record({"step": 0, **row, **self.task.baselines()})
        if self.config.max_minutes and not stop:  # to know how long that takes
            started, self._idle = time.monotonic(), False
            self.save()
            self._clock.saving, self._idle = time.monotonic() - started, True
        if stop:
            raise Stopped(f"stopped at step 0{self._of()}", stop[0])

    def _measure(self, log: RunLog, stop: Callable[[], bool]) -> dict[str, float]:
        """Measure on held-out images, and keep the network if it is the best so far."""
        started = time.monotonic()
        shipped = self.shipped()
        self._clock.exporting = time.monotonic() - started
        if self.step == 0:
            # these photographs are decoded for the first time, and will not be at the end
            self._clock.exporting -= self._making
        measured = self.task.measure(shipped, stop)
        if measured is None:
            return {}
        self._clock.measuring = measured.seconds
        if not measured.valid:
            raise Diverged("the network's output is no number")
        logger.info("step %d: %s", self.step, measured.text)
        log.picture(measured.picture, self.step, measured.text)
        if measured.best > self.best:
            self.best = measured.best
            self.export(BEST)
        elif np.isnan(measured.best) and self.best == -np.inf:
            self.export(BEST)  # where nothing tells which is best, it is the last
        return measured.row

    def _kept(self) -> str:
        if self._saved is None:
            return "there was no checkpoint yet"
        step, path = self._saved
        return f"the last good checkpoint, of step {step}, is kept in {path.parent}"

    def _last_good(self, problem: str, files: list[str]) -> str:
        return f"{problem} at step {self.step}, files {some_of(files)}; {self._kept()}"

    @contextmanager
    def _telling_what_is_kept(self) -> Iterator[None]:
        try:
            yield
        except WriteError as error:
            raise WriteError(f"{error}; {self._kept()}") from None

    def _bar(self, progress: bool | None):
        from tqdm import tqdm

        total = None if self.config.max_minutes else self.total * self.config.batch_size
        if progress is None and not is_seen():
            lines = Lines(total, "image")
            lines.update(self.step * self.config.batch_size)
            return lines
        return tqdm(
            total=total,
            initial=self.step * self.config.batch_size,
            unit="image",
            unit_scale=True,
            dynamic_ncols=True,
            file=sys.stderr,
            disable=progress is False,
        )
