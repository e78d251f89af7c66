"""Running long: batch after batch, read ahead, with progress, kept as it goes, interruptible.

Every long run is three things: a list of planned batches, `Work` that makes rows of a batch and
nothing else, and a `Sink` that keeps them. What computes the rows elsewhere, on a cluster say,
takes the place of `run_batches` and keeps the other two.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.prefetch import prefetch
from unetpred.runtime.progress import Progress, reporting

Batch = TypeVar("Batch", bound=Sequence)
Read = TypeVar("Read")
Rows = TypeVar("Rows")
Given = TypeVar("Given", bound=Sequence, contravariant=True)
Made = TypeVar("Made", contravariant=True)


class Work(Generic[Batch, Read, Rows]):
    """From a batch to its rows. The same batch gives the same rows, wherever and whenever.

    It has two halves, because the next batch is read while this one is computed. Neither changes
    the batch, or writes anything.
    """

    def read(self, batch: Batch) -> Read:
        """Read what a batch needs; called in a thread, one batch at a time, in their order."""
        raise NotImplementedError

    def compute(self, read: Read) -> Rows:
        """Make the rows."""
        raise NotImplementedError

    def __call__(self, batch: Batch) -> Rows:
        """Both."""
        return self.compute(self.read(batch))


class Sink(Protocol[Given, Made]):
    """Where rows go."""

    def put(self, batch: Given, rows: Made) -> None:
        """Keep the rows of a batch; after it, an interruption loses nothing of them."""

    def stopped(self, finished: int, total: int) -> str:
        """Keep what there is to go on with, and say where it is and how to go on."""


def run_batches(
    planned: Sequence[Batch],
    work: Work[Batch, Read, Rows],
    sink: Sink[Batch, Rows],
    total: int | None = None,
    unit: str = "image",
    progress: Progress = None,
) -> None:
    """Work through batches.

    Parameters
    ----------
    planned : sequence of batches
        What is left to do. A batch has a length.
    work : Work
        Makes the rows.
    sink : Sink
        Takes them, in the order of the batches.
    total : int, optional
        How many things there are with those that are done already; those of `planned` if not
        given.
    unit : str
        What one of them is.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.

    Raises
    ------
    Stopped
        After Ctrl-C or SIGTERM, once the batch that is being computed is kept; after a second one
        at once.
    """
    left = sum(map(len, planned))
    total = left if total is None else total
    finished = total - left
    with stop_signals() as caught, reporting(total, unit, progress) as bar:
        bar.update(finished)
        try:
            for batch, read in zip(planned, prefetch(work.read, planned), strict=True):
                sink.put(batch, work.compute(read))
                finished += len(batch)
                bar.update(len(batch))
                if caught and finished < total:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            number = caught[0] if caught else signal.SIGINT
            raise Stopped(sink.stopped(finished, total), number) from None
