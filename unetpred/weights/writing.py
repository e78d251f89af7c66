"""Writing weights files as Keras 3 lays them out, with check sums over their arrays and notes.

Keras' own writer leaves the process with a segmentation fault where a disk is full.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from unetpred.io.files import atomic_path, folder_beside
from unetpred.io.hdf5 import shards
from unetpred.io.hdf5_writing import new_hdf5

if TYPE_CHECKING:
    import h5py
    import keras

# group in the file, name, arrays
Layer: TypeAlias = tuple[str, str, list[np.ndarray]]

PART_SIZE = 15_000_000
"""Bytes of weights in a part of a sharded file; with what HDF5 adds it stays under 16 MB."""
DIGEST = "arrays_sha256"
"""What `arrays_digest` is called among the notes of a file."""
NOTES_DIGEST = "notes_sha256"
"""What `notes_digest` is called there."""


def arrays_digest(arrays: Iterable[np.ndarray]) -> str:
    """The sha256 over arrays as they are stored, whatever their order and their names.

    Files that are split lose the names of layers, but no array.
    """
    digests = []
    for array in arrays:
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        head = f"{plain.dtype.str} {array.shape} ".encode()
        digests.append(hashlib.sha256(head + plain.tobytes()).hexdigest())
    return hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()


def notes_digest(notes: Mapping[str, Any]) -> str:
    """The sha256 over the notes of a file, but for this one itself."""
    others = {name: value for name, value in notes.items() if name != NOTES_DIGEST}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def write_weights(path: Path, model: keras.Model, about: dict[str, Any]) -> None:
    """Write the weights of a model, whole or not at all.

    Parameters
    ----------
    path : Path
        A `.weights.h5`, or a `.weights.json` with parts beside it.
    model : keras.Model
    about : dict
        Plain values kept beside them; the digests are added.

    Raises
    ------
    WriteError
        If the disk is full, say.
    """
    layers = _layers(model)
    about = {**about, DIGEST: arrays_digest(a for _, _, arrays in layers for a in arrays)}
    about[NOTES_DIGEST] = notes_digest(json.loads(json.dumps(about)))
    if path.suffix == ".json":
        _write_parts(path, layers, about)
        return
    with atomic_path(path) as temporary, new_hdf5(temporary) as file:
        file.attrs["unetpred"] = json.dumps(about)
        _fill(file, layers)


def _layers(model: keras.Model) -> list[Layer]:
    """Group, name and arrays of each layer. Keras groups by class, counted."""
    counts: dict[str, int] = {}
    layers: list[Layer] = [("", model.name, [])]
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        arrays = [np.asarray(value) for value in layer.get_weights()]
        layers.append(
            (f"layers/{kind}_{number}" if number else f"layers/{kind}", layer.name, arrays)
        )
    return layers


def _snake_case(name: str) -> str:
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _fill(file: h5py.File, layers: Iterable[Layer]) -> None:
    for group, name, arrays in layers:
        variables = file.create_group(f"{group}/vars".lstrip("/"))
        variables.attrs["name"] = name
        for index, array in enumerate(arrays):
            variables[str(index)] = array


def _write_parts(path: Path, layers: list[Layer], about: dict[str, Any]) -> None:
    parts: list[list[Layer]] = [[]]
    size = 0
    for layer in layers:
        own = sum(array.nbytes for array in layer[2])
        if size and size + own > PART_SIZE:
            parts.append([])
            size = 0
        parts[-1].append(layer)
        size += own
    stem = path.name.removesuffix(".weights.json")
    names = [f"{stem}_{number:05}.weights.h5" for number in range(len(parts))]
    total = sum(array.nbytes for _, _, arrays in layers for array in arrays)
    where = {
        f"/{group}/vars": [name]
        for name, part in zip(names, parts, strict=True)
        for group, _, arrays in part
        if arrays
    }
    index = {"metadata": {"total_size": total, "unetpred": about}, "weight_map": where}
    with folder_beside(path) as folder:
        for name, part in zip(names, parts, strict=True):
            with new_hdf5(folder / name) as shard:
                _fill(shard, part)
        (folder / path.name).write_text(json.dumps(index, indent=1))
        # no index while the parts are exchanged: an old one with new parts would be neither
        old = shards(path)
        path.unlink(missing_ok=True)
        for file in old:
            file.unlink(missing_ok=True)
        for name in (*names, path.name):
            os.replace(folder / name, path.with_name(name))
