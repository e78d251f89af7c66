"""Weights files: ours, the original's, and the registry of those that are known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import keras

from unetpred.files import atomic_path
from unetpred.model import Config

ATTRIBUTE = "unetpred"  # of the HDF5 file: the architecture as JSON


def save_weights(model: keras.Model, config: Config, path: str | os.PathLike, **notes) -> None:
    """Write a native `.weights.h5` that knows its architecture.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    config : Config
        What it was built with.
    path : path-like
        Where to; ends in `.weights.h5`.
    **notes
        Plain values kept beside the architecture, such as the training step.
    """
    with atomic_path(path) as temporary:
        model.save_weights(temporary, overwrite=True)
        with h5py.File(temporary, "a") as file:
            file.attrs[ATTRIBUTE] = json.dumps({**config.as_dict(), **notes})


def read_config(path: str | os.PathLike) -> dict | None:
    """The architecture written into a native weights file, or None."""
    with h5py.File(Path(path), "r") as file:
        text = file.attrs.get(ATTRIBUTE)
    return None if text is None else json.loads(text)
