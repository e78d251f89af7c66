"""From jobs that are done to tables, arrays and lines."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import numpy as np

from unetpred.images.sources import Input
from unetpred.io.files import atomic_path
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.runs.jobs import Job
from unetpred.runs.provenance import write_table
from unetpred.scoring.covariates import CONTENT_COVARIATES, COVARIATES

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


def score_columns(args: argparse.Namespace) -> list[str]:
    """The columns of numbers, for what the command line asks for."""
    names = list(args.output)
    if "content" in args.output:
        names += [f"content_{layer}" for layer in CONTENT_LAYERS]
    if args.sites:
        names += [*COVARIATES, *(CONTENT_COVARIATES if "content" in args.output else ())]
    return names


def write_files(
    inputs: list[Input],
    jobs: list[Job],
    tables: dict[str, Path],
    args: argparse.Namespace,
    origin: dict[str, str],
) -> list[str]:
    """Write scores into the files that were asked for, or that belong beside the inputs.

    Parameters
    ----------
    inputs : list of Input
    jobs : list of Job
    tables : dict of str to Path
        From `unetpred.runs.outputs.check_targets`.
    args : argparse.Namespace
        Of `unetpred predict`.
    origin : dict of str to str
        From `unetpred.runs.provenance.provenance`.

    Returns
    -------
    list of str
        What goes to stdout: a line for each site, or for each picture that is no part of an array.
    """
    columns = score_columns(args)
    if args.sites:
        rows = [row_of(job, columns) for job in jobs]
        if args.save:
            write_table(args.save, rows, origin)
        return [_line(row, ["image", "x", "y", "size"], args.output) for row in rows]
    by_source = {id(job.source): row_of(job, columns) for job in jobs}
    lines = []
    for one in inputs:
        rows = [by_source[id(source)] for source in one.places]
        if one.error and one.kind != "image":
            continue  # its row is in the table of --save
        target = tables.get(one.path)
        if one.kind == "array":
            scores = np.array([[row[name] for name in args.output] for row in rows], "float64")
            with atomic_path(target) as temporary:
                np.save(temporary, scores[:, 0] if len(args.output) == 1 else scores)
        else:
            lines += [_line(row, ["image"], args.output) for row in rows]
            if target:
                write_table(target, rows, origin)
        if target:
            logger.info("%s: scores of %d image(s) are in %s", one.path, len(rows), target)
    if args.save:
        write_table(args.save, list(by_source.values()), origin)
    return lines


def _line(row: dict, names: list[str], scores: list[str]) -> str:
    return "\t".join([*(str(row[name]) for name in names), *(repr(row[name]) for name in scores)])
