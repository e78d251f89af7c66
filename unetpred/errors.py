"""Errors that a user can mend, and names as they stand in messages and tables."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: it names the file or value, says what is wrong and what would be
    right. What a user gives by name stands in backquotes, as in "`batch_size` 0: at least 1 is
    right"; the command line, which has options for it, prints these instead, without a traceback.
    """

    def __str__(self) -> str:
        return escaped(super().__str__())


class WriteError(OSError):
    """A file could not be written: the disk is full, say.

    The message is one line that names the file.
    """

    def __str__(self) -> str:
        return escaped(" ".join(map(str, self.args)))


class ClusterError(ConnectionError):
    """A cluster is gone, or does not get on; what came of it before is kept.

    The message is one line that says so, and how to go on.
    """

    def __str__(self) -> str:
        return escaped(" ".join(map(str, self.args)))


def reason_of(error: BaseException) -> str:
    """Put the cause of `error` on one line."""
    return escaped(" ".join(str(error).split()) or type(error).__name__)


def escaped(text: str) -> str:
    r"""Write what would break a line, or is no text, as Python does within quotes.

    Line breaks become ``\n`` and ``\r``, other control characters ``\x1b`` and the like, and bytes
    of a file's name that are no UTF-8 ``\udc..`` with the byte in the last two places. All else,
    backslashes too, stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(c) if _breaks(c) else c for c in text)


def some_of(names: Iterable[str], most: int = 5) -> str:
    """List names, and of many the first few and how many there are."""
    names = list(names)
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _breaks(character: str) -> bool:
    code = ord(character)
    return code < 32 or 127 <= code < 160 or code in (0x2028, 0x2029) or 0xD800 <= code < 0xE000


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
