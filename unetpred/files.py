"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unetpred.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path` that becomes `path` when the block ends well.

    The temporary name keeps the suffixes of `path`, because several writers choose their
    format by the ending.

    Parameters
    ----------
    path : path-like
        The file that shall appear.

    Yields
    ------
    pathlib.Path
        Where to write. Removed if the block raises; `path` is then left as it was.

    Raises
    ------
    InputError
        If the folder of `path` does not exist or cannot be written to.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    try:
        handle, name = tempfile.mkstemp(path.name, f".{os.getpid()}-", path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
