"""Files that appear whole or not at all."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from unetpred.errors import InputError, WriteError, escaped

#: Of a disk, not of what is written: full, over a quota, too large, broken, gone.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ENODEV}


def is_of_disk(error: OSError) -> bool:
    """Whether it is the disk that failed, and not what was asked of it."""
    return error.errno in _DISK


def check_target(path: str | os.PathLike[str], *endings: str) -> None:
    """Refuse a file that could not be written, before what it is to hold is computed.

    Raises
    ------
    InputError
        If it has another ending, is a folder, or its folder is not there or cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise InputError(f"{path}: a file that ends in {' or '.join(endings)} is right here")
    _check_place(path)
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: its folder {path.parent} cannot be written to")
    # whoever may write everything still means it by taking the right away
    if path.exists() and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
        raise InputError(f"{path}: is there and write-protected; give another name, or remove it")


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder {path.parent} does not exist; create it first")


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, if it is not there, before what goes into it is computed.

    Raises
    ------
    InputError
        If it cannot be made, or cannot be written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made a folder ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: cannot be written to; give another folder")
    return folder


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
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
    WriteError
        If the disk is full, say.
    """
    path = Path(path)
    _check_place(path)
    try:
        handle, name = tempfile.mkstemp(path.name, f".{os.getpid()}-", path.parent)
    except OSError as error:
        if is_of_disk(error):
            raise write_error(path, error) from None
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        with writing(path):
            yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_error(path: str | os.PathLike[str], error: OSError) -> WriteError:
    """Put into one line that names the file why it could not be written."""
    reason = error.strerror or str(error)
    known = WriteError(f"{path}: could not be written ({reason}); make room and try again")
    known.errno = error.errno
    return known


def stamp_of(path: str | os.PathLike[str]) -> str:
    """What changes when a file does, of its size and time; empty without one."""
    try:
        info = os.stat(path)
    except OSError:
        return ""
    return f"{info.st_size}-{info.st_mtime_ns}"


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a full or broken disk raises into WriteError, which names the file.

    Parameters
    ----------
    path : path-like
        What is being written, or added to.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        if is_of_disk(error):
            raise write_error(path, error) from None
        raise


@contextmanager
def folder_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside `path`, for what is written as several files.

    Parameters
    ----------
    path : path-like
        The file or folder that shall appear.

    Yields
    ------
    pathlib.Path
        Where to write. Removed when the block ends; what shall stay is renamed before.
    """
    path = Path(path)
    with writing(path):
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        with writing(path):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_damaged_aside(path: str | os.PathLike[str]) -> Path:
    """Rename a file that cannot be used, so that another may take its place, and give its name.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    path, number = Path(path), 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    os.replace(path, aside)
    return aside


def write_rows(file: TextIO, names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write comma-separated lines below what tells of their making in lines that start with #.

    Parameters
    ----------
    file : text file
    names : iterable of str
        Of the columns.
    rows : iterable of iterables
        The values, in the order of `names`; None is an empty cell. Text is `escaped`.
    """
    plain = csv.writer(file, lineterminator="\n")
    # readers for whom # begins a comment take it for one anywhere in a line but within quotes
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in (names, *rows):
        cells = [escaped(cell) if isinstance(cell, str) else cell for cell in row]
        writer = quoted if any("#" in cell for cell in cells if isinstance(cell, str)) else plain
        writer.writerow(cells)
