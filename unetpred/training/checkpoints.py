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
from unetpred.io.files import atomic_path
from unetpred.io.hdf5 import open_hdf5

if TYPE_CHECKING:
    import keras

STATE = "state.h5"
#: What a run leaves in its folder.
FILES = (STATE, "last.weights.h5", "best.weights.h5", "history.csv", "config.json", "preview.png")
TENSORBOARD = "tensorboard"


class Diverged(RuntimeError):
    """The loss or the weights are no numbers any more."""


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
    """Write a state.

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
    """
    import h5py

    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w") as file:
            for name, variable in variables.items():
                value = values(variable)
                if not np.isfinite(value).all():
                    raise Diverged(f"{variable.path} holds NaN or infinity")
                file[name] = value
            file.attrs["run"] = json.dumps(run)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_state` was given as `run`.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no state.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; the state of a training run is needed ({STATE})")
    try:
        with open_hdf5(path) as file:
            run = json.loads(file.attrs["run"])
            if "network" in file and isinstance(run["step"], int):
                return run
    except (OSError, KeyError, TypeError, ValueError):
        pass
    raise InputError(f"{path}: is not the complete state of a training run ({STATE})")


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
    with open_hdf5(path) as file:
        for part in {name.split("/")[0] for name in variables}:
            wanted = {n: tuple(v.shape) for n, v in variables.items() if n.startswith(f"{part}/")}
            found = {f"{part}/{n}": tuple(d.shape) for n, d in file.get(part, {}).items()}
            if wanted != found:
                raise InputError(
                    f"{path}: its {part} is of another run: {_size(found)}, where {_size(wanted)} "
                    "are needed; give the --preset and --ema of that run"
                )
        for name, variable in variables.items():
            variable.assign(file[name][()])


def _size(shapes: Mapping[str, tuple[int, ...]]) -> str:
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    return f"{len(shapes)} variables of {count:,} values"


def set_aside(folder: Path) -> Path:
    """Move the files of an earlier run in a folder into one within it, and give that."""
    number = 1
    while (aside := folder / f"earlier-{number}").exists():
        number += 1
    aside.mkdir()
    for name in (*FILES, TENSORBOARD):
        if (folder / name).exists():
            os.replace(folder / name, aside / name)
    return aside


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed had begun beside the files of a run."""
    for path in folder.iterdir():
        match = re.fullmatch(r"\.(\d+)-.*?(\.weights\.h5|state\.h5|\.csv|\.json|\.png)", path.name)
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
