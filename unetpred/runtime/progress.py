"""Progress of long runs: a bar, lines where there is no terminal, or a function of the caller's."""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

#: None is a bar where someone can see it and else lines in the log, True always a bar, False
#: nothing; or a function that is called with (done, total).
Progress = bool | Callable[[int, int], None] | None

EVERY = 30.0  # seconds between two lines


class Reported:
    """In place of a bar, where a function wants to know."""

    def __init__(self, total: int | None, report: Callable[[int, int], None]):
        self.total, self.n, self._report = total, 0, report

    def update(self, count: int = 1) -> None:
        """Say that so many more are done."""
        if count:
            self.n += count
            self._report(self.n, self.total or 0)

    def __enter__(self) -> Reported:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Lines:
    """In place of a bar, where there is no terminal: a line in the log now and then.

    Parameters
    ----------
    total : int or None
        How many there are; None if that is not known yet.
    unit : str
        What one of them is.
    every : float
        Seconds between two lines.
    """

    def __init__(self, total: int | None, unit: str, every: float = EVERY):
        self.total, self.n = total, 0
        self._unit, self._every, self._more = unit, every, ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._started = time.monotonic()
        self._before: int | None = None  # of an earlier run, which took none of this one's time

    def __enter__(self) -> Lines:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Say no more."""
        self._ended.set()

    def update(self, count: int = 1) -> None:
        """So many more are done; the first time, so many were before."""
        self.n += count
        if self._before is None:
            self._before = count if time.monotonic() - self._started < 1 else 0

    def set_postfix(self, refresh: bool = False, **values: str) -> None:
        """What else a line says."""
        self._more = "".join(f", {name} {value}" for name, value in values.items())

    def line(self) -> str:
        """How far it is, and how long it will take."""
        spent = time.monotonic() - self._started
        if not self.total:
            return f"{self.n} {self._unit}s after {duration(spent)}{self._more}"
        share = f"{self.n} of {self.total} {self._unit}s ({100 * self.n / self.total:.0f} %)"
        done = self.n - (self._before or 0)
        left = ""
        if done:
            left = f", about {duration(spent * (self.total - self.n) / done)} left"
        return f"{share} after {duration(spent)}{left}{self._more}"

    def _tell(self) -> None:
        while not self._ended.wait(self._every):
            logger.info("%s", self.line())


def duration(seconds: float) -> str:
    """Seconds in words that are short: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def progress_bar(total: int | None, unit: str, quiet: bool) -> Any:
    """A bar with the time left, or lines where there is no terminal; nothing if `quiet`."""
    return reporting(total, unit, False if quiet else None)


def reporting(total: int | None, unit: str, progress: Progress = None) -> Any:
    """A bar with the time left, and an `update` method.

    Parameters
    ----------
    total : int or None
        How many there are.
    unit : str
        What one of them is.
    progress : bool or callable, optional
        Nothing is shown for False. For None, if stderr is no terminal and this no notebook, a line
        goes into the log every `EVERY` seconds, which the command line shows on stderr. A callable
        is called with how many are done and how many there are.
    """
    if callable(progress):
        return Reported(total, progress)
    shown = progress if progress is not None else is_seen()
    if progress is None and not shown:
        return Lines(total, unit)
    if not shown:
        from tqdm import tqdm

        return tqdm(total=total, disable=True)
    with warnings.catch_warnings():  # a notebook without widgets gets a bar of characters
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, leave=False)


def is_seen() -> bool:
    """Whether someone would see a bar."""
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})
