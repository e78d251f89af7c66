"""From jobs that are done to tables, arrays and lines."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unetpred.errors import escaped
from unetpred.images.sources import Input
from unetpred.io.files import atomic_path
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.results.tables import write_table
from unetpred.runs.scoring.jobs import Job
from unetpred.runs.scoring.outputs import Outputs
from unetpred.runs.scoring.score_batch import Scoring
from unetpred.scoring.covariates import CONTENT_COVARIATES, COVARIATES
from unetpred.scoring.luminance import LUMINANCE_COVARIATES

logger = logging.getLogger(__name__)


def row_of(job: Job, columns: list[str]) -> dict:
    """One tidy row: what the job is, its scores, and why one is undefined.

    Parameters
    ----------
    job : Job
        One that is done, or has failed.
    columns : list of str
        From `score_columns`; NaN where the job has no value.
    """
    empty = {**dict.fromkeys(columns, math.nan), "reason": job.error or ""}
    return {**job.columns, **empty, **(job.scores or {})}


def score_columns(scoring: Scoring) -> list[str]:
    """The columns of numbers, for what is computed."""
    names = list(scoring.output)
    if scoring.content:
        names += [f"content_{layer}" for layer in CONTENT_LAYERS]
    if scoring.covariates:
        names += COVARIATES
        names += LUMINANCE_COVARIATES if scoring.luminance else ()
        names += CONTENT_COVARIATES if scoring.content else ()
    return names


def write_files(
    inputs: list[Input],
    rows: list[dict],
    tables: dict[str, Path],
    outputs: Outputs,
    output: Sequence[str],
    origin: dict[str, str],
) -> None:
    """Write scores into the files that were asked for, or that belong beside the inputs.

    Parameters
    ----------
    inputs : list of Input
    rows : list of dict
        One for each place of each input, or for each site.
    tables : dict of str to Path
        From `unetpred.runs.scoring.outputs.check_targets`; none with sites.
    outputs : Outputs
        The files of all rows.
    output : sequence of str
        The scores.
    origin : dict of str to str
        From `unetpred.runs.provenance.provenance`.
    """
    for one, part in rows_of(inputs, rows) if tables else ():
        target = tables.get(one.path)
        if one.error or not target:
            continue  # its row is in the table of all
        if one.kind == "array":
            _write_scores(target, part, output)
        else:
            write_table(target, part, origin)
        logger.info("%s: scores of %d image(s) are in %s", one.path, len(part), target)
    if outputs.scores:
        _write_scores(outputs.scores, rows, output)
    if outputs.save:
        write_table(outputs.save, rows, origin)


def _write_scores(path: str | Path, rows: list[dict], output: Sequence[str]) -> None:
    """Write scores alone, float64 (N,), or (N,K) of K scores, as .npy."""
    scores = np.array([[row[name] for name in output] for row in rows], "float64")
    with atomic_path(path) as temporary:
        np.save(temporary, scores[:, 0] if len(output) == 1 else scores)


def rows_of(inputs: list[Input], rows: list[dict]) -> Iterator[tuple[Input, list[dict]]]:
    """The rows of each input."""
    start = 0
    for one in inputs:
        stop = start + len(one.places)
        yield one, rows[start:stop]
        start = stop


def lines(
    inputs: list[Input],
    rows: list[dict],
    output: Sequence[str],
    sites: bool,
    digits: int | None = None,
) -> list[str]:
    """What goes to stdout: a line for each site, or for each picture that is no part of an array.

    Parameters
    ----------
    inputs, rows, output
        As for `write_files`.
    sites : bool
        Whether rows are of sites.
    digits : int, optional
        Decimals of scores, for people to read; all that there are if not given.
    """
    if sites:
        return [_line(row, ["image", "x", "y", "size"], output, digits) for row in rows]
    return [
        _line(row, ["image"], output, digits)
        for one, part in rows_of(inputs, rows)
        if one.kind != "array" and (not one.error or one.kind == "image")
        for row in part
    ]


def _line(row: dict, names: list[str], scores: Sequence[str], digits: int | None) -> str:
    told = [escaped(str(row[name])) for name in names]
    values = [row[name] for name in scores]
    return "\t".join(told + [repr(v) if digits is None else f"{v:.{digits}f}" for v in values])
