"""Errors that a user can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: it names the file or value, says what is wrong and what would be
    right. The command line prints it as it is, without a traceback.
    """


def reason_of(error: BaseException) -> str:
    """Put the cause of `error` on one line."""
    return " ".join(str(error).split()) or type(error).__name__
