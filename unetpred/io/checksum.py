"""Files that end with a check sum over all that is before it.

Readers of HDF5 take no notice of what follows its end.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_MARK = b"\nunetpred sha256 %s\n"
_PATTERN = re.compile(rb"\nunetpred sha256 ([0-9a-f]{64})\n")
_LENGTH = len(_MARK % bytes(64))


def append_checksum(path: str | os.PathLike[str]) -> None:
    """Append the check sum to a complete file, and have it on the disk."""
    path = Path(path)
    digest = _digest(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(_MARK % digest.encode())
        file.flush()
        os.fsync(file.fileno())


def matches_checksum(path: str | os.PathLike[str]) -> bool | None:
    """Whether a file is as it was when `append_checksum` ended it; None if it has no check sum."""
    path = Path(path)
    size = path.stat().st_size - _LENGTH
    if size < 0:
        return None
    with path.open("rb") as file:
        file.seek(size)
        found = _PATTERN.fullmatch(file.read())
    return None if found is None else _digest(path, size) == found[1].decode()


def _digest(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size and (block := file.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
