"""Where results go: checked before anything is computed, written as scoring goes."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from unetpred.errors import InputError, reason_of
from unetpred.images.sources import Input
from unetpred.io.files import check_target
from unetpred.runs.jobs import Job


def check_targets(args: argparse.Namespace, inputs: list[Input]) -> dict[str, Path]:
    """Refuse files that could not be written, or that two results or an input would share.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.
    inputs : list of Input
        What is to be scored.

    Returns
    -------
    dict of str to Path
        By path of an input, the file beside it that its scores go into: `<stem>_pred.npy` beside an
        array, `<dir>_pred.csv` beside a directory unless there is --save; none with --sites.

    Raises
    ------
    InputError
        One line that names the file.
    """
    found = {one.path: _beside(args, one) for one in inputs if one.sources}
    beside = {path: file for path, file in found.items() if file}
    targets = [(f"scores of {name}", file, (file.suffix,)) for name, file in beside.items()]
    if args.save:
        targets.append(("--save", args.save, (".csv", ".json")))
    for option in ("save_prediction", "save_network_output"):
        if getattr(args, option):
            targets.append((f"--{option}", getattr(args, option), (".npy",)))

    taken = {os.path.realpath(source.path): "an input" for one in inputs for source in one.sources}
    for option in ("sites", "mask"):
        if getattr(args, option):
            taken[os.path.realpath(getattr(args, option))] = f"--{option}"
    for what, file, endings in targets:
        check_target(file, *endings)
        real = os.path.realpath(file)
        if real in taken:
            raise InputError(f"{file}: would be both {taken[real]} and {what}; give another name")
        taken[real] = what
    if args.save_images and Path(args.save_images).exists() and not Path(args.save_images).is_dir():
        raise InputError(f"--save_images {args.save_images}: is a file; give a folder")
    return beside


def _beside(args: argparse.Namespace, one: Input) -> Path | None:
    """The file beside an input that its scores go into."""
    path = Path(os.path.abspath(one.path))
    if one.kind == "array" and not args.sites:  # whose results are no list of images
        return path.with_name(f"{path.stem}_pred.npy")
    if one.kind == "directory" and not args.sites and not args.save:
        return path.parent / f"{path.name or 'images'}_pred.csv"
    return None


class Earlier:
    """Results of an earlier run, of the names that those of this one will have.

    They are never deleted: whoever gave a wrong option, or whose disk was not there, still wants
    them. But who goes on with the files of a run that failed has to know which are not its own.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.
    inputs : list of Input
        What is to be scored; also what cannot be used.
    """

    def __init__(self, args: argparse.Namespace, inputs: list[Input]):
        given = (args.save, args.save_prediction, args.save_network_output)
        named = [Path(path) for path in given if path]
        named += [file for one in inputs if (file := _beside(args, one))]
        self._before = {path: _stamp(path) for path in named}

    def left(self) -> list[Path]:
        """Those that this run has not replaced."""
        return [path for path, stamp in self._before.items() if stamp and stamp == _stamp(path)]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_ino, info.st_mtime_ns


def picture_names(args: argparse.Namespace, jobs: list[Job]) -> dict[int, Path]:
    """Give every picture of --save_images a name of its own, and make their folder.

    Returns
    -------
    dict of int to Path
        By position among the jobs; empty if no pictures are wanted.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """
    names: dict[int, Path] = {}
    if not args.save_images:
        return names
    folder, used = Path(args.save_images), set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--save_images {folder}: cannot be made ({error.strerror})") from None
    for job in jobs:
        source, place = job.source, job.place
        flat = re.sub(r"[^\w.-]+", "_", os.path.splitext(source.path)[0]).lstrip("._")
        stem = flat[-150:] + ("" if source.index is None else f"_{source.index:04d}")
        stem += f"_x{place.x}_y{place.y}_s{place.size}" if place else ""
        name, count = f"{stem}_filled.png", 1
        while name in used:
            count += 1
            name = f"{stem}_filled_{count}.png"
        used.add(name)
        names[job.position] = folder / name
    return names


class Arrays:
    """The `.npy` files of whole images: written as scoring goes, so that memory stays flat.

    Until they are finished they are FILE.part.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.
    count : int
        Number of images; those that fail stay NaN.
    sizes : iterable of (H, W)
        Of the images.

    Raises
    ------
    InputError
        If there is more than one size.
    """

    def __init__(self, args: argparse.Namespace, count: int, sizes: Iterable[tuple[int, int]]):
        given = {"filled": args.save_prediction, "network_output": args.save_network_output}
        self._targets = {name: path for name, path in given.items() if path}
        sizes = list(dict.fromkeys(sizes))
        if self._targets and len(sizes) > 1:
            names = ", ".join(f"{w}x{h}" for h, w in sizes)
            raise InputError(
                f"images of several sizes ({names}) do not fit into one .npy; use --save_images"
            )
        self._shape = (count, *sizes[0], 3)
        self._bytes = math.prod(self._shape[1:]) * 4  # of one image
        self._open: dict[str, tuple[BinaryIO, int]] = {}  # and where the numbers begin
        self._there: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._targets)

    def resume(self, positions: Iterable[int]) -> None:
        """Go on with the files of an interrupted run, which hold these images.

        Raises
        ------
        InputError
            If a file is not there, or not of the same images.
        """
        self._there = set(positions)
        for name, path in self._targets.items():
            try:
                file = open(f"{path}.part", "r+b")  # noqa: SIM115 - closed by finish or drop
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"{path}.part: cannot be gone on with ({reason_of(error)}); leave --resume "
                    "away to start afresh"
                ) from None
            if (shape, dtype) != (self._shape, np.dtype("float32")):
                raise InputError(
                    f"{path}.part: has shape {shape}, where {self._shape} is right; leave "
                    "--resume away to start afresh"
                )
            self._open[name] = file, file.tell()

    def put(self, position: int, images: dict[str, np.ndarray]) -> None:
        """Keep one image's arrays, by the names of `Result`."""
        self._begin()
        self._there.add(position)
        for name in self._open:
            self._write(name, position, np.ascontiguousarray(images[name], "float32"))

    def flush(self) -> None:
        """Hand everything over to the system, which keeps it if this process is killed."""
        for file, _ in self._open.values():
            file.flush()

    def finish(self) -> None:
        """Make the files what they are called."""
        if not self._there:
            return
        nothing = np.full(self._shape[1:], np.nan, "float32")
        for name, (file, _) in self._open.items():
            for position in set(range(self._shape[0])) - self._there:
                self._write(name, position, nothing)
            file.close()
            os.replace(f"{self._targets[name]}.part", self._targets[name])
        self._open.clear()

    def drop(self, keep: bool) -> None:
        """End without finishing; `keep` what there is to go on with."""
        for name, (file, _) in self._open.items():
            file.close()
            if not keep:
                os.unlink(f"{self._targets[name]}.part")
        self._open.clear()

    def _begin(self) -> None:
        if self._open:
            return
        header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
        for name, path in self._targets.items():
            file = open(f"{path}.part", "w+b")  # noqa: SIM115
            np.lib.format.write_array_header_1_0(file, header)
            self._open[name] = file, file.tell()
            file.truncate(file.tell() + self._shape[0] * self._bytes)

    def _write(self, name: str, position: int, image: np.ndarray) -> None:
        file, start = self._open[name]
        file.seek(start + position * self._bytes)
        file.write(image.astype("<f4", copy=False).data)
