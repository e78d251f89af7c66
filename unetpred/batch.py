"""Scoring whatever the command line names: files, arrays, directories."""

from __future__ import annotations

import argparse
import logging
import math
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.images import Input, Source, list_sources
from unetpred.masks import DEFAULT_HOLE, check_mask, hole_mask, load_mask
from unetpred.quiet import import_keras, progress_bar
from unetpred.report import provenance, write_table
from unetpred.targets import Arrays, check_targets, picture_names
from unetpred.weights import find_weights, sha256

if TYPE_CHECKING:
    from unetpred.predict import Predictor

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """One picture to score, and what came of it."""

    source: Source
    position: int  # among all pictures of the command
    row: dict = field(default_factory=dict)
    error: str | None = None

    def fail(self, error: InputError) -> None:
        """Keep the reason, and tell the user at once."""
        self.error = str(error)
        logger.error("unetpred: %s", error)


class Holes:
    """Which pixels are missing, by the arguments of the command line."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.own = None
        if args.mask:
            if args.mask_size or args.mask_center or args.mask_shape != "square":
                raise InputError("--mask gives the whole hole; leave the other --mask_* away")
            self.own = load_mask(args.mask)
            for mask in self.own if self.own.ndim == 3 else self.own[None]:
                check_mask(mask, mask.shape, args.mask)
        self.size = self._pixels()

    def _pixels(self) -> int:
        size, per_degree = self.args.mask_size, self.args.pixels_per_degree
        if per_degree is not None and not 0 < per_degree < math.inf:
            raise InputError(f"--pixels_per_degree {per_degree}: a number above 0 is right")
        if self.args.units == "deg" and per_degree is None:
            raise InputError("--units deg needs --pixels_per_degree")
        if size is None:
            return DEFAULT_HOLE
        if not 0 < size < math.inf:
            raise InputError(f"--mask_size {size:g}: a number above 0 is right")
        if self.args.units == "deg":
            size = max(1, round(size * per_degree))
        if size != int(size):
            raise InputError(f"--mask_size {size:g}: whole pixels are right")
        return int(size)

    @property
    def shared(self) -> bool:
        """Whether all images of one size have the same mask."""
        return self.own is None or self.own.ndim == 2

    def check_count(self, count: int) -> None:
        """Refuse a stack of masks of another length than the number of images."""
        if not self.shared and len(self.own) != count:
            raise InputError(
                f"{self.args.mask}: holds {len(self.own)} masks for {count} image(s); "
                "one mask, or one for each, is right"
            )

    def mask(self, job: Job, size: tuple[int, int]) -> np.ndarray:
        """(H,W) float32 for one image."""
        if self.own is None:
            center = tuple(self.args.mask_center) if self.args.mask_center else None
            try:
                mask = hole_mask(size, self.size, self.args.mask_shape, center)
            except InputError as error:
                raise InputError(f"{label(job.source)}: {error}") from None
            check_mask(mask, size, label(job.source))
            return mask
        mask = self.own if self.shared else self.own[job.position]
        check_mask(mask, size, f"{label(job.source)}: mask {self.args.mask}")
        return mask

    def __str__(self) -> str:
        args = self.args
        if args.mask:
            return f"mask {args.mask} (sha256 {sha256(args.mask)})"
        where = "centred" if args.mask_center is None else "at ({}, {})".format(*args.mask_center)
        degrees = f" ({self.size / args.pixels_per_degree:g} deg)" if args.pixels_per_degree else ""
        return f"{args.mask_shape} of {self.size} px{degrees}, {where}"


def label(source: Source) -> str:
    """How messages call a picture."""
    return source.path if source.index is None else f"{source.path}: image {source.index}"


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
    if args.batch_size < 1:
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
    jobs = [Job(source, position) for position, source in enumerate(sources)]
    groups = _by_size(jobs)
    if not groups:
        return 2
    arrays = Arrays(args, len(jobs), list(groups))
    pictures = picture_names(args, sources)

    import_keras()
    from unetpred.predict import Predictor

    name, path = find_weights(args.weights)
    predictor = Predictor(args.weights, args.vgg_weights, args.batch_size)
    vgg = None
    if "content" in args.output:
        predictor.vgg()  # before anything is computed that a missing file would waste
        given = args.vgg_weights
        vgg = f"{given} (sha256 {sha256(given)})" if given else "ImageNet, keras.applications"

    with arrays, progress_bar(len(jobs), "image", args.quiet) as bar:
        for size, group in groups.items():
            for start in range(0, len(group), args.batch_size):
                batch = group[start : start + args.batch_size]
                _score(batch, size, holes, predictor, arrays, pictures, args)
                bar.update(len(batch))
    failed = [job for job in jobs if job.error]
    if len(failed) == len(jobs):
        return 2
    for job in jobs:
        job.row = {**_empty_row(job, args.output), **job.row}

    origin = provenance((name, sha256(path)), str(holes), args.output, _command(), vgg)
    _write(inputs, jobs, tables, args, origin)
    return 1 if failed or any(one.error for one in inputs) else 0


def _command() -> str:
    program = "pred.py" if Path(sys.argv[0]).name == "pred.py" else "unetpred"
    return shlex.join([program, *sys.argv[1:]])


def _by_size(jobs: list[Job]) -> dict[tuple[int, int], list[Job]]:
    """Jobs whose picture can be opened, by (H,W), in the order in which sizes appear."""
    groups: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        try:
            groups.setdefault(job.source.size, []).append(job)
        except InputError as error:
            job.fail(error)
    return groups


def _score(
    batch: list[Job],
    size: tuple[int, int],
    holes: Holes,
    predictor: Predictor,
    arrays: Arrays,
    pictures: dict[int, Path],
    args: argparse.Namespace,
) -> None:
    """Score one batch of pictures of one size."""
    images, masks, good = [], [], []
    for job in batch:
        try:
            mask = holes.mask(job, size)
            pixels = job.source.load()
            if pixels.shape[:2] != size:
                height, width = pixels.shape[:2]
                raise InputError(
                    f"{label(job.source)}: is {width}x{height} px, where its header says "
                    f"{size[1]}x{size[0]}; save it again"
                )
        except InputError as error:
            job.fail(error)
            continue
        images.append(pixels)
        masks.append(mask)
        good.append(job)
    if not good:
        return
    stacked = np.stack(masks[:1] if holes.shared else masks)[..., None]  # (1 or N,H,W,1)
    whole = args.save_network_output is not None
    result = predictor.score(np.stack(images), stacked, args.output, whole)
    for i, job in enumerate(good):
        for name in args.output:
            job.row[name] = float(getattr(result, name)[i])
        if result.content_layers is not None:
            from unetpred.vgg import CONTENT_LAYERS

            for layer, value in zip(CONTENT_LAYERS, result.content_layers[i], strict=True):
                job.row[f"content_{layer}"] = float(value)
        job.row["reason"] = result.reasons[i]
        arrays.put(job.position, result, i)
        if pictures:
            from unetpred.plots import save, triptych

            scores = "   ".join(f"{name} {job.row[name]:.3f}" for name in args.output)
            caption = f"{label(job.source)}\n{scores}"
            figure = triptych(images[i], masks[i], result.filled[i], caption)
            save(figure, pictures[job.position])


def _empty_row(job: Job, outputs: list[str]) -> dict:
    from unetpred.vgg import CONTENT_LAYERS

    row = {"image": job.source.path, "index": job.source.index}
    row |= dict.fromkeys(outputs, math.nan)
    if "content" in outputs:
        row |= {f"content_{layer}": math.nan for layer in CONTENT_LAYERS}
    return {**row, "reason": job.error or ""}


def _write(
    inputs: list[Input],
    jobs: list[Job],
    tables: dict[str, Path],
    args: argparse.Namespace,
    origin: dict[str, str],
) -> None:
    """Scores into files, then to stdout, whose reader may have gone."""
    by_source = {id(job.source): job.row for job in jobs}
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
        write_table(args.save, [job.row for job in jobs], origin)
    sys.stdout.writelines(f"{line}\n" for line in lines)
