"""Errors that a user can mend."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: it names the file or value, says what is wrong and what would be
    right. The command line prints it as it is, without a traceback.
    """
