"""Scoring whatever the command line names: files, arrays, directories."""

from __future__ import annotations

import argparse
import logging
import math
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.images import Input, Source, list_sources
from unetpred.masks import DEFAULT_HOLE, check_mask, hole_mask, load_mask
from unetpred.quiet import import_keras, progress_bar
from unetpred.report import check_table_path, provenance, write_table

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
        self.size = self._pixels()

    def _pixels(self) -> int:
        args = self.args
        if args.pixels_per_degree is not None and not args.pixels_per_degree > 0:
            raise InputError(f"--pixels_per_degree {args.pixels_per_degree}: must be positive")
        if args.mask_size is None:
            return DEFAULT_HOLE
        size = args.mask_size
        if args.units == "deg":
            if args.pixels_per_degree is None:
                raise InputError("--units deg needs --pixels_per_degree")
            size = round(size * args.pixels_per_degree)
        if size != int(size) or size < 1:
            raise InputError(f"--mask_size {args.mask_size}: whole pixels, at least 1, are right")
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
                return hole_mask(size, self.size, self.args.mask_shape, center)
            except InputError as error:
                raise InputError(f"{label(job.source)}: {error}") from None
        mask = self.own if self.shared else self.own[job.position]
        check_mask(mask, size, f"{label(job.source)}: mask {self.args.mask}")
        return mask

    def __str__(self) -> str:
        args = self.args
        if args.mask:
            return f"mask {args.mask}"
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
    _check_targets(args)
    holes = Holes(args)
    inputs = list_sources(args.input, args.key, args.recursive)
    for one in inputs:
        if one.error:
            logger.error("unetpred: %s", one.error)
    sources = [source for one in inputs for source in one.sources]
    if not sources:
        return 2
    _check_neighbours(inputs, args)
    holes.check_count(len(sources))
    jobs = [Job(source, position) for position, source in enumerate(sources)]
    groups = _by_size(jobs)
    if not groups:
        return 2
    arrays = _Arrays(args, len(jobs), list(groups))

    import_keras()
    from unetpred.predict import Predictor
    from unetpred.weights import find_weights, sha256

    name, path = find_weights(args.weights)
    predictor = Predictor(args.weights, args.vgg_weights, args.batch_size)
    if "content" in args.output:
        predictor.vgg()  # before anything is computed that a missing file would waste

    with arrays, progress_bar(len(jobs), "image", args.quiet) as bar:
        for size, group in groups.items():
            for batch in _batches(group, args.batch_size):
                _score(batch, size, holes, predictor, arrays, args)
                bar.update(len(batch))
    failed = [job for job in jobs if job.error]
    if len(failed) == len(jobs):
        return 2
    for job in jobs:
        job.row = {**_empty_row(job, args.output), **job.row}

    origin = provenance((name, sha256(path)), str(holes), args.output, _command())
    _write(inputs, jobs, args, origin)
    return 1 if failed or any(one.error for one in inputs) else 0


def _command() -> str:
    program = "pred.py" if Path(sys.argv[0]).name == "pred.py" else "unetpred"
    return shlex.join([program, *sys.argv[1:]])


def _check_targets(args: argparse.Namespace) -> None:
    """Refuse what could not be written, before anything is computed."""
    if args.save:
        check_table_path(args.save)
    for option in ("save_prediction", "save_network_output"):
        path = getattr(args, option)
        if path and (Path(path).suffix != ".npy" or not Path(path).parent.is_dir()):
            raise InputError(f"--{option} {path}: a .npy file in a folder that exists is right")
    if args.save_images:
        if Path(args.save_images).exists() and not Path(args.save_images).is_dir():
            raise InputError(f"--save_images {args.save_images}: is a file; give a folder")
        Path(args.save_images).mkdir(parents=True, exist_ok=True)


def _check_neighbours(inputs: list[Input], args: argparse.Namespace) -> None:
    """Refuse to score what has its table beside it in a folder that cannot be written to."""
    for one in inputs:
        folder = Path(one.path).resolve().parent
        needed = one.kind == "array" or (one.kind == "directory" and not args.save)
        if needed and not os.access(folder, os.W_OK):
            raise InputError(
                f"{one.path}: its scores belong into {folder}, which cannot be written to; "
                "copy it elsewhere" + (", or give --save" if one.kind == "directory" else "")
            )


