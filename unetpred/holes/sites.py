"""Tables of sites: receptive fields or fixations, each a hole of its own."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from unetpred.errors import InputError
from unetpred.io.reading import check_regular, reading

if TYPE_CHECKING:
    import pandas

_MISSING = ("", "NA", "<NA>")  # R and pandas write so what is not known
KNOWN = ("x", "y", "size", "image", "index")
IN_DEGREES = ("x_deg", "y_deg")
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Site:
    """One row of a table of sites.

    Attributes
    ----------
    where : str
        What messages call it: file and line.
    x, y : float
        Column and row of the centre, px, 0-based; NaN where the row has none, or no number.
    size : float or None
        Of the hole, in the units of the table; None where the table has no such column.
    image : str or None
        Path, name or stem of the image; None where the table has no such column.
    index : int or None
        Position in an array; None where the table has no such column.
    others : dict of str to object
        The other columns, which go along into the results.
    error : str
        What is no number, with what message to tell it; empty where all are.
    in_degrees : bool
        Whether x and y are degrees of visual angle from the image's centre, to the right and
        upwards, as receptive fields are given.
    """

    where: str
    x: float
    y: float
    size: float | None
    image: str | None
    index: int | None
    others: dict[str, object]
    error: str
    in_degrees: bool = False


@dataclass(frozen=True, eq=False)
class Sites:
    """A table of sites.

    Parameters
    ----------
    table : path-like or pandas.DataFrame
        Columns x and y, or x_deg and y_deg, and, if wanted, size, image, index; any others go
        along.
    units : {"px", "deg"}
        Of a column size. Columns x and y are px always.
    """

    table: str | os.PathLike[str] | pandas.DataFrame
    units: Literal["px", "deg"] = "px"

    @property
    def path(self) -> str | None:
        """The file; None for a table in memory."""
        return os.fspath(self.table) if isinstance(self.table, str | os.PathLike) else None

    @property
    def name(self) -> str:
        """What messages call the table."""
        return self.path or "sites"

    def read(self, reserved: Collection[str] = ()) -> list[Site]:
        """The sites, in the order of the table.

        Parameters
        ----------
        reserved : collection of str
            Names of columns that the results will have.

        Raises
        ------
        InputError
            One line that names file and line: not a table, a column is missing, or an index is
            none.
        """
        if self.path is not None:
            return _of_file(self.path, self._content, reserved)
        table: Any = self.table
        if not (hasattr(table, "columns") and hasattr(table, "itertuples")):
            raise InputError(
                f"{self.name}: {type(table).__name__} is no table; a pandas.DataFrame, or the path "
                "of a .csv, is right"
            )
        header = [str(name) for name in table.columns]
        frame = table.astype(object).where(table.notna(), math.nan)
        rows = (
            (f"{self.name}: row {number}", list(row))
            for number, row in enumerate(frame.itertuples(index=False, name=None))
        )
        return _sites(self.name, header, rows, reserved)

    @cached_property
    def _content(self) -> bytes:
        """What the file holds, read once: a pipe gives it but once."""
        assert self.path is not None
        return _bytes_of(self.path)

    @cached_property
    def _digest(self) -> str:
        if self.path is not None:
            return hashlib.sha256(self._content).hexdigest()
        table: Any = self.table
        return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()

    def __str__(self) -> str:
        what = self.path or "a table in memory"
        return f"the sites of {what} (sha256 {self._digest})"


def read_sites(path: str | os.PathLike[str], reserved: Collection[str] = ()) -> list[Site]:
    """Read a table of sites, with a line of names; lines with # are left out.

    Parameters
    ----------
    path : path-like
        Separated by commas, semicolons or tabs; numbers may have a decimal comma where commas do
        not separate. Columns x and y, or x_deg and y_deg, and, if wanted, size, image, index; any
        others go along. An empty number, nan, or NA is one that is not known.
    reserved : collection of str
        Names of columns that the results will have.

    Returns
    -------
    list of Site

    Raises
    ------
    InputError
        One line that names file and line: not a table, a column is missing, or an index is none.
    """
    return _of_file(os.fspath(path), _bytes_of(path), reserved)


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    name = os.fspath(path)
    # what a shell puts in place of <(...), and what is piped into the program
    piped = name == "/dev/stdin" or name.startswith(("/dev/fd/", "/proc/self/fd/"))
    with reading(name):
        if not (piped and stat.S_ISFIFO(os.stat(path).st_mode)):
            check_regular(path)
        with open(path, "rb") as file:
            return file.read()


def _of_file(path: str, content: bytes, reserved: Collection[str]) -> list[Site]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: cannot be read (it is no UTF-8 text); save it as CSV in UTF-8"
        ) from None
    lines = _Lines(text)
    try:
        first = next(lines, "")
        separator = _separator(first)
        reader = csv.reader(itertools.chain([first] if first else (), lines), delimiter=separator)
        header = [name.strip() for name in next(reader, [])]
        return _sites(path, header, _rows(path, reader, lines), reserved, separator != ",")
    except csv.Error as error:
        raise InputError(f"{path}: is no table ({error})") from None


class _Lines:
    """The lines of a table one by one, without empty ones and those with #; a large one has many.

    Attributes
    ----------
    number : int
        Of the line that was given last, from 1.
    """

    def __init__(self, text: str):
        self.number = 0
        self._all = enumerate(io.StringIO(text, newline=""), 1)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        for number, line in self._all:
            if not line.startswith("#") and line.strip(" \t\r\n,;"):
                self.number = number
                return line
        raise StopIteration


def _rows(path: str, reader: Any, lines: _Lines) -> Iterator[tuple[str, list[str]]]:
    """Rows below the first line, each with what messages call it."""
    for count, row in enumerate(reader, 2):
        if reader.line_num != count:
            raise InputError(f"{path}: has a line break within quotes; take it out")
        yield f"{path} line {lines.number}", row


def _separator(header: str) -> str:
    """What separates columns: that at which the first line has x and y among its names."""
    for separator in SEPARATORS:
        names = {
            name.strip().lower() for name in next(csv.reader([header], delimiter=separator), ())
        }
        if {"x", "y"} <= names or {*IN_DEGREES} <= names:
            return separator
    return max(SEPARATORS, key=header.count)  # whose message says what is missing


def _sites(
    table: str,
    header: list[str],
    rows: Iterable[tuple[str, Sequence[object]]],
    reserved: Collection[str],
    decimal_comma: bool = False,
) -> list[Site]:
    """Make sites of rows, each with what messages call it."""
    small = {name.lower() for name in header}
    places = ("x", "y")
    if not {"x", "y"} & small and {*IN_DEGREES} <= small:
        places = IN_DEGREES
    known = {*KNOWN, *places}
    names = [low if (low := name.lower()) in known else name for name in header]
    if missing := [name for name in places if name not in names]:
        raise InputError(
            f"{table}: has no column {missing[0]}; columns x, y (or x_deg, y_deg)[, size][, image]"
            "[, index], separated by commas, semicolons or tabs and named in the first line, are "
            "right"
        )
    count = Counter(names)
    if double := [name for name in names if count[name] > 1 or name in reserved]:
        raise InputError(
            f"{table}: a column is called {double[0]!r}, as is another one of the results; "
            "rename it"
        )
    sites = [_site(where, names, row, places, decimal_comma) for where, row in rows]
    if not sites:
        raise InputError(f"{table}: has no sites below its first line")
    return sites


def _site(
    where: str,
    names: list[str],
    row: Sequence[object],
    places: tuple[str, str],
    decimal_comma: bool,
) -> Site:
    if len(row) != len(names):
        raise InputError(f"{where}: has {len(row)} columns, the first line {len(names)}")
    cells = {
        name: cell.strip() if isinstance(cell, str) else cell
        for name, cell in zip(names, row, strict=True)
    }
    index = _number(cells.pop("index", None), where, "index")
    others = dict(cells)
    numbers: list[Any] = []
    wrong = []
    for name in (*places, "size"):
        if name not in IN_DEGREES:  # which go along, since the results have them in px
            others.pop(name, None)
        try:
            value = cells.get(name)
            if decimal_comma and value is not None and re.fullmatch(r"[+-]?\d*,\d+", str(value)):
                value = str(value).replace(",", ".")
                if name in others:
                    others[name] = value
            numbers.append(_number(value, where, name))
        except InputError as error:
            numbers.append(math.nan)
            wrong.append(str(error))
    if index is not None and math.isnan(index):
        index = None
    if index is not None and not index.is_integer():
        raise InputError(f"{where}: index {index:g}: a whole number is right")
    image: Any = others.pop("image", None)
    if isinstance(image, float):  # NaN: a table in memory has no name there
        image = ""
    return Site(
        where,
        numbers[0],
        numbers[1],
        numbers[2],
        image if image is None else os.fspath(image),
        index if index is None else int(index),
        others,
        "".join(wrong[:1]),
        places == IN_DEGREES,
    )


def _number(value: object, where: str, name: str) -> float | None:
    """A number of a cell; NaN where it is not known, None where there is no such column."""
    if value is None:
        return None
    try:
        return float("nan" if value in _MISSING else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} {value!r}: a number is right") from None
