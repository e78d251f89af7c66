"""The network in other files: Keras' own, ONNX, OpenVINO, TensorFlow's SavedModel."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.keras_import import silenced
from unetpred.errors import InputError
from unetpred.io.files import atomic_path, check_target, folder_beside
from unetpred.weights.files import check_weights_target, convert_weights, load_model

if TYPE_CHECKING:
    import keras

FORMATS = ("keras", "onnx", "openvino", "savedmodel")

_ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}

_NEEDS = {"onnx": ("tf2onnx", "onnx"), "openvino": ("openvino",), "savedmodel": ()}


def check_export(path: str | os.PathLike[str], format: str) -> None:
    """Refuse what could not be exported, before anything is loaded.

    Raises
    ------
    InputError
        If the format is unknown, something is not installed, or the file cannot be written.
    """
    path = Path(path)
    if format not in FORMATS:
        raise InputError(f"format {format!r}: {', '.join(FORMATS)} are right")
    if format == "keras":
        check_weights_target(path)
        return
    missing = [name for name in ("tensorflow", *_NEEDS[format]) if find_spec(name) is None]
    if missing:
        raise InputError(
            f"export to {format} needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}, or unetpred[export]"
        )
    if format != "savedmodel":
        check_target(path, _ENDINGS[format])
    elif path.exists():
        raise InputError(f"{path}: is there already; give the name of a new folder")
    elif not path.parent.is_dir():
        raise InputError(f"{path}: its folder {path.parent} does not exist; create it first")


def export(
    path: str | os.PathLike[str], format: str, weights: str | os.PathLike[str] | None = None
) -> None:
    """Write a network in Keras' own form, or in one that needs neither Keras nor this package.

    Parameters
    ----------
    path : path-like
        For Keras a .weights.h5, or a .weights.json with parts under 16 MB beside it; an .onnx; an
        .xml, for OpenVINO, with its .bin beside it; or a new folder, for a SavedModel.
    format : {"keras", "onnx", "openvino", "savedmodel"}
        See `path`. Keras' own is stored as float16, which halves it, as the weights that ship are.
    weights : str or path-like, optional
        As for `unetpred.load_model`.

    Raises
    ------
    InputError
        If something needed is not installed, the file cannot be written, or the backend is not
        TensorFlow, whose converters Keras uses for all formats but its own.

    Notes
    -----
    Inputs and output are those of `unetpred.load_model`, float32: `image` (N,H,W,3), BGR,
    0..255 minus (103.939, 116.779, 123.68), and `mask` (N,H,W,1), 1 = visible, 0 = missing, give
    `output` (`output_0` in a SavedModel) (N,H,W,3), BGR, mean-subtracted, not clipped. N, H and W
    are free.

    On processors with bfloat16 OpenVINO computes in it unless a model is compiled with
    ``{"INFERENCE_PRECISION_HINT": "f32"}``.
    """
    check_export(path, format)
    if format == "keras":
        convert_weights(path, weights)
        return
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"export needs the TensorFlow backend, this is {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow"
        )
    model = load_model(weights)
    # Keras exports no network that was never called
    model([np.zeros((1, 32, 32, channels), "float32") for channels in (3, 1)])
    writer = {"onnx": _onnx, "openvino": _openvino, "savedmodel": _savedmodel}[format]
    writer(model, Path(path))


def _onnx(model: keras.Model, path: Path) -> None:
    with atomic_path(path) as temporary:
        _export(model, temporary, "onnx")
        import onnx

        graph = onnx.load(temporary)
        _name_output(graph.graph)
        for value in (*graph.graph.input, *graph.graph.output):
            for dimension, name in zip(value.type.tensor_type.shape.dim, "NHW", strict=False):
                dimension.dim_param = name
        onnx.save(graph, temporary)


def _name_output(graph: Any) -> None:
    """Call the only output `output`."""
    (result,) = graph.output
    for node in graph.node:
        node.output[:] = ["output" if name == result.name else name for name in node.output]
        node.input[:] = ["output" if name == result.name else name for name in node.input]
    result.name = "output"


def _openvino(model: keras.Model, path: Path) -> None:
    with folder_beside(path) as folder:
        _export(model, folder / "raw.xml", "openvino")
        import openvino

        with silenced():
            raw = openvino.Core().read_model(folder / "raw.xml")
            # the converter makes outputs of sizes within the graph as well; the first is ours
            output = raw.outputs[0]
            output.tensor.set_names({"output"})
            result = openvino.Model(
                [output.get_node()], [value.get_node() for value in raw.inputs], model.name
            )
            openvino.save_model(result, folder / path.name, compress_to_fp16=False)
        # the .xml last: without its weights it would be of no use
        for ending in (".bin", ".xml"):
            os.replace(folder / f"{path.stem}{ending}", path.with_suffix(ending))


def _savedmodel(model: keras.Model, path: Path) -> None:
    with folder_beside(path) as folder:
        _export(model, folder / "model", "tf_saved_model")
        os.replace(folder / "model", path)


def _export(model: keras.Model, path: Path, format: str) -> None:
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(str(path), format=format, verbose=False)
