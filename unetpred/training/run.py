"""Training: one visible configuration, one loop, on any backend."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import keras
import numpy as np

from unetpred.errors import WriteError, some_of
from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.progress import Lines, is_seen
from unetpred.training.config import TrainConfig, learning_rate
from unetpred.training.filling import Filling
from unetpred.training.records.checkpoints import Diverged
from unetpred.training.records.log import RunLog
from unetpred.training.setup import write_config
from unetpred.training.state import BEST, LAST, TrainingState
from unetpred.training.task import Task

__all__ = ["Diverged", "Run", "Stopped", "TrainConfig", "learning_rate"]

logger = logging.getLogger(__name__)


class Run(TrainingState):
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
        super().__init__(config, started, task)
        self._idle = False
        self._losses: list[Any] = []  # since the last row; floats, or what a GPU is to compute

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
