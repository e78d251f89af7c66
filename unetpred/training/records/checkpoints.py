"""The state of a training run in one HDF5 file: all there, or not there at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.io.apart import opens
from unetpred.io.checksum import append_checksum, matches_checksum
from unetpred.io.files import atomic_path, set_damaged_aside
from unetpred.io.hdf5 import open_hdf5
from unetpred.io.hdf5_writing import new_hdf5
from unetpred.io.reading import check_regular, reading

if TYPE_CHECKING:
    import keras

STATE = "state.h5"
#: The state before that, in case it is damaged.
PREVIOUS = "previous.state.h5"
#: What a run leaves in its folder.
FILES = (
    STATE,
    PREVIOUS,
    "last.weights.h5",
    "best.weights.h5",
    "history.csv",
    "config.json",
    "preview.png",
)
TENSORBOARD, PREVIEWS = "tensorboard", "previews"


#: What `atomic_path` and `_keep` call what they have begun: process, eight characters, name.
_BEGUN = re.compile(
    r"\.(\d+)-.{8}.*?(\.weights\.h5|state\.h5|\.csv|\.json|\.png|\.npy|\.npz|\.tif)", re.DOTALL
)


class Diverged(RuntimeError):
    """The loss or the weights are no numbers any more."""


class DamagedState(InputError):
    """A state is there, but is not as it was written."""


def values(variable: keras.Variable) -> np.ndarray:
    """A copy of a variable's value."""
    from keras import ops

    return np.array(ops.convert_to_numpy(variable.value))


def named_variables(
    network: keras.Model, optimizer: keras.optimizers.Optimizer | None = None
) -> dict[str, keras.Variable]:
    """All that a step changes, by the names of the datasets it is kept in.

    The order of the variables is that of the layers, the same on every backend.
    """
    named = {f"network/{i}": v for i, v in enumerate(network.variables)}
    if optimizer is not None:
        named.update({f"optimizer/{i}": v for i, v in enumerate(optimizer.variables)})
    return named


def write_state(
    path: str | os.PathLike[str], variables: Mapping[str, keras.Variable], run: Mapping[str, Any]
) -> None:
    """Write a state, with a check sum. The one before it is kept as `PREVIOUS`.

    Parameters
    ----------
    path : path-like
        Replaced once the new state is complete.
    variables : mapping of str to keras.Variable
        From `named_variables`.
    run : mapping
        Plain values kept beside them.

    Raises
    ------
    Diverged
        If a weight is no number; `path` is left as it was.
    WriteError
        If the disk is full, say; `path` is left as it was.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        with new_hdf5(temporary) as file:
            for name, variable in variables.items():
                value = values(variable)
                if not np.isfinite(value).all():
                    raise Diverged(f"{variable.path} holds NaN or infinity")
                file[name] = value
            file.attrs["run"] = json.dumps(run)
        append_checksum(temporary)
        _keep(path)


def _keep(path: Path) -> None:
    """Keep the state that is there as `PREVIOUS`; there is one of its name at every moment."""
    if not path.is_file():
        return
    other = path.with_name(f".{os.getpid()}-{PREVIOUS}")
    with suppress(FileNotFoundError):
        other.unlink()
    try:
        os.link(path, other)
    except OSError:  # a file system without links
        os.replace(path, other)
    os.replace(other, path.with_name(PREVIOUS))


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_state` was given as `run`.

    Raises
    ------
    InputError
        If there is no such file; `DamagedState` if it is damaged, or no state.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; the state of a training run is needed ({STATE})")
    check_regular(path)
    try:
        whole = matches_checksum(path)
        # one of an older version has none; and HDF5 may run for ever on what is damaged
        if whole or (whole is None and opens(path)):
            with open_hdf5(path) as file:
                run = json.loads(file.attrs["run"])
                if "network" in file and isinstance(run["step"], int):
                    return run
    except Exception:  # HDF5 raises anything where a file is damaged
        pass
    raise DamagedState(f"{path}: is damaged, or not the complete state of a training run ({STATE})")


def last_state(path: str | os.PathLike) -> Path | None:
    """Find the state to go on from.

    Parameters
    ----------
    path : path-like
        A state, or the folder of one.

    Returns
    -------
    Path or None
        None if the folder has none.

    Raises
    ------
    InputError
        If `path` is no folder and not there.
    DamagedState
        If it is damaged. It is kept under another name; the state before it takes its place, if
        there is a good one, so that going on again goes on from there.
    """
    path = Path(path)
    if path.is_dir():
        path /= STATE
        if not path.exists() and path.with_name(PREVIOUS).exists():
            os.replace(path.with_name(PREVIOUS), path)  # killed while the two were exchanged
        if not path.exists():
            return None
    try:
        read_run(path)
    except DamagedState as error:
        if path.name != STATE:  # any other file is the user's
            raise
        aside, before = set_damaged_aside(path), path.with_name(PREVIOUS)
        try:
            step = read_run(before)["step"]
        except InputError:
            raise DamagedState(
                f"{error}; it is kept as {aside.name}, and there is no good one before it; without "
                "--resume a new run begins"
            ) from None
        os.replace(before, path)
        raise DamagedState(
            f"{error}; it is kept as {aside.name}, and the one before it, of step {step}, is in "
            "its place: --resume again goes on from there"
        ) from None
    return path


def load_state(path: str | os.PathLike[str], variables: Mapping[str, keras.Variable]) -> None:
    """Assign the variables of a state.

    Parameters
    ----------
    path : path-like
        A file for which `read_run` does not raise.
    variables : mapping of str to keras.Variable
        From `named_variables`. With those of the network alone, the optimiser's are not read.

    Raises
    ------
    InputError
        If the file has other variables than these; none of them is assigned then.
    """
    with reading(str(path)), open_hdf5(path) as file:
        for part in {name.split("/")[0] for name in variables}:
            wanted = {n: tuple(v.shape) for n, v in variables.items() if n.startswith(f"{part}/")}
            found = {f"{part}/{n}": tuple(d.shape) for n, d in file.get(part, {}).items()}
            if wanted != found:
                raise InputError(
                    f"{path}: its {part} is of another run: {_size(found)}, where {_size(wanted)} "
                    "are needed; give the --preset and --ema of that run"
                )
        read = {name: file[name][()] for name in variables}
        for name, value in read.items():
            if not np.isfinite(value).all():
                raise InputError(f"{path}: {name} holds NaN or infinity; it is damaged")
    for name, variable in variables.items():
        variable.assign(read[name])


def _size(shapes: Mapping[str, tuple[int, ...]]) -> str:
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    return f"{len(shapes)} variables of {count:,} values"


def set_aside(folder: Path) -> Path:
    """Move the files of an earlier run in a folder into one within it, and give that."""
    number = 1
    while (aside := folder / f"earlier-{number}").exists():
        number += 1
    aside.mkdir()
    for name in (*FILES, TENSORBOARD, PREVIEWS):
        if (folder / name).exists():
            os.replace(folder / name, aside / name)
    return aside


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed had begun beside the files of a run."""
    for path in folder.iterdir():
        match = _BEGUN.fullmatch(path.name)
        # in a container each new process may have the number of the one that was killed
        if match and (int(match[1]) == os.getpid() or not _alive(int(match[1]))):
            with suppress(OSError):
                path.unlink()


def _alive(process: int) -> bool:
    if os.name == "nt":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
