"""What writers that were killed have begun, under hidden names beside the files that it was to be.

Long writers hold a lock on what they have begun, which ends with their process however that ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def held(temporary: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a file of `unetpred.io.files.atomic_path` while it is written, as far as one can.

    Parameters
    ----------
    temporary : path-like
        What that gave.
    """
    with open(temporary, "rb") as file:
        _lock(file)
        yield


def remove_leftovers_of(path: str | os.PathLike[str]) -> None:
    """Remove what earlier writers of a file had begun, where nobody holds it any more.

    Parameters
    ----------
    path : path-like
        The file that shall appear.
    """
    path = Path(path)
    begun = re.compile(rf"\.\d+-.{{8}}{re.escape(path.name)}")
    for other in path.parent.iterdir():
        if begun.fullmatch(other.name):
            with suppress(OSError), open(other, "rb") as file:
                if _lock(file):
                    other.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Whether there is a lock for it, which lasts as long as it is open; some systems have none."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
