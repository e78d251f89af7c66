"""The doors through which files of others come in: what they raise, and what is no file at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from unetpred.errors import InputError, reason_of

_KINDS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@contextmanager
def reading(name: str, problem: str = "cannot be read") -> Iterator[None]:
    """Turn whatever reading foreign bytes raises into InputError.

    Decoders of foreign bytes raise anything. What leaves here is one line that names the file, so
    that a run goes on with the others.

    Parameters
    ----------
    name : str
        What the message calls it.
    problem : str
        What the message says before the reason.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except MemoryError:
        raise InputError(f"{name}: cannot be read (it takes more memory than there is)") from None
    except ImportError as error:  # no damage of the file
        raise InputError(
            f"{name}: cannot be read without the package {error.name}; "
            f"`pip install {error.name}` is right"
        ) from None
    except RecursionError:
        raise InputError(f"{name}: damaged (it is nested too deep)") from None
    except Exception as error:
        raise InputError(f"{name}: {problem} ({reason_of(error)})") from None


def check_regular(path: str | os.PathLike[str]) -> int:
    """Refuse what is no regular file: reading a pipe or a device may never end.

    Returns
    -------
    int
        Size of the file, bytes.

    Raises
    ------
    InputError
        If it is not there, or something else.
    """
    name = os.fspath(path)
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise InputError(f"{name}: cannot be read ({reason})") from None
    if not stat.S_ISREG(info.st_mode):
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "something else")
        raise InputError(f"{name}: is {kind}; a regular file is right")
    return info.st_size
