"""Where results of scoring go, checked before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from unetpred.errors import InputError
from unetpred.images.sources import Input
from unetpred.io.files import check_target
from unetpred.results.tables import ENDINGS
from unetpred.runs.jobs import Job


@dataclass(frozen=True)
class Outputs:
    """The files that are asked for; each is optional.

    Parameters
    ----------
    save : str
        The table of scores.
    prediction, network_output : str
        `.npy` of all filled-in images, and of the network's whole output.
    images : str
        Folder of a picture for each image.
    beside : bool
        Whether scores also go beside the inputs: `<stem>_pred.npy` of an array, `<dir>_pred.csv`
        of a directory.
    resume : bool
        Whether to go on with what an interrupted run has left in FILE.part.
    """

    save: str | None = None
    prediction: str | None = None
    network_output: str | None = None
    images: str | None = None
    beside: bool = False
    resume: bool = False

    @property
    def arrays(self) -> dict[str, str | None]:
        """The `.npy` files, by what they hold."""
        return {"filled": self.prediction, "network_output": self.network_output}


def check_targets(
    outputs: Outputs,
    inputs: list[Input],
    sites: bool = False,
    read: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Refuse files that could not be written, or that two results or an input would share.

    Parameters
    ----------
    outputs : Outputs
    inputs : list of Input
        What is to be scored.
    sites : bool
        Whether it is scored at sites.
    read : mapping of str to str, optional
        Other files that are read, and what they are.

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
    found = {one.path: _beside(outputs, one, sites) for one in inputs if one.sources}
    beside = {path: file for path, file in found.items() if file}
    targets: list[tuple[str, str | Path, tuple[str, ...]]] = [
        (f"scores of {name}", file, (file.suffix,)) for name, file in beside.items()
    ]
    if outputs.save:
        targets.append(("`save`", outputs.save, ENDINGS))
    targets += [
        (f"`{name}`", file, (".npy",))
        for name, file in (
            ("save_prediction", outputs.prediction),
            ("save_network_output", outputs.network_output),
        )
        if file
    ]

    taken = {os.path.realpath(source.path): "an input" for one in inputs for source in one.sources}
    taken |= {os.path.realpath(file): what for file, what in (read or {}).items()}
    for what, file, endings in targets:
        check_target(file, *endings)
        real = os.path.realpath(file)
        if real in taken:
            raise InputError(f"{file}: would be both {taken[real]} and {what}; give another name")
        taken[real] = what
    folder = outputs.images
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise InputError(f"`save_images` {folder}: is a file; give a folder")
    if outputs.save and outputs.save.lower().endswith(".parquet") and not find_spec("pyarrow"):
        raise InputError(
            f"{outputs.save}: needs pyarrow (pip install 'unetpred[parquet]'); .csv does not"
        )
    return beside


def _beside(outputs: Outputs, one: Input, sites: bool) -> Path | None:
    """The file beside an input that its scores go into."""
    if sites or not outputs.beside:
        return None
    path = Path(os.path.abspath(one.path))
    if one.kind == "array":  # whose results are no list of images
        return path.with_name(f"{path.stem}_pred.npy")
    if one.kind == "directory" and not outputs.save:
        return path.parent / f"{path.name or 'images'}_pred.csv"
    return None


class Earlier:
    """Results of an earlier run, of the names that those of this one will have.

    They are never deleted: whoever gave a wrong option, or whose disk was not there, still wants
    them. But who goes on with the files of a run that failed has to know which are not its own.

    Parameters
    ----------
    outputs : Outputs
    inputs : list of Input
        What is to be scored; also what cannot be used.
    sites : bool
        Whether it is scored at sites.
    """

    def __init__(self, outputs: Outputs, inputs: list[Input], sites: bool):
        given = (outputs.save, outputs.prediction, outputs.network_output)
        named = [Path(path) for path in given if path]
        named += [file for one in inputs if (file := _beside(outputs, one, sites))]
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


def picture_names(folder: str | None, jobs: list[Job]) -> dict[int, Path]:
    """Give the picture of every job a name of its own, and make their folder.

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
    if not folder:
        return names
    used: set[str] = set()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"`save_images` {folder}: cannot be made ({error.strerror})") from None
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
        names[job.position] = Path(folder) / name
    return names
