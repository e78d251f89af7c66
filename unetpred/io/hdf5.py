"""Reading kernels and biases out of the files that Keras writes, of any age."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unetpred.errors import InputError, reason_of
from unetpred.io.reading import check_regular, reading

if TYPE_CHECKING:
    import h5py

MOST = 4
"""A file may hold at most this many times its own bytes: weights hardly compress."""
FREE = 1 << 28
"""Bytes up to which that does not matter."""
_MOST_PARTS = 10_000
_MOST_TEXT = 1 << 24  # bytes of an index of parts
_LEAVES = {"kernel": 0, "kernel:0": 0, "bias": 1, "bias:0": 1}


class LayerFile(NamedTuple):
    """What a weights file holds."""

    layers: dict[str, dict[int, np.ndarray]]  # {layer: {0: kernel, 1: bias}}
    legacy: bool  # written by Keras 1 or 2
    note: dict[str, Any]  # what `unetpred.weights.files.save_weights` wrote beside the weights


def read_layers(path: str | os.PathLike[str], what: str, trusted: bool = False) -> LayerFile:
    """Read whichever layers with kernel and bias a file holds.

    Parameters
    ----------
    path : path-like
        A legacy `.h5` (Keras 1, 2) of weights or of a whole model, a Keras 3 `.weights.h5`, a
        sharded `.weights.json`, or a `.keras`. The content tells which of them it is, not
        the ending.
    what : str
        What the file should hold, for messages.
    trusted : bool
        Whether its bytes are known. Any others are read in a process of their own: a damaged file
        can make HDF5 run for ever, or crash.

    Returns
    -------
    LayerFile
        Layers by name; those of early Keras 3 files by class and number, such as `conv2d_1`.

    Raises
    ------
    InputError
        If the file does not exist, is of another kind, or is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; give {what}")
    for part in filter(Path.exists, (path, *shards(path))):
        check_regular(part)
    if trusted:
        return read_here(path, what)
    from unetpred.io.apart import read_apart

    return read_apart(path, what)


def read_here(path: Path, what: str) -> LayerFile:
    """Read a file as `read_layers` does, in this process."""
    import h5py

    with reading(str(path)):
        if h5py.is_hdf5(path):
            return _named([_read(path, path, _room(path.stat().st_size))])
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, suppress(KeyError):
                info = archive.getinfo("model.weights.h5")
                check_held(info.file_size, path.stat().st_size)
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError("compressed as Keras does not")
                content = io.BytesIO(archive.read(info))
                return _named([_read(path, content, _room(info.file_size))])
        elif parts := shards(path):
            if missing := [part.name for part in parts if not h5py.is_hdf5(part)]:
                raise InputError(
                    f"{path}: its part {missing[0]} is missing or damaged; get it again"
                )
            room = _room(sum(part.stat().st_size for part in parts))  # of all together
            file = _named([_read(part, part, room) for part in parts])
            index = json.loads(path.read_text())
            metadata = index.get("metadata")
            note = metadata.get("unetpred") if isinstance(metadata, dict) else None
            return file._replace(note=note if isinstance(note, dict) else {})
    raise InputError(f"{path}: not {what} (neither HDF5 nor .keras); give a file saved by Keras")


def check_held(declared: int, present: int) -> None:
    """Raise ValueError if a file cannot hold as many bytes as it says."""
    if declared > max(FREE, MOST * present):
        raise ValueError(f"it says that it holds {declared} bytes, of {present} that are there")


def shards(path: Path) -> list[Path]:
    """The parts that a `.weights.json` names, in order; none for any other file."""
    if not path.is_file() or path.stat().st_size > _MOST_TEXT:
        return []
    with path.open("rb") as file:
        if file.read(1) != b"{":
            return []
    try:
        parts = json.loads(path.read_text())["weight_map"].values()
        names = {name for part in parts for name in ([part] if isinstance(part, str) else part)}
        # Keras divides weights into a few; each is looked for
        return [path.with_name(name) for name in sorted(names)] if len(names) <= _MOST_PARTS else []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


class _Groups(NamedTuple):
    """What one HDF5 file holds, by the path of the group."""

    arrays: dict[str, dict[int, np.ndarray]]
    names: dict[str, str]  # of layers, where the file has them
    legacy: bool
    note: dict[str, Any]
    room: list[int]  # bytes that its arrays may still take


def open_hdf5(source: Any) -> h5py.File:
    """Open an HDF5 file to read it: a path, or a file-like object."""
    import h5py

    try:
        # our files appear whole, so no lock is needed; some network file systems have none
        return h5py.File(source, "r", locking=False)
    except OSError:
        # HDF5 wants one file to be locked, or not, wherever this process has it open
        return h5py.File(source, "r")


