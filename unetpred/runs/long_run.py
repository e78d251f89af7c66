"""Running long: batch after batch, read ahead, with progress, kept as it goes, interruptible.

Every long run is three things: a list of planned batches, `Work` that makes rows of a batch and
nothing else, and a `Sink` that keeps them. A cluster computes the rows elsewhere, and keeps the
other two.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from unetpred.errors import ClusterError
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

    # -- what another process needs -------------------------------------------------------------

    #: Whether a batch holds single things, of which one that nobody survives can be left out.
    apart = False
    #: Whether it computes with a network, by the same versions of everything wherever it is done.
    networks = True

    def weights(self) -> dict[str, Path]:
        """Files of weights that are read, by what `located` calls them."""
        return {}

    def sent(self) -> Work:
        """What is pickled in its place, without anything that `pack` sends along."""
        return self

    def located(self, files: Mapping[str, Any]) -> Work:
        """The same work with its weights in other places, there where it is done."""
        return self

    def bulky(self) -> bool:
        """Whether rows are as large as pictures, so that few of them should wait for the sink."""
        return False

    def shared(self, batch: Batch) -> set[Any]:
        """What else than this batch may need of what is read for it; such batches go together."""
        return set()

    def pack(self, batch: Batch, sends: Callable[[str], bool], refused: Mapping[int, str]) -> Any:
        """What is pickled in place of a batch.

        Parameters
        ----------
        batch : Batch
        sends : callable
            Tells of a path whether the other process cannot read it, and what it holds is sent.
        refused : mapping of int to str
            Of things in the batch, by their place in it, why they are not to be touched.
        """
        return batch

    def unpack(self, packed: Any) -> Batch:
        """The batch again, in the other process.

        Raises
        ------
        NotHere
            If a file is not there, or is another one.
        """
        return packed


class NotHere(Exception):
    """A file of the user's is not there where the work is done; its path is in `args`."""


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
    client: Any = None,
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
    client : dask.distributed.Client, optional
        Where the rows are made; in this process if not given.

    Raises
    ------
    Stopped
        After Ctrl-C or SIGTERM, once the batch that is being computed is kept; after a second one
        at once. A cluster is not waited for.
    ClusterError
        If the cluster is gone, or does not get on; what came of it is kept.
    """
    left = sum(map(len, planned))
    total = left if total is None else total
    finished = total - left
    with stop_signals() as caught, reporting(total, unit, progress) as bar:
        bar.update(finished)
        made: Generator[tuple[Batch, Rows], None, None]
        if client is None:
            reads = prefetch(work.read, planned)
            made = ((b, work.compute(read)) for b, read in zip(planned, reads, strict=True))
        else:
            from unetpred.runs.cluster.run import rows_from

            made = rows_from(client, planned, work, caught)
        try:
            with closing(made):
                for batch, rows in made:
                    sink.put(batch, rows)
                    finished += len(batch)
                    bar.update(len(batch))
                    if caught and finished < total:
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            number = caught[0] if caught else signal.SIGINT
            raise Stopped(sink.stopped(finished, total), number) from None
        except ClusterError as error:
            raise ClusterError(f"{error}; {sink.stopped(finished, total)}") from None
