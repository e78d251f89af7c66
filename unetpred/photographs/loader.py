"""Batches of photographs made in processes of their own, ahead of the training that takes them.

Threads share one interpreter, which two of them keep busy; a GPU takes more than that gives.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

from unetpred.errors import InputError
from unetpred.io.limits import max_pixels, set_max_pixels
from unetpred.photographs.dataset import Batch, Photographs
from unetpred.photographs.pixel_store import PixelStore
from unetpred.runtime.prefetch import prefetch

logger = logging.getLogger(__name__)

_LENGTH = struct.Struct("<Q")


def batches(
    photographs: Photographs, wanted: Iterable[tuple[int, bool]], workers: int
) -> Generator[Batch, None, None]:
    """Make batches in order, the next ones while the caller works with this one.

    Parameters
    ----------
    photographs : Photographs
    wanted : iterable of (step, final)
        What `Photographs.batch` is called with. It is asked for as batches are begun.
    workers : int
        How many are made at a time: one in a thread of this process, more in processes. The
        batches do not depend on it.

    Raises
    ------
    InputError
        If none of the photographs can be read, or a process ends, perhaps because memory is short.
    """
    if workers == 1 or os.name == "nt":
        yield from prefetch(lambda item: photographs.batch(*item), wanted, workers, each=2)
        return
    with (
        closing(_Pool(photographs, workers)) as pool,
        closing(prefetch(pool.make, wanted, workers, each=2)) as made,
    ):
        yield from made


class _Pool:
    """Processes that make batches; each call of `make` takes one that is free."""

    def __init__(self, photographs: Photographs, workers: int):
        self._store = PixelStore(len(photographs.files), photographs.cache)
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []
        settings = {f.name: getattr(photographs, f.name) for f in fields(photographs)}
        for _ in range(workers):
            process = _start(self._store.descriptor)
            self._all.append(process)
            about = {**settings, "store": None}, self._store.descriptor, max_pixels()
            _send(_pipes(process)[0], about)
            self._free.put(process)

    def make(self, item: tuple[int, bool]) -> Batch:
        process = self._free.get()
        try:
            to, back = _pipes(process)
            _send(to, item)
            kind, value, told = _receive(back)
        except (EOFError, OSError):
            raise InputError(
                f"a process that reads photographs ended (code {process.poll()}); give fewer "
                "--workers if memory is short"
            ) from None
        finally:
            self._free.put(process)
        with self._lock:
            for level, message in told:
                if message not in self._told:  # each process finds the same broken files
                    self._told.add(message)
                    logger.log(level, "%s", message)
        if kind == "error":
            raise InputError(value)
        batch: Batch = value
        return batch

    def close(self) -> None:
        for process in self._all:
            with suppress(OSError):
                _pipes(process)[0].close()
            process.kill()
        for process in self._all:
            process.wait()
            _pipes(process)[1].close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None and process.stdout is not None  # `_start` made both
    return process.stdin, process.stdout


def _start(descriptor: int) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.Popen(
        [sys.executable, "-c", "from unetpred.photographs.loader import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(descriptor,),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )


def serve() -> None:
    """Make batches for the process that started this one, until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may come between the batches
    told = _Told()
    logging.getLogger("unetpred").addHandler(told)
    logging.getLogger("unetpred").propagate = False
    with suppress(EOFError, BrokenPipeError):
        settings, descriptor, limit = _receive(source)
        set_max_pixels(limit)
        store = PixelStore(len(settings["files"]), settings["cache"], descriptor)
        photographs = Photographs(**{**settings, "store": store})
        while True:
            item = _receive(source)
            try:
                reply: tuple[str, Any] = "batch", photographs.batch(*item)
            except InputError as error:
                reply = "error", str(error)
            _send(target, (*reply, told.take()))
    os._exit(0)  # the store is mapped, and arrays of it may be alive


class _Told(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append((record.levelno, record.getMessage()))

    def take(self) -> list[tuple[int, str]]:
        taken, self._records = self._records, []
        return taken


def _send(stream: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    return pickle.loads(_exactly(stream, _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
