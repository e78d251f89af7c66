"""Weights of networks that segment: files that know their classes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.io.registry import Known, is_known, known_vgg, text_of
from unetpred.segmentation.data.classes import Classes

if TYPE_CHECKING:
    import keras

TASK = "segmentation"
#: Names of those that ship.
SHIPPED: dict[str, str] = {
    "membranes": "membranes.weights.h5",
    "camvid": "camvid.weights.h5",
}


def known_segmenters() -> list[Known]:
    """Give those that ship: they segment, and do not fill in."""
    folder = known_vgg().path.parent
    return [Known(name, folder / file, "shipped, segments") for name, file in SHIPPED.items()]


def find_segmenter(name_or_file: str | os.PathLike[str]) -> Path:
    """Give the file of weights given by name or by file.

    Raises
    ------
    InputError
        If it is neither.
    """
    given = text_of(name_or_file)
    if given in SHIPPED:
        path = known_vgg().path.with_name(SHIPPED[given])
        if not path.is_file():
            raise InputError(f"{given}: its file {path} is not there; install unetpred again")
        return path
    if not Path(given).is_file():
        names = f", nor one of the weights {', '.join(SHIPPED)}" if SHIPPED else ""
        raise InputError(f"{given}: is not a file of weights{names}")
    return Path(given)


def is_segmenter(name_or_file: str | os.PathLike[str]) -> bool:
    """Whether a name or file is that of a network that segments."""
    from unetpred.io.hdf5 import open_hdf5

    try:
        with open_hdf5(find_segmenter(name_or_file)) as file:
            return json.loads(file.attrs["unetpred"]).get("task") == TASK
    except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return False


def load_segmenter(name_or_file: str | os.PathLike[str]) -> tuple[keras.Model, dict[str, Any]]:
    """Read weights.

    Parameters
    ----------
    name_or_file : str or path-like
        A name, or a file that `save_segmenter` wrote.

    Returns
    -------
    model : keras.Model
        As from `unetpred.segmentation.network.build_segmenter`.
    about : dict
        What was noted: `width`, `classes`, `values`, `colours`, `void`, and, where it was chosen,
        `threshold`.

    Raises
    ------
    InputError
        If it is no such file, or damaged.
    """
    from unetpred.io.hdf5 import read_layers
    from unetpred.network.partial_convolution import dtype_policy
    from unetpred.segmentation.network import CONVOLUTIONS, HEAD, build_segmenter
    from unetpred.weights.files import check_arrays

    path = find_segmenter(name_or_file)
    name = os.fspath(name_or_file)
    trusted = is_known(path, name if name in SHIPPED else None)
    file = read_layers(path, "weights of a network that segments", trusted)
    check_arrays(path, file)
    about = file.note
    if about.get("task") != TASK:
        raise InputError(
            f"{path}: are not weights of a network that segments; give those of `unetpred segment "
            "train`"
        )
    try:
        classes, width = Classes.from_dict(about), float(about["width"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: does not say its classes and width; get it again") from None
    with dtype_policy("float32"):
        model = build_segmenter(len(classes), width, "zeros")
    for name in (*CONVOLUTIONS, HEAD):
        layer, found = model.get_layer(name), file.layers.get(name, {})
        arrays = [np.asarray(found[i], "float32") for i in (0, 1) if i in found]
        shapes = [tuple(w.shape) for w in layer.weights]
        if [array.shape for array in arrays] != shapes:
            raise InputError(f"{path}: its layer {name} is missing or damaged; get it again")
        layer.set_weights(arrays)
    return model, about


def save_segmenter(
    model: keras.Model,
    classes: Classes,
    width: float,
    path: str | os.PathLike[str],
    dtype: str = "float32",
    **notes: Any,
) -> None:
    """Write weights, whole or not at all.

    Parameters
    ----------
    model : keras.Model
        From `build_segmenter`.
    classes : Classes
    width : float
        What it was built with.
    path : path-like
        A `.weights.h5`.
    dtype : {"float32", "float16"}
        What is stored; computing is in float32 either way.
    **notes
        Plain values kept beside, such as `threshold`.

    Raises
    ------
    InputError
        If the file has another ending or cannot be written, or a value does not fit into float16.
    """
    from unetpred.network.partial_convolution import dtype_policy
    from unetpred.segmentation.network import build_segmenter
    from unetpred.weights.writing import write_weights

    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise InputError(f"{path}: a file that ends in .weights.h5 is right here")
    if dtype == "float16":
        values = model.get_weights()
        if any(np.abs(v).max() > np.finfo("float16").max for v in values):
            raise InputError(f"{path}: a weight does not fit into float16; store float32")
        with dtype_policy("float16"):
            model = build_segmenter(len(classes), width, "zeros")
        model.set_weights(values)
    write_weights(path, model, {"task": TASK, "width": width, **classes.as_dict(), **notes})
