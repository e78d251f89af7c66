"""The network for other runtimes: ONNX, OpenVINO, TensorFlow's SavedModel."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.quiet import silenced

FORMATS = {"onnx": ".onnx", "openvino": ".xml", "savedmodel": ""}
"""Formats, and what their files end in; a SavedModel is a folder."""

_NEEDS = {"onnx": ("tf2onnx", "onnx"), "openvino": ("openvino",), "savedmodel": ()}


def check_export(path: str | os.PathLike, format: str) -> None:
    """Refuse what could not be exported, before anything is loaded.

    Raises
    ------
    InputError
        If the format is unknown, something is not installed, or the file cannot be written.
    """
    from unetpred.report import check_target

    path = Path(path)
    if format not in FORMATS:
        raise InputError(f"format {format!r}: {', '.join(FORMATS)} are right")
    missing = [name for name in ("tensorflow", *_NEEDS[format]) if find_spec(name) is None]
    if missing:
        raise InputError(
            f"export to {format} needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}, or unetpred[export]"
        )
    if format != "savedmodel":
        check_target(path, FORMATS[format])
    elif path.exists():
        raise InputError(f"{path}: is there already; give the name of a new folder")
    elif not path.parent.is_dir():
        raise InputError(f"{path}: its folder {path.parent} does not exist; create it first")


def export(path: str | os.PathLike, format: str, weights: str | os.PathLike | None = None) -> None:
    """Write a network in a form that needs neither this package nor Keras.

    Parameters
    ----------
    path : path-like
        An .onnx file; an .xml file, for OpenVINO, with its .bin beside it; or a new folder, for a
        SavedModel.
    format : {"onnx", "openvino", "savedmodel"}
        See `path`.
    weights : str or path-like, optional
        As for `unetpred.load_model`.

    Raises
    ------
    InputError
        If the backend is not TensorFlow, whose converters Keras uses, something needed is not
        installed, or the file cannot be written.

    Notes
    -----
    Inputs and output are those of `unetpred.load_model`, float32: `image` (N,H,W,3), BGR,
    0..255 minus (103.939, 116.779, 123.68), and `mask` (N,H,W,1), 1 = visible, 0 = missing, give
    `output` (N,H,W,3), BGR, mean-subtracted, not clipped. N, H and W are free.

    On processors with bfloat16 OpenVINO computes in it unless a model is compiled with
    ``{"INFERENCE_PRECISION_HINT": "f32"}``.
    """
    check_export(path, format)
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"export needs the TensorFlow backend, this is {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow"
        )
    from unetpred.weights import load_model

    model = load_model(weights)
    # Keras exports no network that was never called
    model([np.zeros((1, 32, 32, channels), "float32") for channels in (3, 1)])
    writer = {"onnx": _onnx, "openvino": _openvino, "savedmodel": _savedmodel}[format]
    writer(model, Path(path))


def _onnx(model, path: Path) -> None:
    with atomic_path(path) as temporary:
        _export(model, temporary, "onnx")
        import onnx

        graph = onnx.load(temporary)
        _name_output(graph.graph)
        for value in (*graph.graph.input, *graph.graph.output):
            for dimension, name in zip(value.type.tensor_type.shape.dim, "NHW", strict=False):
                dimension.dim_param = name
        onnx.save(graph, temporary)


def _name_output(graph) -> None:
    """Call the only output `output`."""
    (result,) = graph.output
    for node in graph.node:
        node.output[:] = ["output" if name == result.name else name for name in node.output]
        node.input[:] = ["output" if name == result.name else name for name in node.input]
    result.name = "output"


def _openvino(model, path: Path) -> None:
    with _folder_beside(path) as folder:
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


def _savedmodel(model, path: Path) -> None:
    with _folder_beside(path) as folder:
        _export(model, folder / "model", "tf_saved_model")
        os.replace(folder / "model", path)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _export(model, path: Path, format: str) -> None:
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(str(path), format=format, verbose=False)