def _by_size(jobs: list[Job]) -> dict[tuple[int, int], list[Job]]:
    """Jobs whose picture can be opened, by (H,W), in the order in which sizes appear."""
    groups: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        try:
            groups.setdefault(job.source.size, []).append(job)
        except InputError as error:
            job.fail(error)
    return groups


def _batches(jobs: list[Job], size: int) -> Iterator[list[Job]]:
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _score(batch, size, holes: Holes, predictor, arrays: _Arrays, args) -> None:
    images, masks, good = [], [], []
    for job in batch:
        try:
            mask = holes.mask(job, size)
            images.append(job.source.load())
        except InputError as error:
            job.fail(error)
            continue
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
        if args.save_images:
            _save_picture(job, images[i], masks[i], result.filled[i], args)


def _empty_row(job: Job, outputs: list[str]) -> dict:
    from unetpred.vgg import CONTENT_LAYERS

    row = {"image": job.source.path, "index": job.source.index}
    row |= dict.fromkeys(outputs, math.nan)
    if "content" in outputs:
        row |= {f"content_{layer}": math.nan for layer in CONTENT_LAYERS}
    return {**row, "reason": job.error or ""}


class _Arrays:
    """The `.npy` files of whole images: written as scoring goes, so that memory stays flat."""

    def __init__(self, args: argparse.Namespace, count: int, sizes: list[tuple[int, int]]):
        self.targets = {
            "filled": args.save_prediction,
            "network_output": args.save_network_output,
        }
        self.targets = {name: path for name, path in self.targets.items() if path}
        if self.targets and len(sizes) > 1:
            names = ", ".join(f"{w}x{h}" for h, w in sizes)
            raise InputError(
                f"images of several sizes ({names}) do not fit into one .npy; use --save_images"
            )
        self._shape = (count, *sizes[0], 3) if sizes else ()
        self._open: dict[str, np.ndarray] = {}
        self._files = ExitStack()

    def __enter__(self) -> _Arrays:
        return self

    def __exit__(self, *error) -> None:
        for array in self._open.values():
            array.flush()
        self._files.__exit__(*error)

    def put(self, position: int, result, index: int) -> None:
        """Keep one image's arrays."""
        if not self._open:
            for name, path in self.targets.items():
                temporary = self._files.enter_context(atomic_path(path))
                array = np.lib.format.open_memmap(temporary, "w+", "float32", self._shape)
                array[:] = np.nan
                self._open[name] = array
        for name, array in self._open.items():
            array[position] = getattr(result, name)[index]


def _save_picture(job: Job, image, mask, filled, args) -> None:
    from unetpred.plots import save, triptych

    scores = "   ".join(f"{name} {job.row[name]:.3f}" for name in args.output)
    stem = re.sub(r"[^\w.-]+", "_", os.path.splitext(job.source.path.lstrip("./"))[0])
    number = "" if job.source.index is None else f"_{job.source.index:04d}"
    figure = triptych(image, mask, filled, f"{label(job.source)}\n{scores}")
    save(figure, Path(args.save_images) / f"{stem}{number}.png")


def _write(inputs: list[Input], jobs: list[Job], args, origin: dict) -> None:
    """Scores to stdout, to the file beside an array or a directory, and to --save."""
    by_source = {id(job.source): job for job in jobs}
    for one in inputs:
        rows = [by_source[id(source)].row for source in one.sources]
        if not rows:
            continue
        if one.kind == "array":
            scores = np.array([[row[name] for name in args.output] for row in rows], "float64")
            target = Path(one.path).with_name(f"{Path(one.path).stem}_pred.npy")
            with atomic_path(target) as temporary:
                np.save(temporary, scores[:, 0] if len(args.output) == 1 else scores)
            logger.info("%s: scores of %d image(s) are in %s", one.path, len(rows), target)
            continue
        for row in rows:
            values = "\t".join(repr(row[name]) for name in args.output)
            sys.stdout.write(f"{row['image']}\t{values}\n")
        if one.kind == "directory" and not args.save:
            folder = Path(one.path).resolve()
            target = folder.with_name(f"{folder.name}_pred.csv")
            write_table(target, rows, origin)
            logger.info("%s: table of %d image(s) is in %s", one.path, len(rows), target)
    if args.save:
        write_table(args.save, [job.row for job in jobs], origin)
