"""Weights files: reading ours and the original's, writing ours."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from unetpred.errors import InputError, some_of
from unetpred.io.files import check_target
from unetpred.io.reading import reading
from unetpred.io.registry import VGG, find_weights, is_known, sha256
from unetpred.weights.writing import (
    DIGEST,
    NOTES_DIGEST,
    arrays_digest,
    notes_digest,
    write_weights,
)

if TYPE_CHECKING:
    import keras

    from unetpred.io.hdf5 import LayerFile
    from unetpred.network.architecture import Config

# {layer: {0: kernel, 1: bias}}
Layers: TypeAlias = dict[str, dict[int, np.ndarray]]


def describe(name_or_file: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """What a set of weights is: file, sha256, architecture, and what was noted in it.

    Of "vgg16": file, sha256 over its arrays, credit and licence.

    Raises
    ------
    InputError
        As `load_model`.
    """
    if name_or_file == VGG:
        from unetpred.network.vgg16 import describe_vgg

        return describe_vgg()
    name, path = find_weights(name_or_file)
    file, _, config = _read(name, path)
    known = {*config.as_dict(), DIGEST, NOTES_DIGEST}
    arrays = [array for layer in file.layers.values() for array in layer.values()]
    return {
        "name": name,
        "file": path,
        "sha256": sha256(path),
        "format": "legacy (the original's)" if file.legacy else "native",
        **config.as_dict(),
        "parameters": sum(array.size for array in arrays),
        "stored as": ", ".join(sorted({str(array.dtype) for array in arrays})),
        **{f"note {key}": value for key, value in file.note.items() if key not in known},
    }


def _read(name: str, path: Path) -> tuple[LayerFile, Layers, Config]:
    """A file, its layers by the network's names, and its architecture; all checked."""
    from unetpred.io.hdf5 import read_layers

    with reading(str(path)):
        trusted = is_known(path, name)
        file = read_layers(path, "a file of U-Net-Pred weights", trusted)
        check_arrays(path, file)
        layers = _named_by_order(file.layers)
        return file, layers, _architecture(path, layers, file.note)


def check_arrays(path: Path, file: LayerFile) -> None:
    """Refuse arrays and notes that are not what was written, as far as the file tells.

    Arrays that are not finite are refused, too.

    Raises
    ------
    InputError
        With what to do.
    """
    arrays = [array for layer in file.layers.values() for array in layer.values()]
    noted = file.note.get(DIGEST)
    if noted is not None and noted != arrays_digest(arrays):
        raise InputError(
            f"{path}: its arrays do not match the check sum that was written beside them; it is "
            "damaged, or was changed by other software; get it again"
        )
    noted = file.note.get(NOTES_DIGEST)
    if noted is not None and noted != notes_digest(file.note):
        raise InputError(
            f"{path}: its notes do not match the check sum that was written beside them; it is "
            "damaged, or was changed by other software; get it again"
        )
    for name, layer in file.layers.items():
        if not all(np.isfinite(array).all() for array in layer.values()):
            raise InputError(f"{path}: {name} holds NaN or infinity; get the file again")


def load_model(
    name_or_file: str | os.PathLike[str] | None = None, mask_channels: int = 1
) -> keras.Model:
    """The network with weights.

    Parameters
    ----------
    name_or_file : str or path-like, optional
        A shipped name, or a file: a Keras 3 `.weights.h5` or sharded `.weights.json`, a `.keras`,
        or the original's legacy `.h5`. Files are recognised by their content. Default: the
        shipped default.
    mask_channels : {1, 3}
        3 for masks that differ between colour channels.

    Returns
    -------
    keras.Model
        As from `unetpred.build_unetpred`: ``[image (N,H,W,3) BGR mean-subtracted, mask
        (N,H,W,mask_channels)] -> (N,H,W,3)``.

    Raises
    ------
    InputError
        If the file is not there, is no weights file, or its layers are not exactly those of one
        of the two variants.

    Notes
    -----
    The original's code normalises by 27/s at every depth where the published equation has 9 C/s,
    so kernels from its files are multiplied by 3/C, C being the layer's number of input channels.
    """
    from unetpred.network.model import build_unetpred
    from unetpred.network.partial_convolution import dtype_policy

    name, path = find_weights(name_or_file)
    file, layers, config = _read(name, path)
    with dtype_policy("float32"):  # whatever the user's own is: a score is computed in full
        model = build_unetpred(
            config.variant, config.width, mask_channels, kernel_initializer="zeros"
        )
    _assign(model, layers, path, upstream=file.legacy)
    return model


def _named_by_order(layers: Layers) -> Layers:
    """Name the layers that files know only as p_conv2d, p_conv2d_1, ...

    Early Keras 3 did not write layer names, and later ones lose that of the first layer of a shard.
    """
    from unetpred.network.architecture import VARIANTS, layer_names

    orders = {len(layer_names(variant)): layer_names(variant) for variant in VARIANTS}
    order = orders.get(len(layers), [])
    numbered = {f"p_conv2d_{i}" if i else "p_conv2d": name for i, name in enumerate(order)}
    return {numbered.get(name, name): arrays for name, arrays in layers.items()}


