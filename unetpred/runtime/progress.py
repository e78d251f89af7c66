"""Progress of long runs: a bar on stderr or in a notebook, or a function of the caller's."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

#: None is a bar where someone can see it, True always one, False none; or a function that is
#: called with (done, total).
Progress = bool | Callable[[int, int], None] | None


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


def progress_bar(total: int | None, unit: str, quiet: bool) -> Any:
    """A bar with the time left; nothing if `quiet`, or where nobody sees it."""
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
        Nothing is shown for False, nor for None if stderr is no terminal and this no notebook. A
        callable is called with how many are done and how many there are.
    """
    if callable(progress):
        return Reported(total, progress)
    shown = progress if progress is not None else sys.stderr.isatty() or _in_notebook()
    if not shown:
        from tqdm import tqdm

        return tqdm(total=total, disable=True)
    with warnings.catch_warnings():  # a notebook without widgets gets a bar of characters
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, leave=False)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})
