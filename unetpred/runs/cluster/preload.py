"""Loaded by worker processes of this machine before their first task."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the client: a terminal sends it to all processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
