"""How much of the time of a run has passed, and what has to be left for its end."""

from __future__ import annotations

import math
import time


class Clock:
    """The time of a run that ends within a given number of minutes.

    Parameters
    ----------
    minutes : float, optional
        Of the run, all that it does counted.
    started : float, optional
        When it began, by `time.monotonic`; now if not given.

    Attributes
    ----------
    before : float
        Seconds that the run took before it was interrupted.
    measuring, exporting, saving : float
        Seconds that these took last: what the end of the run will take.
    """

    def __init__(self, minutes: float | None, started: float | None = None):
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._started = time.monotonic() if started is None else started
        self.before = self.measuring = self.exporting = self.saving = 0.0

    def elapsed(self) -> float:
        """Give the seconds that the run has taken so far."""
        return self.before + time.monotonic() - self._started

    def share(self) -> float:
        """Give the share of the time for training that has passed, 0..1."""
        end = self.measuring + self.exporting + self.saving
        # once more for best.weights.h5, and what is not measured: to stop the loader, to log
        left = self._seconds - 1.1 * end - 0.5
        return min(1.0, self.elapsed() / left) if left > 0 else 1.0
