"""Where results go: checked before anything is computed, written as scoring goes."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.images import Input, Source
from unetpred.report import check_target


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
        array, `<dir>_pred.csv` beside a directory unless there is --save.

    Raises
    ------
    InputError
        One line that names the file.
    """
    beside = {}
    for one in inputs:
        path = Path(os.path.abspath(one.path))
        if one.sources and one.kind == "array":
            beside[one.path] = path.with_name(f"{path.stem}_pred.npy")
        elif one.sources and one.kind == "directory" and not args.save:
            beside[one.path] = path.parent / f"{path.name or 'images'}_pred.csv"
    targets = [(f"scores of {name}", file, (file.suffix,)) for name, file in beside.items()]
    if args.save:
        targets.append(("--save", args.save, (".csv", ".json")))
    for option in ("save_prediction", "save_network_output"):
        if getattr(args, option):
            targets.append((f"--{option}", getattr(args, option), (".npy",)))

    taken = {os.path.realpath(source.path): "an input" for one in inputs for source in one.sources}
    for what, file, endings in targets:
        check_target(file, *endings)
        real = os.path.realpath(file)
        if real in taken:
            raise InputError(f"{file}: would be both {taken[real]} and {what}; give another name")
        taken[real] = what
    if args.save_images and Path(args.save_images).exists() and not Path(args.save_images).is_dir():
        raise InputError(f"--save_images {args.save_images}: is a file; give a folder")
    return beside


def picture_names(args: argparse.Namespace, sources: list[Source]) -> dict[int, Path]:
    """Give every picture of --save_images a name of its own, and make their folder.

    Returns
    -------
    dict of int to Path
        By position among the sources; empty if no pictures are wanted.

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
    for position, source in enumerate(sources):
        flat = re.sub(r"[^\w.-]+", "_", os.path.splitext(source.path)[0]).lstrip("._")
        stem = flat[-150:] + ("" if source.index is None else f"_{source.index:04d}")
        name, count = f"{stem}_filled.png", 1
        while name in used:
            count += 1
            name = f"{stem}_filled_{count}.png"
        used.add(name)
        names[position] = folder / name
    return names


class Arrays:
    """The `.npy` files of whole images: written as scoring goes, so that memory stays flat.

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
        self._open: dict[str, np.ndarray] = {}
        self._files = ExitStack()

    @property
    def wanted(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._targets)

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *error) -> None:
        for array in self._open.values():
            array.flush()
        self._open.clear()  # some systems cannot rename a file that is mapped
        self._files.__exit__(*error)

    def put(self, position: int, images: dict[str, np.ndarray]) -> None:
        """Keep one image's arrays, by the names of `Result`."""
        if not self._open:
            for name, path in self._targets.items():
                temporary = self._files.enter_context(atomic_path(path))
                array = np.lib.format.open_memmap(temporary, "w+", "float32", self._shape)
                array[:] = np.nan
                self._open[name] = array
        for name, array in self._open.items():
            array[position] = images[name]
