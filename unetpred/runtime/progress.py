"""Progress of long runs on stderr."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(total: int | None, unit: str, quiet: bool) -> Any:
    """A bar on stderr, with the time left; nothing if stderr is no terminal, or if `quiet`."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=quiet or not sys.stderr.isatty(), leave=False)
