"""How long a run will take, said near its beginning."""

from __future__ import annotations

import logging
import time

from unetpred.runtime.progress import duration

logger = logging.getLogger(__name__)

ENOUGH = 1.0  # seconds of work that tell how long all of it takes
TOLD = 10  # seconds that a run takes at least if that is said
LONG = 120  # seconds from which on a hint helps


class Expected:
    """Says in the log, once, how long a run will take.

    Parameters
    ----------
    count : int
        How many there are to do.
    unit : str
        What one of them is.
    hint : str
        What helps if that is long.
    """

    def __init__(self, count: int, unit: str, hint: str = ""):
        self._left, self._unit, self._hint = count, unit, hint
        self._since: float | None = None
        self._done, self._told = 0, False

    def done(self, count: int) -> None:
        """So many more are done."""
        if self._told:
            return
        now = time.monotonic()
        self._left -= count
        if self._since is None:  # with the first ones the network was compiled
            self._since = now
            return
        self._done += count
        if now - self._since < ENOUGH:
            return
        self._told = True
        seconds = (now - self._since) / self._done * self._left
        if seconds >= TOLD:
            hint = self._hint if seconds >= LONG else ""
            words = self._left, self._unit, duration(seconds), hint
            logger.info("%d %ss are left, which take about %s%s", *words)
