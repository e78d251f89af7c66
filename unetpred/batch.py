"""Scoring whatever the command line names: files, arrays, directories."""

from __future__ import annotations

import argparse
import logging
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.geometry import Holes
from unetpred.images import Input, list_sources
from unetpred.jobs import BATCH, Failures, Job, Loaded, Reader, ahead, batches, label
from unetpred.quiet import import_keras, progress_bar
from unetpred.report import provenance, write_table
from unetpred.targets import Arrays, check_targets, picture_names
from unetpred.weights import find_weights, sha256

if TYPE_CHECKING:
    from unetpred.predict import Predictor

logger = logging.getLogger(__name__)


def score_inputs(args: argparse.Namespace) -> int:
    """Score all inputs, write what was asked for, and say how it went.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.

    Returns
    -------
    int
        0 if all were scored, 1 if some were not, 2 if none was.
    """
    if args.batch_size is not None and args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    args.output = list(dict.fromkeys(args.output))
    holes = Holes(args)
    inputs = list_sources(args.input, args.key, args.recursive)
    for one in inputs:
        if one.error:
            logger.error("unetpred: %s", one.error)
    sources = [source for one in inputs for source in one.sources]
    if not sources:
        return 2
    holes.check_count(len(sources))
    tables = check_targets(args, inputs)
    jobs = [
        Job(source, position, {"image": source.path, "index": source.index})
        for position, source in enumerate(sources)
    ]
    fail = Failures()
    planned = batches(jobs, holes, args.batch_size, fail)
    if not planned:
        return 2
    arrays = Arrays(args, len(jobs), [job.source.size for batch in planned for job in batch])
    pictures = picture_names(args, sources)

    import_keras()
    from unetpred.predict import Predictor

    name, path = find_weights(args.weights)
    predictor = Predictor(args.weights, args.vgg_weights, args.batch_size or BATCH)
    vgg = None
    if "content" in args.output:
        predictor.vgg()  # before anything is computed that a missing file would waste
        given = args.vgg_weights
        vgg = f"{given} (sha256 {sha256(given)})" if given else "ImageNet, keras.applications"
    weights = name, sha256(path)
    origin = provenance(weights, str(holes), args.output, _command(), vgg, holes.around)

    with arrays, progress_bar(len(jobs), "image", args.quiet) as bar:
        for loaded in ahead(Reader(holes, fail, arrays.wanted or bool(pictures)), planned):
            if loaded.jobs:
                _score(loaded, predictor, arrays, pictures, args)
            bar.update(loaded.asked)
    failed = [job for job in jobs if job.error]
    if len(failed) == len(jobs):
        return 2
    _write(inputs, jobs, tables, args, origin)
    return 1 if failed or any(one.error for one in inputs) else 0


def _command() -> str:
    program = "pred.py" if Path(sys.argv[0]).name == "pred.py" else "unetpred"
    return shlex.join([program, *sys.argv[1:]])


def _score(
    loaded: Loaded,
    predictor: Predictor,
    arrays: Arrays,
    pictures: dict[int, Path],
    args: argparse.Namespace,
) -> None:
    """Score one batch of scenes of one size."""
    scenes = loaded.scenes
    pixels = np.stack([scene.pixels for scene in scenes])  # (N,h,w,3)
    visible, holes = (
        np.stack([getattr(scene, name) for scene in scenes])[..., None]  # (N,h,w,1)
        for name in ("visible", "hole")
    )
    whole = args.save_network_output is not None
    result = predictor.score(pixels, visible, args.output, whole, holes)
    for i, job in enumerate(loaded.jobs):
        scores = {name: float(getattr(result, name)[i]) for name in args.output}
        if result.content_layers is not None:
            from unetpred.vgg import CONTENT_LAYERS

            for layer, value in zip(CONTENT_LAYERS, result.content_layers[i], strict=True):
                scores[f"content_{layer}"] = float(value)
        job.scores = {**scores, "reason": result.reasons[i]}
        if not loaded.images:
            continue
        image, scene = loaded.images[i], scenes[i]
        filled = image.copy()
        scene.paste(result.filled[i], filled)
        output = None
        if whole:
            output = np.full_like(image, np.nan)
            scene.paste(result.network_output[i], output)
        arrays.put(job.position, {"filled": filled, "network_output": output})
        if pictures:
            from unetpred.plots import save, triptych

            mask = np.ones(image.shape[:2], "float32")
            scene.paste(scene.hole, mask)
            numbers = "   ".join(f"{name} {scores[name]:.3f}" for name in args.output)
            figure = triptych(image, mask, filled, f"{label(job.source)}\n{numbers}")
            save(figure, pictures[job.position])


def _row(job: Job, outputs: list[str]) -> dict:
    from unetpred.vgg import CONTENT_LAYERS

    names = list(outputs)
    if "content" in outputs:
        names += [f"content_{layer}" for layer in CONTENT_LAYERS]
    empty = {**dict.fromkeys(names, math.nan), "reason": job.error or ""}
    return {**job.columns, **empty, **(job.scores or {})}


def _write(
    inputs: list[Input],
    jobs: list[Job],
    tables: dict[str, Path],
    args: argparse.Namespace,
    origin: dict[str, str],
) -> None:
    """Scores into files, then to stdout, whose reader may have gone."""
    by_source = {id(job.source): _row(job, args.output) for job in jobs}
    lines = []
    for one in inputs:
        rows = [by_source[id(source)] for source in one.sources]
        if not rows:
            continue
        target = tables.get(one.path)
        if one.kind == "array":
            scores = np.array([[row[name] for name in args.output] for row in rows], "float64")
            with atomic_path(target) as temporary:
                np.save(temporary, scores[:, 0] if len(args.output) == 1 else scores)
        else:
            lines += [
                "\t".join([row["image"], *(repr(row[name]) for name in args.output)])
                for row in rows
            ]
            if target:
                write_table(target, rows, origin)
        if target:
            logger.info("%s: scores of %d image(s) are in %s", one.path, len(rows), target)
    if args.save:
        write_table(args.save, list(by_source.values()), origin)
    sys.stdout.writelines(f"{line}\n" for line in lines)
