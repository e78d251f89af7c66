"""Keeping a cluster busy: few batches on their way, rows in order, and what to do when it fails."""

from __future__ import annotations

import logging
import os
import pickle
import time
import uuid
import warnings
from asyncio import TimeoutError as AsyncTimeout
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from unetpred.errors import ClusterError, InputError
from unetpred.io.limits import max_pixels
from unetpred.io.registry import sha256
from unetpred.runs.cluster.connect import is_ours, paused_workers
from unetpred.runs.cluster.worker import (
    Answer,
    Task,
    Weights,
    itself,
    read_files,
    versions,
    work_through,
)
from unetpred.runs.long_run import Work

logger = logging.getLogger(__name__)

AHEAD = 3  # parcels per worker that are on their way or wait for their turn
MOST = 64  # things in a parcel, so that the scheduler has little to do
TOGETHER = 256  # things in a parcel whose batches need the same pictures
PATIENCE = 600.0  # seconds without anything from a worker; DASK_UNETPRED__PATIENCE
TRIES = 3
RECOUNT = 2.0  # seconds between two looks at how many workers there are
LARGE = 1 << 16  # bytes of work that are worth sending to each worker but once


@dataclass
class Parcel:
    """Batches that go to a worker together.

    Attributes
    ----------
    batches : list
    refused : dict of int to (dict of int to str)
        By batch and place in it, why something is not to be touched.
    future : distributed.Future
    tries : int
        How often it was sent again because it did not come back.
    """

    batches: list
    refused: dict[int, dict[int, str]] = field(default_factory=dict)
    future: Any = None
    tries: int = 0


def rows_from(
    client: Any, planned: Sequence, work: Work, caught: list[int]
) -> Generator[tuple[Any, Any], None, None]:
    """Give every batch and its rows, in order, made on a cluster.

    Parameters
    ----------
    client : distributed.Client
    planned : sequence of batches
    work : Work
    caught : list of int
        Signals that ask for an end.

    Raises
    ------
    ClusterError
        If the cluster is gone, or does not get on.
    KeyboardInterrupt
        Once a signal was caught.
    """
    run = _Run(client, work, caught)
    try:
        yield from run.rows(planned)
    except (CancelledError, OSError, AsyncTimeout) as error:
        if isinstance(error, ClusterError) or not run.lost(error):
            raise
        address = client.scheduler.address if client.scheduler else "the scheduler"
        raise ClusterError(f"`cluster`: {address} is gone") from None
    finally:
        run.drop()


