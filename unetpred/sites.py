"""Tables of sites: receptive fields or fixations, each a hole of its own."""

from __future__ import annotations

import argparse
import csv
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unetpred.covariates import CONTENT_COVARIATES, COVARIATES
from unetpred.errors import InputError
from unetpred.geometry import Holes, Place, whole_pixel
from unetpred.images import Source
from unetpred.jobs import Failures, Job
from unetpred.vgg import CONTENT_LAYERS

_MISSING = ("", "NA", "<NA>")  # R and pandas write so what is not known
KNOWN = ("x", "y", "size", "image", "index")
_OURS = {"size_deg", "structure", "content", "reason", *COVARIATES, *CONTENT_COVARIATES}
_OURS |= {f"content_{layer}" for layer in CONTENT_LAYERS}


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


def read_sites(path: str | os.PathLike) -> list[Site]:
    """Read a table of sites: comma separated, with a line of names; lines with # are left out.

    Parameters
    ----------
    path : path-like
        Columns x and y, and, if wanted, size, image, index; any others go along. An empty number,
        nan, or NA is one that is not known.

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
    if double := [name for name in names if names.count(name) > 1 or name in _OURS]:
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


def site_jobs(
    args: argparse.Namespace, holes: Holes, sources: list[Source], fail: Failures
) -> list[Job]:
    """Make a job of every site at every size, in the order of the table.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.
    holes : Holes
        Of the same arguments.
    sources : list of Source
        The pictures that the sites lie in.
    fail : Failures
        What is told about sites whose numbers are wrong.

    Returns
    -------
    list of Job
        Their places are whole pixels, by `unetpred.geometry.whole_pixel`. A site whose numbers are
        not known is done already, with the reason.

    Raises
    ------
    InputError
        One line that names the site, if its picture cannot be told.
    """
    sites = read_sites(args.sites)
    if sites[0].size is not None and args.mask_size:
        raise InputError(
            f"--sites {args.sites}: has a column size; leave --mask_size away, or the column"
        )
    find = _finder(sources)
    jobs = []
    for site in sites:
        source = find(site)
        own = None if site.size is None else [site.size]
        unknown = [n for n in ("x", "y", "size") if not math.isfinite(getattr(site, n) or 0)]
        for given in own or holes.sizes:
            size, error = given, site.error
            if own and "size" not in unknown:
                try:
                    size = holes.pixels(given, f"{site.where}: size")
                except InputError as wrong:
                    size, error = math.nan, error or str(wrong)
            job = Job(source, len(jobs), {"image": source.path, "index": source.index})
            job.columns |= {"x": site.x, "y": site.y, "size": size}
            if error:
                fail(job, error)
            elif unknown:
                job.scores = {"reason": f"{' and '.join(unknown)} not known"}
            else:
                job.place = Place(whole_pixel(site.x), whole_pixel(site.y), size)
                job.columns |= vars(job.place)
            if args.pixels_per_degree:
                job.columns["size_deg"] = size / args.pixels_per_degree
            job.columns |= site.others
            jobs.append(job)
    return jobs


def _finder(sources: list[Source]) -> Callable[[Site], Source]:
    """A function that tells which picture a site lies in."""
    keys = (lambda p: p, os.path.abspath, lambda p: Path(p).name, lambda p: Path(p).stem)
    by_key: list[dict[str, list[Source]]] = [{} for _ in keys]
    for source in sources:
        for key, found in zip(keys, by_key, strict=True):
            found.setdefault(key(source.path), []).append(source)

    def find(site: Site) -> Source:
        found = sources
        if site.image is not None:
            names = (site.image, os.path.abspath(site.image), site.image, site.image)
            pairs = zip(names, by_key, strict=True)
            found = next((known[name] for name, known in pairs if name in known), [])
            if not found:
                raise InputError(
                    f"{site.where}: image {site.image!r} is none of the inputs; their path, name, "
                    "or name without its ending is right"
                )
        if site.index is not None:
            found = [source for source in found if (source.index or 0) == site.index]
            if not found:
                raise InputError(f"{site.where}: there is no image of index {site.index}")
        if len(found) > 1:
            paths = sorted({source.path for source in found})
            need = (
                f"{paths[0]} has {len(found)} images; a column index says which"
                if len(paths) == 1
                else f"it could lie in {paths[0]} or {paths[1]}; the path in a column image says"
                " which"
            )
            raise InputError(f"{site.where}: {need}")
        return found[0]

    return find
