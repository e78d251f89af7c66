"""FILE.part: what is finished of a table that is not, line by line, each with its check sum."""

from __future__ import annotations

import io
import json
import logging
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from unetpred.errors import InputError, WriteError, some_of
from unetpred.io.files import atomic_path, set_damaged_aside, writing

logger = logging.getLogger(__name__)

#: What of a provenance may differ between rows of one table; weights go by their sha256.
VARYING = ("date", "command", "note", "weights")


class Part:
    """The finished rows of one table: a line of settings, then a line for each row.

    A line is the CRC-32 of its text, in hexadecimal, a space, and the text, JSON.

    Parameters
    ----------
    target : Path
        The table, FILE.
    settings : dict of str to str
        What must be the same for rows to belong into one table.
    keys : sequence of str
        Names of all rows that the table will have, each of its own.
    unit : str
        What a row is of.
    """

    def __init__(
        self, target: Path, settings: Mapping[str, str], keys: Sequence[str], unit: str = "image"
    ):
        self.path = Path(f"{target}.part")
        self._settings, self._keys, self._unit = dict(settings), list(keys), unit
        self._before: list[str] = self._keys
        self._damaged = False
        self._file: io.FileIO | None = None

    def read(self) -> dict[str, dict]:
        """The rows that are there and whole, by key, as `add` got them.

        Raises
        ------
        InputError
            If they were made with other settings; the file is left as it is.
        """
        if not self.path.exists():
            return {}
        try:
            *lines, _ = self.path.read_bytes().split(b"\n")  # what a kill tore apart is last
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        head, *rows = [_content(line) for line in lines] or [self._head()]
        if not head.keys() >= {"settings", "keys"}:
            self._damaged = True
            logger.warning(
                "%s: is damaged, or none of this version's; it is kept under another name, and all "
                "is done from the beginning",
                self.path,
            )
            return {}
        self._check(head["settings"])
        self._before = head["keys"]
        kept = {row["key"]: row for row in rows if "key" in row}
        if lost := sum("key" not in row for row in rows):
            self._damaged = True
            logger.warning(
                "%s: is damaged; what %d of its %d rows had is done again, and it is kept under "
                "another name",
                self.path,
                lost,
                len(rows),
            )
        return kept

    def _check(self, given: Mapping[str, str]) -> None:
        for name in {**self._settings, **given}:
            before, now = given.get(name, "none"), self._settings.get(name, "none")
            if before != now:
                raise InputError(
                    f"{self.path}: its rows were made with other settings ({name}: {before}; now: "
                    f"{now}); give the same as then, or leave `resume` away to start afresh"
                )

    def tell_changes(self, changed: int) -> None:
        """Say how what is given differs from what the rows are of.

        Parameters
        ----------
        changed : int
            Number of rows whose files are others than then.
        """
        before, now = set(self._before), set(self._keys)
        told = []
        if new := len(now - before):
            told.append(f"{_many(new, self._unit, 'is', 'are')} new, to be done")
        if changed:
            told.append(f"{_many(changed, self._unit, 'has', 'have')} changed, to be done again")
        if gone := len(before - now):
            told.append(f"{_many(gone, self._unit, 'is', 'are')} not given any more, and left out")
        if told:
            logger.warning("%s: %s", self.path, "; ".join(told))

    def go_on(self, kept: Collection[dict]) -> None:
        """Begin with rows that were read; a damaged file is kept under another name.

        Parameters
        ----------
        kept : collection of dict
            Of `read`.
        """
        with atomic_path(self.path) as temporary:
            with temporary.open("wb") as file:
                file.writelines(_line(content) for content in (self._head(), *kept))
            if self._damaged:
                set_damaged_aside(self.path)
        self._file = self.path.open("ab", buffering=0)

    def add(self, rows: Iterable[dict]) -> None:
        """Write rows down, at once for all of a batch; each has a `key` and whatever else.

        Raises
        ------
        WriteError
            If the disk is full, say; what was there before is kept.
        """
        with writing(self.path):
            lines = [_line(row) for row in rows]
            if self._file is None:
                self._file = self.path.open("wb", buffering=0)
                lines.insert(0, _line(self._head()))
            left = memoryview(b"".join(lines))
            while left:
                left = left[self._file.write(left) :]

    def _head(self) -> dict:
        return {"settings": self._settings, "keys": self._keys}

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """The table is there, or nothing could be scored: nothing is left to go on with."""
        self.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


def _line(content: dict) -> bytes:
    text = json.dumps(content).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _content(line: bytes) -> dict:
    """What a line says; nothing if it is not as it was written."""
    digest, _, text = line.partition(b" ")
    if digest != b"%08x" % zlib.crc32(text):
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _many(count: int, unit: str, one: str, several: str) -> str:
    return f"{count} {unit} {one}" if count == 1 else f"{count} {unit}s {several}"


def warn_of_replacing(path: Path) -> None:
    """Say that what an interrupted run has left is given up."""
    logger.warning(
        "%s: what an interrupted run had finished is replaced; `resume` goes on with it instead",
        path,
    )


@contextmanager
def telling_what_is_kept(parts: Iterable[Path], resume: str) -> Iterator[None]:
    """Add to an error in writing a file where finished rows are, and how to go on.

    Parameters
    ----------
    parts : iterable of Path
        Where they are, if there are any.
    resume : str
        From `unetpred.runtime.command_line.Call`.
    """
    try:
        with writing("a file"):  # whose name nothing has told
            yield
    except WriteError as error:
        kept = [str(path) for path in parts if path.exists()]
        more = f"; what is finished is kept in {some_of(kept)}; {resume}" if kept else ""
        told = WriteError(f"{error}{more}")
        told.errno = error.errno
        raise told from None