def _room(present: int) -> list[int]:
    return [max(FREE, MOST * present)]


def _read(path: Path, source: Any, room: list[int]) -> _Groups:
    groups = _Groups({}, {}, False, {}, room)
    listed: set[str] = set()  # groups that say themselves what they hold
    try:
        with open_hdf5(source) as file:
            file.visititems(lambda name, item: _collect(groups, listed, name, item))
            note = json.loads(file.attrs.get("unetpred", "{}"))
            # whole models that Keras 3 saves as .h5 have this layout too, but a newer version
            version = file.get("model_weights", file).attrs.get(
                "keras_version", file.attrs.get("keras_version", "")
            )
            old = _listed(file.attrs, "layer_names") is not None or "model_weights" in file
            legacy = old and not _text(version).startswith("3")
    # a damaged file can make h5py raise almost anything
    except Exception as error:
        raise InputError(f"{path}: damaged HDF5 file ({reason_of(error)}); get it again") from None
    return groups._replace(legacy=legacy, note=note if isinstance(note, dict) else {})


def _collect(groups: _Groups, listed: set[str], path: str, item: Any) -> None:
    """Take `item` of an HDF5 file, if it is a layer that lists its weights, a kernel or a bias."""
    *folders, leaf = path.split("/")
    if "optimizer" in path or listed.intersection(accumulate(folders, "{}/{}".format)):
        return
    if not hasattr(item, "shape"):
        names = _listed(item.attrs, "weight_names")
        if names is not None:
            listed.add(path)
            _collect_layer(groups, path, item, names)
        return
    if not folders:
        return
    group = "/".join(folders)
    if folders[-1] == "vars" and leaf in ("0", "1"):
        groups.arrays.setdefault(group, {})[int(leaf)] = _values(groups, item)
        # Keras 3 calls the group after the layer's class and keeps the layer's name beside it
        if "name" in item.parent.attrs:
            groups.names[group] = _text(item.parent.attrs["name"])
    elif leaf in _LEAVES:
        groups.arrays.setdefault(group, {})[_LEAVES[leaf]] = _values(groups, item)
        groups.names[group] = folders[-1]


def _collect_layer(groups: _Groups, path: str, layer: h5py.Group, names: list[str]) -> None:
    """Take the weights of a layer as Keras does: in the order listed, whatever they are called.

    What is listed but not there keeps its place, so that a bias never stands in for a kernel.
    """
    folders = [name.rpartition("/")[0] for name in names]
    # a model within the model is one group, with a folder for each of its layers
    nested = len(names) > 2 and len(set(folders)) > 1
    for place, (name, folder) in enumerate(zip(names, folders, strict=True)):
        group = f"{path}/{folder}" if nested else path
        groups.names[group] = group.rpartition("/")[2]
        arrays = groups.arrays.setdefault(group, {})
        if name in layer:
            place = folders[:place].count(folder) if nested else place
            arrays[place] = _values(groups, layer[name])


def _values(groups: _Groups, item: Any) -> np.ndarray:
    """Read an array, if it can be one and is there; what it says of its size is not believed."""
    if item.shape is None or item.dtype.kind not in "fiu":
        raise ValueError(f"{item.name} is no array of numbers")
    if item.is_virtual or item.external:
        raise ValueError(f"{item.name} is in another file")
    groups.room[0] -= item.nbytes
    if groups.room[0] < 0:
        raise ValueError(
            f"{item.name} says that it is of shape {item.shape}, of which too few bytes are there"
        )
    if item.chunks is None and item.id.get_storage_size() < item.nbytes:
        raise ValueError(f"{item.name} was never written")
    values: np.ndarray = item[()]
    return values


def _listed(attributes: Mapping[str, Any], name: str) -> list[str] | None:
    """A list of names as Keras writes it: one attribute, or several where it is long."""
    if name in attributes:
        return [_text(value) for value in attributes[name]]
    values: list[str] = []
    chunk = 0
    while f"{name}{chunk}" in attributes:
        values += [_text(value) for value in attributes[f"{name}{chunk}"]]
        chunk += 1
    return values if chunk else None


def _named(parts: list[_Groups]) -> LayerFile:
    """Join the parts of a file; a layer's kernel and bias may be in different ones."""
    layers: dict[str, dict[int, np.ndarray]] = {}
    names = {group: name for part in parts for group, name in part.names.items()}
    for part in parts:
        for group, arrays in part.arrays.items():
            *_, last = group.removesuffix("/vars").split("/")
            layers.setdefault(names.get(group, last), {}).update(arrays)
    return LayerFile(layers, any(part.legacy for part in parts), parts[0].note)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