class _Run:
    def __init__(self, client: Any, work: Work, caught: list[int]):
        import dask

        self._client, self._work, self._caught = client, work, caught
        self._flying: deque[Parcel] = deque()
        self._elsewhere: set[str] = set()  # folders that workers do not have
        self._files: Any = None  # weights that were sent
        self._name, self._count, self._said = f"unetpred-{uuid.uuid4().hex[:12]}", 0, set[tuple]()
        self._workers, self._counted = 1, -RECOUNT
        self._patience = float(dask.config.get("unetpred.patience", PATIENCE))
        paths = {name: str(path.absolute()) for name, path in work.weights().items()}
        self._weights = {name: Weights(path, sha256(path)) for name, path in paths.items()}
        task = Task(
            pickle.dumps(work.sent()),
            self._weights,
            versions() if work.networks else {},
            os.getcwd(),
            max_pixels(),
            is_ours(client),
        )
        self._task: Any = self._kept(task) if len(task.work) > LARGE else task

    # -- sending ------------------------------------------------------------------------------

    def rows(self, planned: Sequence) -> Iterator[tuple[Any, Any]]:
        """As `rows_from`."""
        todo = deque(planned)
        while todo or self._flying:
            workers = self._count_workers()
            while todo and len(self._flying) < AHEAD * workers:
                self._flying.append(Parcel(self._next(todo, workers)))
                self._send(self._flying[-1])
            parcel = self._flying[0]
            answer = self._answer(parcel)
            parcel.future = None  # the cluster forgets it
            self._flying.popleft()
            yield from zip(parcel.batches, answer.rows, strict=True)

    def _count_workers(self) -> int:
        if (now := time.monotonic()) - self._counted > RECOUNT:
            self._workers, self._counted = max(1, len(self._client.nthreads())), now
        return self._workers

    def _next(self, todo: deque, workers: int) -> list:
        """Batches for a parcel: fewer towards the end, so that all workers finish together."""
        most, together = MOST, TOGETHER
        if len(todo) < 8 * AHEAD * workers:
            most = together = min(MOST, sum(map(len, todo)) // (2 * AHEAD * workers))
        batches = [todo.popleft()]
        count, seen = len(batches[0]), self._work.shared(batches[0])
        while todo and not self._work.bulky():
            others = self._work.shared(todo[0])
            count += len(todo[0])
            if count > (together if seen & others else most):
                break
            batches.append(todo.popleft())
            seen |= others
        return batches

    def _send(self, parcel: Parcel) -> None:
        packed = [
            self._work.pack(batch, self._sends, parcel.refused.get(number, {}))
            for number, batch in enumerate(parcel.batches)
        ]
        parcel.future = self._submit(work_through, self._task, packed, self._files)

    def _submit(self, function: Any, *arguments: Any) -> Any:
        self._count += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that pictures are large
            return self._client.submit(
                function, *arguments, key=f"{self._name}-{self._count}", pure=False
            )

    def _kept(self, value: Any) -> Any:
        """Something that goes to each worker once, and is not lost with one."""
        return self._submit(itself, value)

    def _sends(self, path: str) -> bool:
        return os.path.dirname(path) in self._elsewhere

    # -- receiving ----------------------------------------------------------------------------

    def _answer(self, parcel: Parcel) -> Answer:
        from distributed import KilledWorker

        while True:
            self._wait(parcel)
            try:
                answer = parcel.future.result()
            except KilledWorker as error:
                self._find_deadly(parcel, error)
            except ModuleNotFoundError as error:
                raise InputError(
                    f"`cluster`: a worker cannot import what it needs ({error}); install unetpred "
                    "where workers run, as it is here"
                ) from None
            except MemoryError:
                self._again(parcel, "a worker has too little memory; a smaller `batch_size` helps")
                self._send(parcel)
            else:
                self._tell(answer)
                if not answer.not_here:
                    return answer
                if answer.no_weights:
                    self._send_weights()
                else:
                    folder = os.path.dirname(answer.not_here)
                    if folder not in self._elsewhere:
                        logger.info(
                            "%s: workers do not have it, so pixels are sent", folder or os.getcwd()
                        )
                    self._elsewhere.add(folder)
                self._send(parcel)

    def _send_weights(self) -> None:
        if self._files is None:
            files = {name: read_files(one.path) for name, one in self._weights.items()}
            self._files = self._kept(files)

    def _tell(self, answer: Answer) -> None:
        for name, level, message in answer.told:
            if (name, message) not in self._said:
                self._said.add((name, message))
                logging.getLogger(name).log(level, "%s", message)

    def _wait(self, parcel: Parcel) -> None:
        """Wait for a parcel; what is asked for meanwhile goes first."""
        from distributed import wait

        seen, since = -1, time.monotonic()
        while not parcel.future.done():
            if self._caught:
                raise KeyboardInterrupt
            with suppress(TimeoutError, AsyncTimeout), self._client.as_current():
                wait(parcel.future, timeout=0.5)
            # a parcel that waits for its turn is no sign of a worker that hangs
            done = sum(one.future.done() for one in self._flying)
            if done != seen:
                seen, since = done, time.monotonic()
            elif time.monotonic() - since > self._patience:
                self._hanging(parcel)
                seen = -1

    def lost(self, error: BaseException) -> bool:
        """Whether an error is one of the connection."""
        return isinstance(error, CancelledError) or self._client.status != "running" or (
            "Comm" in type(error).__name__
        )  # fmt: skip

    def drop(self) -> None:
        """Let the cluster forget what it was given."""
        futures = [one.future for one in self._flying if one.future is not None]
        with suppress(Exception):
            if futures and self._client.status == "running":
                self._client.cancel(futures, force=True)
        self._flying.clear()
        self._task = self._files = None

    # -- faults -------------------------------------------------------------------------------

    def _again(self, parcel: Parcel, problem: str) -> None:
        parcel.tries += 1
        if parcel.tries >= TRIES:
            raise ClusterError(f"`cluster`: {problem}")

    def _hanging(self, parcel: Parcel) -> None:
        """Nothing comes any more: start workers of ours anew, or give up."""
        keys = {one.future.key for one in self._flying}
        stuck = []
        with suppress(OSError, AsyncTimeout):
            processing = self._client.processing()
            stuck = [worker for worker, theirs in processing.items() if keys & set(theirs)]
        names = ", ".join(sorted(stuck)) or "any worker"
        problem = f"nothing has come for {self._patience:g} s from {names}"
        if paused := paused_workers(self._client):
            problem += f" (Dask lets {', '.join(paused)} begin nothing: too little memory is left)"
        if not stuck or not is_ours(self._client):
            raise ClusterError(f"`cluster`: {problem}")
        self._again(parcel, problem)
        logger.warning("%s; they are started anew", problem)
        self._client.restart_workers(stuck, timeout=60, raise_for_error=False)

    def _find_deadly(self, parcel: Parcel, error: Any) -> None:
        """Workers died of a parcel: find out of what in it, alone, and go on without that."""
        deaths = error.allowed_failures + 1
        self._again(parcel, f"workers die again and again, the last one was {error.last_worker}")
        for other in self._flying:  # or a worker could die of them
            if other is not parcel:
                self._wait(other)
        if self._work.apart:
            self._try_one_by_one(parcel, deaths)
        self._send(parcel)

    def _try_one_by_one(self, parcel: Parcel, deaths: int) -> None:
        from distributed import KilledWorker

        row = 0
        for number, batch in enumerate(parcel.batches):
            refused = parcel.refused.setdefault(number, {})
            for place in range(len(batch)):
                if place in refused:
                    continue
                alone = Parcel([batch[place : place + 1]])
                self._send(alone)
                self._wait(alone)
                try:
                    alone.future.result()
                    row = 0
                except KilledWorker:
                    refused[place] = f"{deaths} workers died of it, and it alone; see their logs"
                    row += 1
                except Exception:  # whatever it is, it comes again with its parcel
                    row = 0
                if row >= TRIES:
                    raise ClusterError("`cluster`: workers die whatever they are given")
