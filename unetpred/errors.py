"""Errors that a user can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: it names the file or value, says what is wrong and what would be
    right. What a user gives by name stands in backquotes, as in "`batch_size` 0: at least 1 is
    right"; the command line, which has options for it, prints these instead, without a traceback.
    """


def reason_of(error: BaseException) -> str:
    """Put the cause of `error` on one line."""
    return " ".join(str(error).split()) or type(error).__name__
