"""What happens in a worker process: the weights are loaded once, batches come and rows go."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.io.limits import set_max_pixels
from unetpred.io.registry import sha256
from unetpred.runs.long_run import NotHere, Work
from unetpred.runtime.prefetch import prefetch

KEPT = 2  # runs whose networks stay loaded

_lock = threading.Lock()
_works: OrderedDict[str, Work] = OrderedDict()


@dataclass(frozen=True)
class Weights:
    """A file of weights, with all its parts.

    Attributes
    ----------
    path : str
        Where it is for the client, absolute.
    digest : str
        Its sha256.
    """

    path: str
    digest: str


@dataclass(frozen=True)
class Task:
    """What the batches of a run have in common.

    Attributes
    ----------
    work : bytes
        The pickled `Work`.
    weights : dict of str to Weights
        By what `Work.located` calls them.
    versions : dict of str to str
        What computes, as `versions` gives it for the client; empty for work without networks.
    folder : str
        That relative paths begin at.
    max_pixels : int or None
        As for `unetpred.io.limits.set_max_pixels`.
    ours : bool
        Whether the worker was started for this run alone.
    """

    work: bytes
    weights: dict[str, Weights]
    versions: dict[str, str]
    folder: str
    max_pixels: int | None = None
    ours: bool = False
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = self.work + repr((self.weights, self.versions, self.max_pixels)).encode()
        object.__setattr__(self, "digest", hashlib.sha256(content).hexdigest())


class Answer(NamedTuple):
    """What a worker gives back.

    Attributes
    ----------
    rows : list
        Of each batch.
    told : list of (logger, level, message)
        What was logged meanwhile.
    not_here : str
        A file that the worker does not have, in which case there are no rows.
    no_weights : bool
        Whether that is one of weights.
    """

    rows: list
    told: list[tuple[str, int, str]]
    not_here: str = ""
    no_weights: bool = False


class _NoWeights(Exception):
    """Weights are to be sent by the client."""


def versions() -> dict[str, str]:
    """What computes scores in this process; Keras is imported."""
    import keras

    from unetpred import __version__

    backend = keras.config.backend()
    return {
        "unetpred": __version__,
        "keras": keras.__version__,
        "backend": f"{backend} {__import__(backend).__version__}",
    }


def work_through(task: Task, packed: list, files: dict[str, dict[str, bytes]] | None) -> Answer:
    """Make the rows of some batches.

    Parameters
    ----------
    task : Task
    packed : list
        The batches, by `Work.pack`.
    files : dict of str to (dict of str to bytes), optional
        Weights that the client has sent: of each the files by their names.

    Returns
    -------
    Answer
    """
    told: list[tuple[str, int, str]] = []
    # one batch at a time, however many threads the worker has: networks are not made for more
    with _lock, _listening(told):
        set_max_pixels(task.max_pixels)
        try:
            work = _work(task, files)
            with _within(task.folder):
                batches = [work.unpack(one) for one in packed]
                rows = [work.compute(read) for read in prefetch(work.read, batches)]
        except _NoWeights as missing:
            return Answer([], told, str(missing), True)
        except NotHere as missing:
            return Answer([], told, str(missing))
        except Exception as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error)[:200]) from None
            raise
    return Answer(rows, told)


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is what a backend raises in place of `MemoryError`."""
    text = f"{type(error).__name__} {error}".lower()
    words = "resourceexhausted", "resource_exhausted", "out of memory", "can't allocate memory"
    return any(word in text for word in words)


def _work(task: Task, files: dict[str, dict[str, bytes]] | None) -> Work:
    """The work of a run, with its networks once they are loaded."""
    if task.digest in _works:
        _works.move_to_end(task.digest)
        return _works[task.digest]
    if task.versions:
        _check_versions(task)
    places = {name: _place(weights, (files or {}).get(name)) for name, weights in
              task.weights.items()}  # fmt: skip
    work = pickle.loads(task.work).located(places)
    while len(_works) >= KEPT:
        _works.popitem(last=False)
    _works[task.digest] = work
    return work


def _check_versions(task: Task) -> None:
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = task.versions["backend"].split()[0]
    import_keras(task.ours)
    for name, mine in versions().items():
        if mine != task.versions[name]:
            raise InputError(
                f"`cluster`: a worker has {name} {mine}, and here it is {task.versions[name]}; "
                "digits would differ, so give all of them the same"
            )


def _place(weights: Weights, sent: dict[str, bytes] | None) -> str:
    """Where weights are for this process."""
    path = Path(weights.path)
    if path.is_file() and sha256(path) == weights.digest:
        return weights.path
    from distributed import get_worker

    folder = Path(get_worker().local_directory) / weights.digest  # it goes when the worker goes
    target = folder / path.name
    if sent is not None and not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in sent.items():
            (folder / name).write_bytes(content)
    if not target.is_file():
        raise _NoWeights(weights.path)
    return str(target)


@contextmanager
def _within(folder: str) -> Iterator[None]:
    """Let relative paths be those of the client, where it has a folder that is here too."""
    before = os.getcwd()
    if folder == before or not os.path.isdir(folder):
        yield
        return
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _listening(told: list[tuple[str, int, str]]) -> Iterator[None]:
    """Note what the package logs, for the client to say it."""

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append((record.name, record.levelno, record.getMessage()))

    logger, handler = logging.getLogger("unetpred"), Notes()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def read_files(path: str) -> dict[str, bytes]:
    """A file of weights and its parts, by their names."""
    from unetpred.io.hdf5 import shards

    return {part.name: part.read_bytes() for part in (Path(path), *shards(Path(path)))}


def itself(value: Any) -> Any:
    """What it is given; a task of Dask's that keeps it on the cluster."""
    return value
