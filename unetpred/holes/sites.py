"""Tables of sites: receptive fields or fixations, each a hole of its own."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection
from dataclasses import dataclass

from unetpred.errors import InputError

_MISSING = ("", "NA", "<NA>")  # R and pandas write so what is not known
KNOWN = ("x", "y", "size", "image", "index")


@dataclass(frozen=True)
class Site:
    """One row of a table of sites.

    Attributes
    ----------
    where : str
        What messages call it: file and line.
    x, y : float
        Column and row of the centre, px, 0-based; NaN where the row has none, or no number.
    size : float or None
        Of the hole, in the units of the command line; None where the table has no such column.
    image : str or None
        Path, name or stem of the image; None where the table has no such column.
    index : int or None
        Position in an array; None where the table has no such column.
    others : dict of str to str
        The other columns, which go along into the results.
    error : str
        What is no number, with what message to tell it; empty where all are.
    """

    where: str
    x: float
    y: float
    size: float | None
    image: str | None
    index: int | None
    others: dict[str, str]
    error: str


def read_sites(path: str | os.PathLike, reserved: Collection[str] = ()) -> list[Site]:
    """Read a table of sites: comma separated, with a line of names; lines with # are left out.

    Parameters
    ----------
    path : path-like
        Columns x and y, and, if wanted, size, image, index; any others go along. An empty number,
        nan, or NA is one that is not known.
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
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [(n, line) for n, line in enumerate(file, 1) if line.strip(" \t\r\n,")]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(f"--sites {path}: cannot be read ({reason})") from None
    lines = [(n, line) for n, line in lines if not line.startswith("#")]
    reader = csv.reader(line for _, line in lines)
    try:
        header = [name.strip() for name in next(reader, [])]
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"--sites {path}: is no table ({error})") from None
    names = [name.lower() if name.lower() in KNOWN else name for name in header]
    if missing := [name for name in ("x", "y") if name not in names]:
        raise InputError(
            f"--sites {path}: has no column {missing[0]}; columns x, y[, size][, image], "
            "separated by commas and named in the first line, are right"
        )
    if double := [name for name in names if names.count(name) > 1 or name in reserved]:
        raise InputError(
            f"--sites {path}: a column is called {double[0]!r}, as is another one of the results; "
            "rename it"
        )
    if not rows:
        raise InputError(f"--sites {path}: has no sites below its first line")
    if len(rows) != len(lines) - 1:
        raise InputError(f"--sites {path}: has a line break within quotes; take it out")
    sites = []
    for (number, _), row in zip(lines[1:], rows, strict=True):
        where = f"--sites {path} line {number}"
        if len(row) != len(names):
            raise InputError(f"{where}: has {len(row)} columns, the first line {len(names)}")
        cells = dict(zip(names, (cell.strip() for cell in row), strict=True))
        index = _number(cells.pop("index", None), f"{where}: index")
        numbers, wrong = [], []
        for name in ("x", "y", "size"):
            try:
                numbers.append(_number(cells.pop(name, None), f"{where}: {name}"))
            except InputError as error:
                numbers.append(math.nan)
                wrong.append(str(error))
        if index is not None and math.isnan(index):
            index = None
        if index is not None and not index.is_integer():
            raise InputError(f"{where}: index {index:g}: a whole number is right")
        image = cells.pop("image", None)
        index = index if index is None else int(index)
        sites.append(Site(where, *numbers, image, index, cells, "".join(wrong[:1])))
    return sites


def _number(text: str | None, what: str) -> float | None:
    if text is None:
        return None
    try:
        return float("nan" if text in _MISSING else text)
    except ValueError:
        raise InputError(f"{what} {text!r}: a number is right") from None
