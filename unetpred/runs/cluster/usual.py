"""Where a run is computed if nobody says: a long one of `lite` on processes of one thread."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from unetpred.io.registry import find_weights, size_of
from unetpred.runs.cluster.connect import cores

logger = logging.getLogger(__name__)

#: Scores from which on one-thread processes take 15 % less time, their start included.
LONG = 5000
#: Bytes of weights up to which they do: those of `lite`, in float32 too.
SMALL = 20_000_000
#: Bytes of memory for each process.
MEMORY = 3 << 29
GPU = Path("/dev/nvidiactl")


def usual_cluster(count: int, weights: str | None) -> str | None:
    """Choose what `cluster_client` is given where the user says nothing.

    Parameters
    ----------
    count : int
        Scores of the run.
    weights : str or None
        A name or a file.

    Returns
    -------
    "local" or None
        None where the run is short or the network large, where Dask is not installed, where there
        is one core, a GPU, or too little memory.
    """
    if count < LONG or size_of(find_weights(weights)[1]) > SMALL or not find_spec("distributed"):
        return None
    if cores() < 2 or GPU.exists() or free_memory() < (1 + cores()) * MEMORY:
        return None
    logger.info(
        "a long run: %d processes of one thread share it, which takes less time and gives the same "
        "digits (--cluster none for one process)",
        cores(),
    )
    return "local"


def free_memory() -> int:
    """Bytes that this process and those that it starts may take."""
    import psutil
    from distributed.system import MEMORY_LIMIT

    return int(min(MEMORY_LIMIT, psutil.virtual_memory().available))
