"""The command line of this process, written so that it can be typed again."""

from __future__ import annotations

import os
import shlex
import string
import sys
from dataclasses import dataclass
from pathlib import Path

#: Characters of a command in a message; 20,000 names, put there by a shell, are no use in one.
LONGEST = 4000


@dataclass(frozen=True)
class Call:
    """What asked for a run, in words.

    Attributes
    ----------
    command : str
        For provenance.
    resume : str
        What an interrupted user is told to do.
    is_process : bool
        Whether it is all that the process does, as of a command; else the process is the user's.
    """

    command: str
    resume: str
    is_process: bool = True

    @classmethod
    def of_process(cls) -> Call:
        """The command line of this process."""
        return cls(command_line(), f"go on with: {resume_command()}")


def command_line() -> str:
    """The command line, for provenance."""
    return _joined([*_program(), *sys.argv[1:]])


def resume_command() -> str:
    """The command line with --resume, to go on after a run was stopped."""
    # of a training, what is in the folder of the run is newer than what this run went on from
    kept, skip = [], False
    for option in sys.argv[1:]:
        if not skip and not option.startswith("--resume"):
            kept.append(option)
        skip = option == "--resume_path"
    command = _joined([*_program(), *kept, "--resume"])
    return command if len(command) <= LONGEST else "the same command and --resume"


def _joined(words: list[str]) -> str:
    """One line for a shell; words that would break it as bash and zsh read them."""
    return " ".join(
        shlex.quote(word) if word.isprintable() else f"$'{_in_bytes(word)}'" for word in words
    )


def _in_bytes(word: str) -> str:
    plain = set(string.ascii_letters + string.digits + "._-/=,+:@% ")
    return "".join(
        chr(byte) if chr(byte) in plain else f"\\x{byte:02x}" for byte in os.fsencode(word)
    )


def _program() -> list[str]:
    name = Path(sys.argv[0]).name
    if name == "__main__.py":
        return ["python", "-m", "unetpred"]
    return ["python", sys.argv[0]] if name.endswith(".py") else [name]
