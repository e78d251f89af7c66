"""Scoring whatever the command line names: files, arrays, directories."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.holes.scenes import Holes
from unetpred.images.sources import Input, list_sources
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import find_vgg
from unetpred.runs.jobs import BATCH, Failures, Job, Loaded, Reader, batches, label
from unetpred.runs.outputs import Arrays, Earlier, check_targets, picture_names
from unetpred.runs.partial import Parts
from unetpred.runs.provenance import provenance
from unetpred.runs.results import write_files
from unetpred.runs.sites import site_jobs
from unetpred.runtime.command_line import resume_command
from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.prefetch import prefetch
from unetpred.runtime.progress import progress_bar
from unetpred.scoring.covariates import FILLINGS, box_of, covariates

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor

logger = logging.getLogger(__name__)

TOLD = 10  # undefined scores that are told one by one


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

    Raises
    ------
    InputError
        If arguments or files cannot be used.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    if args.batch_size is not None and args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    args.output = list(dict.fromkeys(args.output))
    holes = Holes(args)
    inputs = list_sources(args.input, args.key, args.recursive)
    earlier = Earlier(args, inputs)
    code = _score_inputs(args, holes, inputs)
    for path in earlier.left() if code else ():
        logger.warning("%s: is left from an earlier run; this one could not make it", path)
    return code


def _score_inputs(args: argparse.Namespace, holes: Holes, inputs: list[Input]) -> int:
    sources = [source for one in inputs for source in one.sources]
    if args.sites or not sources:
        for one in inputs:
            if one.error:
                logger.error("unetpred: %s", one.error)
    if not sources:
        return 2
    tables = check_targets(args, inputs)
    if args.resume and not (args.save or tables):
        raise InputError("--resume needs a table to go on with; give --save FILE")
    find_weights(args.weights)
    if "content" in args.output and args.vgg_weights:
        find_vgg(args.vgg_weights)
    fail = Failures()
    if args.sites:
        jobs = site_jobs(args, holes, sources, fail)
    else:
        # what cannot be used has its place too: masks are counted by it, and it has a row
        places = [source for one in inputs for source in one.places]
        holes.check_count(len(places))
        jobs = [
            Job(source, position, {"image": source.path, "index": source.index})
            for position, source in enumerate(places)
        ]
    planned = batches(jobs, holes, args.batch_size, fail)
    if not planned:
        for reason in {job.scores["reason"]: None for job in jobs if job.scores}:
            logger.error("unetpred: --sites %s: %s", args.sites, reason)
        if args.sites and args.save:
            import_keras()
            write_files(inputs, jobs, tables, args, _origin(args, holes))
        return 2
    arrays = Arrays(args, len(jobs), [job.source.size for batch in planned for job in batch])
    pictures = picture_names(args, jobs)

    import_keras()
    from unetpred.scoring.predictor import Predictor

    predictor = Predictor(args.weights, args.vgg_weights, args.batch_size or BATCH)
    if "content" in args.output:
        predictor.vgg()  # before anything is computed that a missing file would waste
    origin = _origin(args, holes)
    parts = Parts(args, inputs, tables, jobs, origin)
    if args.resume:
        planned = _left(planned, parts, arrays)
    else:
        parts.begin()
    whole = arrays.wanted or bool(pictures)
    fillings = bool(args.sites) and "content" in args.output
    reader = Reader(holes, fail, whole, covariates if args.sites else None, fillings)
    try:
        if planned:
            _score_all(planned, len(jobs), reader, predictor, arrays, pictures, parts, args)
        nothing = not any(job.scored for job in jobs)
        if not nothing or args.sites:  # a table of sites says why each has no score
            _tell_undefined(inputs, jobs, args)
            lines = write_files(inputs, jobs, tables, args, origin)
            arrays.finish()  # after the tables: there is no going on without FILE.npy.part
        parts.remove()
    finally:
        parts.close()
        arrays.drop(keep=bool(parts))
    if nothing:
        return 2
    sys.stdout.writelines(f"{line}\n" for line in lines)  # last: its reader may have gone
    return 1 if any(job.error for job in jobs) or any(one.error for one in inputs) else 0


def _tell_undefined(inputs: list[Input], jobs: list[Job], args: argparse.Namespace) -> None:
    """Say why scores are undefined, where no table does, and how many sites have no place."""
    if not args.save and not args.sites:
        tabled = {id(s) for one in inputs if one.kind == "directory" for s in one.places}
        told = [job for job in jobs if job.scores and job.scores["reason"]]
        told = [job for job in told if id(job.source) not in tabled]
        for job in told[:TOLD]:
            logger.warning("%s: %s", label(job.source), job.scores["reason"])
        if len(told) > TOLD:
            logger.warning("and %d more; --save has all reasons", len(told) - TOLD)
    nowhere = sum(job.scores is not None and not job.scored for job in jobs)
    if nowhere:
        logger.warning("%s: %d of %d sites are NaN, see `reason`", args.sites, nowhere, len(jobs))


def _origin(args: argparse.Namespace, holes: Holes) -> dict[str, str]:
    return provenance(args.weights, str(holes), args.output, args.vgg_weights, holes.around)


def _left(planned: list[list[Job]], parts: Parts, arrays: Arrays) -> list[list[Job]]:
    """The batches that an interrupted run has not finished."""
    parts.resume()
    left = [batch for batch in planned if not all(job.done for job in batch)]
    for batch in left:
        for job in batch:
            job.forget()  # whole batches only, or digits would differ in the last places
    done = [job.position for batch in planned for job in batch if job.scores is not None]
    if done:
        arrays.resume(done)
    return left


def _score_all(
    planned: list[list[Job]],
    count: int,
    reader: Reader,
    predictor: Predictor,
    arrays: Arrays,
    pictures: dict[int, Path],
    parts: Parts,
    args: argparse.Namespace,
) -> None:
    finished = count - sum(map(len, planned))
    unit = "site" if args.sites else "image"
    with stop_signals() as caught, progress_bar(count, unit, args.quiet) as bar:
        bar.update(finished)
        try:
            for batch, loaded in zip(planned, prefetch(reader, planned), strict=True):
                if loaded.jobs:
                    _score(loaded, predictor, arrays, pictures, args)
                arrays.flush()  # before the rows that say that they are there
                parts.add(batch)
                finished += len(batch)
                bar.update(len(batch))
                if caught and finished < count:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            number = caught[0] if caught else signal.SIGINT
            raise Stopped(_farewell(finished, count, parts), number) from None


def _farewell(finished: int, count: int, parts: Parts) -> str:
    if not parts:
        return "interrupted"
    return (
        f"interrupted; {finished} of {count} are finished, in {parts}; "
        f"go on with: {resume_command()}"
    )


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
    others = _filled_simply(loaded, pixels)
    result = predictor.score(pixels, visible, args.output, whole, holes, list(others.values()))
    for i, job in enumerate(loaded.jobs):
        scores = {name: float(getattr(result, name)[i]) for name in args.output}
        if result.content_layers is not None:
            from unetpred.network.vgg16 import CONTENT_LAYERS

            for layer, value in zip(CONTENT_LAYERS, result.content_layers[i], strict=True):
                scores[f"content_{layer}"] = float(value)
        for name, values in zip(others, result.content_of_others, strict=True):
            scores[f"content_{name}"] = float(values[i])
        measures = loaded.measures[i]
        reasons = filter(None, (result.reasons[i], measures.get("reason")))
        job.scores = {**scores, **measures, "reason": "; ".join(reasons)}
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


def _filled_simply(loaded: Loaded, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures (N,h,w,3) of a batch as simple methods fill them in, where that is wanted."""
    if not loaded.fillings:
        return {}
    filled = {}
    for name in FILLINGS:
        filled[name] = pixels.copy()
        for image, scene, kept in zip(filled[name], loaded.scenes, loaded.fillings, strict=True):
            image[box_of(scene.hole)] = kept[name]
    return filled
