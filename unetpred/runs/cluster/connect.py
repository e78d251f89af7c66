"""Finding a cluster that runs, or starting one on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any
from weakref import WeakSet

from unetpred.errors import InputError

ANSWER = 30  # seconds in which a scheduler answers
SILENT = 120  # seconds after which a worker of ours that says nothing is started anew
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NPROC",  # XLA's
    )
}

_started: WeakSet[Any] = WeakSet()


@contextmanager
def cluster_client(where: str | None) -> Iterator[Any]:
    """Give a client of the cluster that a user names; None without a name.

    Parameters
    ----------
    where : str or None
        "local" or "local:N" for N worker processes of one thread each on this machine, as many as
        cores if not given, which end with the block. Or the address of a scheduler, such as
        "tcp://host:8786", or its file; that cluster is left running.

    Yields
    ------
    distributed.Client or None

    Raises
    ------
    InputError
        If Dask is not installed, `where` is none of these, no scheduler answers, or processes
        cannot be started.
    """
    if where is None:
        yield None
        return
    if not find_spec("distributed"):
        raise InputError("`cluster`: needs Dask (pip install 'unetpred[cluster]')")
    if where == "local" or where.startswith("local:"):
        with _local(where) as client:
            yield client
        return
    from distributed import Client

    _quieten()
    how: dict[str, Any]
    if "://" in where or where.rpartition(":")[2].isdecimal():
        how = {"address": where}
    elif os.path.isfile(where):
        how = {"scheduler_file": where}
    else:
        raise InputError(
            f"`cluster` {where}: local, local:N, tcp://HOST:PORT or a scheduler's file is right"
        )
    try:
        client = Client(**how, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"`cluster` {where}: no scheduler answers there ({_short(error)})"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=5)


@contextmanager
def _local(where: str) -> Iterator[Any]:
    import dask
    from dask import system
    from distributed import Client, LocalCluster

    _quieten()

    word = where.partition(":")[2]
    if ":" in where and not (word.isdecimal() and int(word)):
        raise InputError(f"`cluster` {where}: local:N with a number of processes is right")
    settings = {
        "distributed.scheduler.allowed-failures": 2,  # the third death is the last
        "distributed.scheduler.worker-ttl": f"{SILENT}s",
        # workers that die come again, as slowly as a busy machine starts them
        "distributed.deploy.lost-worker-timeout": "1h",
        # rows are handed on at once: what fills memory is the network, which cannot be spilled
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        # with it, memory goes back to the system after each operation: a twelfth of lite's time
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
        # looking after itself several hundred times a second takes Dask a twentieth of the cores
        "distributed.worker.profile.enabled": False,
        "distributed.worker.memory.monitor-interval": "500ms",
        "distributed.admin.tick.interval": "500ms",
        "distributed.admin.system-monitor.interval": "5s",
        "distributed.worker.preload": ["unetpred.runs.cluster.preload"],
    }
    with dask.config.set(settings):
        try:
            cluster = LocalCluster(
                n_workers=int(word) if word else system.CPU_COUNT,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                env=ONE_THREAD,
            )
        except (OSError, RuntimeError, TimeoutError) as error:  # no loopback network, say
            raise InputError(f"`cluster` {where}: Dask cannot start ({_short(error)})") from None
        try:
            client = Client(cluster, set_as_default=False)
            _started.add(client)
            try:
                yield client
            finally:
                client.close(timeout=5)
        finally:
            cluster.close(timeout=10)


def _quieten() -> None:
    """Let Dask leave it to this package to say what goes wrong."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("distributed.", "tornado", "bokeh")):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def is_ours(client: Any) -> bool:
    """Whether `cluster_client` has started the cluster of a client."""
    return client in _started


def check_client(client: Any) -> None:
    """Raise InputError if it is no client of Dask's that can be waited for."""
    if client is None:
        return
    if not (hasattr(client, "submit") and hasattr(client, "scheduler_info")):
        raise InputError(f"`client` {client!r}: a dask.distributed.Client is right")
    if client.asynchronous:
        raise InputError("`client`: is asynchronous; one without asynchronous=True is right")


def paused_workers(client: Any) -> list[str]:
    """Workers that begin nothing because they have used most of the memory they may have."""
    with suppress(OSError, TimeoutError):
        known = client.scheduler_info()["workers"]
        return sorted(name for name, one in known.items() if one.get("status") == "paused")
    return []


def loadable(weights: Any) -> str | None:
    """Weights that each worker can load: a name or a path; InputError for a network in memory."""
    if weights is None or isinstance(weights, str | os.PathLike):
        return None if weights is None else os.fspath(weights)
    raise InputError(
        "`weights`: a network in memory is not sent to a cluster; a name or a file is right"
    )


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