def _architecture(path: Path, layers: Layers, note: dict[str, Any]) -> Config:
    from unetpred.network.architecture import ENCODER, Config, config_with

    first = layers.get("vblock1_conv_1", {}).get(0)
    if first is None or first.ndim != 4 or first.shape[:3] != (3, 3, 3) or not first.size:
        raise InputError(
            f"{path}: not the weights of a U-Net-Pred network (it has no vblock1_conv_1 of kernel "
            "(3,3,3,filters)); give weights of this package or the original's"
        )
    variant = "paper" if "vblock6_conv_1" in layers else "released"
    blocks = [layers.get(f"vblock{b}_conv_1", {}).get(0) for b in range(1, len(ENCODER) + 1)]
    filters = [kernel.shape[-1] for kernel in blocks if kernel is not None and kernel.ndim == 4]
    config = config_with(variant, filters)
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        noted = Config(variant, note["width"])
        # several widths round to the same filters
        if [noted.filters(full) for full, _ in ENCODER] == [config.filters(n) for n, _ in ENCODER]:
            return noted
    return config


def _assign(model: keras.Model, layers: Layers, path: Path, upstream: bool) -> None:
    from unetpred.network.partial_convolution import PConv2D

    convolutions = [layer for layer in model.layers if isinstance(layer, PConv2D)]
    names = {layer.name for layer in convolutions}
    missing = [
        f"{name}/{part}"
        for name in sorted(names)
        for i, part in enumerate(("kernel", "bias"))
        if i not in layers.get(name, {})
    ]
    if missing:
        raise InputError(f"{path}: incomplete, it lacks {some_of(missing)}")
    if surplus := sorted(set(layers) - names):
        raise InputError(
            f"{path}: has layers that a U-Net-Pred network has not: {some_of(surplus)}"
        )
    for layer in convolutions:
        kernel, bias = (np.asarray(layers[layer.name][i], "float32") for i in (0, 1))
        if (kernel.shape, bias.shape) != (layer.kernel.shape, layer.bias.shape):
            raise InputError(
                f"{path}: {layer.name} has shapes {kernel.shape} and {bias.shape}, where "
                f"{tuple(layer.kernel.shape)} and {tuple(layer.bias.shape)} are right"
            )
        if upstream:
            kernel = kernel * np.float32(3 / kernel.shape[2])
        layer.set_weights([kernel, bias])


def save_weights(
    model: keras.Model,
    config: Config,
    path: str | os.PathLike[str],
    dtype: str = "float32",
    **notes: object,
) -> None:
    """Write native weights that know their architecture.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    config : Config
        What it was built with.
    path : path-like
        Where to: a `.weights.h5`, or a `.weights.json`, which is an index of parts
        `_00000.weights.h5`, `_00001.weights.h5`, ... beside it, each under 16 MB unless a single
        kernel is larger (which in float16 none is).
    dtype : {"float32", "float16"}
        What is stored; computing is in float32 either way.
    **notes
        Plain values kept beside the architecture, such as the training step.

    Raises
    ------
    InputError
        If the file has another ending or cannot be written, or a value does not fit into float16.
    """
    from unetpred.network.model import build_unetpred
    from unetpred.network.partial_convolution import dtype_policy

    path = Path(path)
    check_weights_target(path)
    if dtype == "float16":
        values = model.get_weights()
        if any(np.abs(v).max() > np.finfo("float16").max for v in values):
            raise InputError(f"{path}: a weight does not fit into float16; store float32")
        with dtype_policy("float16"):
            model = build_unetpred(config.variant, config.width, kernel_initializer="zeros")
        model.set_weights(values)
    write_weights(path, model, {**config.as_dict(), **notes})


def convert_weights(
    path: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    dtype: str = "float16",
) -> None:
    """Write any weights as native ones, as those that ship are.

    Parameters
    ----------
    path, dtype
        As for `save_weights`.
    weights : str or path-like, optional
        As for `load_model`. What was noted in them is kept.

    Raises
    ------
    InputError
        As `load_model` and `save_weights`.
    """
    from unetpred.network.architecture import Config

    about = describe(weights)
    config = Config(about["variant"], about["width"])
    notes = {key[5:]: value for key, value in about.items() if key.startswith("note ")}
    save_weights(load_model(weights), config, path, dtype, **notes)


def check_weights_target(path: str | os.PathLike[str]) -> None:
    """Refuse a file that `save_weights` could not write.

    Raises
    ------
    InputError
        If it has another ending, is a folder, or its folder is not there or cannot be written to.
    """
    endings = (".weights.h5", ".weights.json")
    if not str(path).endswith(endings):
        raise InputError(f"{path}: a file that ends in {' or '.join(endings)} is right here")
    check_target(path, ".h5", ".json")
