"""Reading kernels and biases out of the files that Keras writes, of any age."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unetpred.errors import InputError

_LEAVES = {"kernel": 0, "kernel:0": 0, "bias": 1, "bias:0": 1}


class LayerFile(NamedTuple):
    """What a weights file holds."""

    layers: dict[str, dict[int, np.ndarray]]  # {layer: {0: kernel, 1: bias}}
    legacy: bool  # written by Keras 2
    note: dict  # what `unetpred.weights.save_weights` wrote beside the weights


def read_layers(path: str | os.PathLike, what: str) -> LayerFile:
    """Read whichever layers with kernel and bias a file holds.

    Parameters
    ----------
    path : path-like
        A Keras 2 `.h5` of weights or of a whole model, a Keras 3 `.weights.h5`, a sharded
        `.weights.json`, or a `.keras`. Which of them it is, is told by the content, not the ending.
    what : str
        What the file should hold, for messages.

    Returns
    -------
    LayerFile
        Layers by name; those of early Keras 3 files by class and number, such as `conv2d_1`.

    Raises
    ------
    InputError
        If the file does not exist, is of another kind, or is damaged.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give {what}")
    if h5py.is_hdf5(path):
        return _read(path, path)
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return _read(path, io.BytesIO(archive.read("model.weights.h5")))
        except (KeyError, zipfile.BadZipFile):
            pass
    elif names := shards(path):
        parts = [read_layers(shard, what) for shard in names]
        note = json.loads(path.read_text()).get("metadata", {}).get("unetpred", {})
        return LayerFile({k: v for p in parts for k, v in p.layers.items()}, False, note)
    raise InputError(f"{path}: not {what} (neither HDF5 nor .keras); give a file saved by Keras")


def shards(path: Path) -> list[Path]:
    """The parts that a `.weights.json` names, in order; none for any other file."""
    try:
        parts = json.loads(path.read_text())["weight_map"].values()
        return sorted({path.with_name(name) for names in parts for name in names})
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _read(path: Path, source: Any) -> LayerFile:
    import h5py

    layers: dict[str, dict[int, np.ndarray]] = {}
    try:
        with h5py.File(source, "r") as file:
            file.visititems(lambda name, item: _collect(layers, name, item))
            note = json.loads(file.attrs.get("unetpred", "{}"))
            legacy = "layer_names" in file.attrs or "model_weights" in file
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged HDF5 file ({reason}); get it again") from None
    return LayerFile(layers, legacy, note)


def _collect(layers: dict[str, dict[int, np.ndarray]], name: str, item: Any) -> None:
    """Take `item` at path `name` of an HDF5 file into `layers`, if it is a kernel or a bias."""
    *folders, leaf = name.split("/")
    if not hasattr(item, "shape") or "optimizer" in name:
        return
    if folders and folders[-1] == "vars" and leaf in ("0", "1"):
        # Keras 3 calls the group after the layer's class and keeps the layer's name beside it
        layer = item.parent.attrs.get("name", folders[-2] if len(folders) > 1 else "")
        layer = layer.decode() if isinstance(layer, bytes) else str(layer)
        layers.setdefault(layer, {})[int(leaf)] = item[()]
    elif leaf in _LEAVES and folders:
        layers.setdefault(folders[-1], {})[_LEAVES[leaf]] = item[()]
