"""Where results of scoring go, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from unetpred.errors import InputError
from unetpred.images.sources import Input
from unetpred.io.files import check_target
from unetpred.results.tables import ENDINGS


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
        Folder of a picture for each image: original, masked, filled in.
    beside : bool
        Whether scores go beside the inputs, where no file is named for them: `<stem>_pred.npy` of
        an array, `<dir>_pred.csv` of a directory.
    resume : bool
        Whether to go on with what an interrupted run has left in FILE.part.
    scores : str
        `.npy` of the scores alone, float64 (N,), or (N,K) of K scores.
    filled : str
        Folder of the filled-in images, each a png of its input's size.
    """

    save: str | None = None
    prediction: str | None = None
    network_output: str | None = None
    images: str | None = None
    beside: bool = False
    resume: bool = False
    scores: str | None = None
    filled: str | None = None

    @property
    def table(self) -> str | None:
        """The file of all rows, whichever there is."""
        return self.save or self.scores

    @property
    def folders(self) -> dict[str, str]:
        """The folders of pictures, by their options."""
        named = {"save_images": self.images, "save_filled": self.filled}
        return {name: folder for name, folder in named.items() if folder}

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
        array, `<dir>_pred.csv` beside a directory, unless another file is named; none with sites.

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
            ("save_scores", outputs.scores),
            ("save_prediction", outputs.prediction),
            ("save_network_output", outputs.network_output),
        )
        if file
    ]

    taken = {os.path.realpath(source.path): "an input" for one in inputs for source in one.sources}
    taken |= {os.path.realpath(file): what for file, what in (read or {}).items()}
    for what, file, endings in targets:
        try:
            check_target(file, *endings)
        except InputError as error:
            hint = "" if what.startswith("`") else "; `save` FILE puts scores elsewhere"
            raise InputError(f"{error}{hint}") from None
        real = os.path.realpath(file)
        if real in taken:
            raise InputError(f"{file}: would be both {taken[real]} and {what}; give another name")
        taken[real] = what
    for name, folder in outputs.folders.items():
        if Path(folder).exists() and not Path(folder).is_dir():
            raise InputError(f"`{name}` {folder}: is a file; give a folder")
    if (
        len({os.path.realpath(folder) for folder in outputs.folders.values()})
        == 1
        < len(outputs.folders)
    ):
        raise InputError(f"{outputs.images}: would be both `save_images` and `save_filled`")
    if outputs.save and outputs.save.lower().endswith(".parquet") and not find_spec("pyarrow"):
        raise InputError(
            f"{outputs.save}: needs pyarrow (pip install 'unetpred[parquet]'); .csv does not"
        )
    return beside


def _beside(outputs: Outputs, one: Input, sites: bool) -> Path | None:
    """The file beside an input that its scores go into."""
    if sites or not outputs.beside or outputs.save:
        return None
    path = Path(os.path.abspath(one.path))
    if one.kind == "array" and not outputs.scores:  # whose results are no list of images
        return path.with_name(f"{path.stem}_pred.npy")
    if one.kind == "directory":
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
        given = (outputs.save, outputs.scores, outputs.prediction, outputs.network_output)
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
