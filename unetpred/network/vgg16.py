"""VGG-16 without its top: as it ships, from a file or downloaded, and cut at chosen layers.

Simonyan and Zisserman's network [1]_, as ImageNet trained it, comes with a clone of the repository;
an installed wheel leaves it out for its size, and Keras downloads it. Both are the same numbers.

References
----------
.. [1] K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
   recognition", ICLR 2015.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError, reason_of
from unetpred.io.hdf5 import read_layers
from unetpred.io.registry import VGG, known_vgg

if TYPE_CHECKING:
    import keras

#: Convolutions per block and their filters (Simonyan & Zisserman 2015, configuration D).
VGG_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
#: The layers of the content score; the last convolution of each block.
CONTENT_LAYERS = tuple(f"block{b}_conv{n}" for b, (n, _) in enumerate(VGG_BLOCKS, start=1))
#: The layers of the upstream loss.
LOSS_LAYERS = CONTENT_LAYERS[:4]
#: What `arrays_sha256` gives for ImageNet's VGG-16, whichever file it is in.
VGG_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"


def vgg_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Give the kernel shape (3, 3, C_in, C_out) of each of the 13 convolutions, input first."""
    shapes = {}
    channels = 3
    for block, (count, filters) in enumerate(VGG_BLOCKS, start=1):
        for index in range(1, count + 1):
            shapes[f"block{block}_conv{index}"] = (3, 3, channels, filters)
            channels = filters
    return shapes


def find_vgg(path: str | os.PathLike[str]) -> Path:
    """Refuse a file of VGG-16 that is not there, before Keras is imported for it.

    Raises
    ------
    InputError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {problem}; --vgg_weights takes the weights of VGG-16 (.h5)")
    return path


def vgg_file(path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file that `read_vgg` reads; None if Keras downloads it."""
    if path is not None:
        return find_vgg(path)
    shipped = known_vgg()
    return shipped.path if shipped.here else None


def read_vgg(
    path: str | os.PathLike[str] | None = None,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read the kernels and biases of VGG-16's 13 convolutions.

    Parameters
    ----------
    path : path-like, optional
        Weights of VGG-16: a legacy (Keras 1, 2) or whole-model `.h5`, a Keras 3 `.weights.h5`,
        a sharded `.weights.json` or a `.keras`. The content tells which of them it is, not
        by the ending. Layers beyond the 13 convolutions are ignored. Without a path ImageNet's
        are taken: those in the repository where they are there, else those that Keras downloads,
        once. Either way their hash is checked.

    Returns
    -------
    dict of str to (kernel, bias)
        `block1_conv1` .. `block5_conv3` in the order of the network; float32 kernels
        (3, 3, C_in, C_out) and biases (C_out,).

    Raises
    ------
    InputError
        If the file is missing, is no such file, lacks layers or has other shapes than VGG-16; or
        if there is neither a file nor a network to download from, or what is there without a path
        has other numbers than ImageNet's.
    """
    if path is not None:
        return _read(find_vgg(path))
    shipped = known_vgg()
    weights = _read(shipped.path) if shipped.here else _download()
    if (found := arrays_sha256(weights)) != VGG_SHA256:
        where, mend = (
            (shipped.path, "get it and its parts again")
            if shipped.here
            else ("VGG-16 as Keras downloaded it", "remove it from ~/.keras/models")
        )
        raise InputError(
            f"{where}: the sha256 over its arrays is {found}, that of ImageNet's VGG-16 is "
            f"{VGG_SHA256}; {mend}, or give --vgg_weights FILE"
        )
    return weights


def arrays_sha256(weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Hash the numbers of VGG-16, whatever file they came in.

    Parameters
    ----------
    weights : mapping of str to (kernel, bias)
        From `read_vgg`.

    Returns
    -------
    str
        The sha256, in hexadecimal digits, over the bytes of kernel and bias of `block1_conv1`, of
        `block1_conv2` and so on to `block5_conv3`: float32, little-endian, the last axis fastest.
    """
    digest = hashlib.sha256()
    for name in vgg_shapes():
        for array in weights[name]:
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def vgg_origin(path: str | os.PathLike[str] | None = None) -> str:
    """Say which VGG-16 is used, for provenance: ImageNet's by its name, any other by its file.

    Parameters
    ----------
    path : path-like, optional
        As for `read_vgg`.

    Raises
    ------
    InputError
        If there is a path, as for `read_vgg`.
    """
    found = vgg_digest(path)
    name = f"{VGG}, ImageNet's" if path is None or found == VGG_SHA256 else os.fspath(path)
    return f"{name} (sha256 over its arrays {found})"


def vgg_digest(path: str | os.PathLike[str] | None = None) -> str:
    """The `arrays_sha256` of the VGG-16 that is used; all as for `vgg_origin`."""
    # without a path nothing else is ever used, see `read_vgg`
    return VGG_SHA256 if path is None else arrays_sha256(read_vgg(path))


def describe_vgg() -> dict[str, object]:
    """What VGG-16 is that is used by default: file, hash, credit, licence.

    Raises
    ------
    InputError
        If the file is there but damaged.
    """
    shipped = known_vgg()
    about: dict[str, object] = {
        "name": VGG,
        "file": shipped.path if shipped.here else "none here; Keras downloads it when it is needed",
        "sha256 over its arrays": VGG_SHA256,
        "layers": f"{len(vgg_shapes())} convolutions, {', '.join(vgg_shapes())}",
        "parameters": sum(int(np.prod(shape)) + shape[-1] for shape in vgg_shapes().values()),
        "stored as": "float32",
        "credit": "K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale "
        "image recognition, ICLR 2015; Visual Geometry Group, Oxford",
        "licence": "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        "used for": "the content score, --loss upstream and --init vgg16",
    }
    if shipped.here:
        read_vgg()  # the hash is checked
    return about


def vgg_model(
    path: str | os.PathLike[str] | None = None, layers: Sequence[str] = CONTENT_LAYERS
) -> keras.Model:
    """Build VGG-16 up to the deepest of the layers wanted.

    The model takes what it is given: turning RGB into mean-subtracted BGR, where that is wanted,
    is the caller's business (`unetpred.images.colour.to_network`). It computes in float32 whatever
    the global dtype policy says, and is not trainable.

    Parameters
    ----------
    path : path-like, optional
        As for `read_vgg`.
    layers : sequence of str
        Names `block{b}_conv{i}` of the layers whose features are wanted.

    Returns
    -------
    keras.Model
        From images (N,H,W,3) to the list of the features (N,h,w,C) of `layers`, in that order,
        after ReLU; with one layer, its features themselves. A layer of block b has
        h = H // 2**(b-1), w = W // 2**(b-1).

    Raises
    ------
    InputError
        If a layer is not VGG-16's, or as for `read_vgg`.
    """
    names = list(vgg_shapes())
    unknown = [name for name in layers if name not in names]
    if unknown or not layers:
        raise InputError(
            f"VGG layers {', '.join(unknown) or 'none'}: not in VGG-16; it has {', '.join(names)}"
        )
    weights = read_vgg(path)

    import keras

    x = inputs = keras.Input((None, None, 3), dtype="float32", name="image")
    features = {}
    deepest = max(names.index(name) for name in layers)
    for name in names[: deepest + 1]:
        kernel, bias = weights[name]
        if name.endswith("_conv1") and name != names[0]:
            x = keras.layers.MaxPooling2D(
                2, data_format="channels_last", dtype="float32", name=f"pool_before_{name}"
            )(x)
        convolution = keras.layers.Conv2D(
            kernel.shape[-1],
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            dtype="float32",
            # Replaced below; the default would draw 15 million random numbers first.
            kernel_initializer="zeros",
            trainable=False,
            name=name,
        )
        x = features[name] = convolution(x)
        convolution.set_weights([kernel, bias])
    model = keras.Model(inputs, [features[name] for name in layers], name="vgg16")
    model.trainable = False
    return model


def _download() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Take ImageNet's weights from `keras.applications`."""
    import sys

    import keras

    try:
        # Keras reports the download on stdout, which is kept for results.
        with redirect_stdout(sys.stderr):
            model = keras.applications.VGG16(weights="imagenet", include_top=False)
    # Keras raises a plain Exception where the download fails, ValueError for a wrong hash.
    except Exception as error:
        raise InputError(
            "VGG-16's ImageNet weights, which a clone of the repository has, are not here and "
            f"could not be downloaded ({reason_of(error)}): connect to the internet for the "
            "download, or give --vgg_weights FILE"
        ) from error
    return {name: tuple(model.get_layer(name).get_weights()) for name in vgg_shapes()}


def _read(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Take the convolutions out of a file."""
    arrays = read_layers(path, "a file of VGG-16 weights").layers
    # early Keras 3 knows layers as conv2d, conv2d_1, ... and later ones lose names between parts
    numbered = ["conv2d", *(f"conv2d_{index}" for index in range(1, 13))]
    names = dict(zip(numbered, vgg_shapes(), strict=True))
    return _check(path, {names.get(name, name): found for name, found in arrays.items()})


def _check(
    path: Path, arrays: dict[str, dict[int, np.ndarray]]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give the arrays as float32 pairs once all 13 are there in VGG-16's shapes."""
    shapes = vgg_shapes()
    missing = [name for name in shapes if set(arrays.get(name, ())) != {0, 1}]
    if missing:
        raise InputError(
            f"{path}: not the weights of VGG-16, it lacks kernel or bias of {', '.join(missing)}"
        )
    weights = {}
    for name, shape in shapes.items():
        kernel, bias = arrays[name][0], arrays[name][1]
        if kernel.shape != shape or bias.shape != shape[-1:]:
            raise InputError(
                f"{path}: {name} has shapes {kernel.shape} and {bias.shape}; "
                f"VGG-16 has {shape} and {shape[-1:]}"
            )
        kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise InputError(f"{path}: {name} holds NaN or infinity; get the file again")
        weights[name] = (kernel, bias)
    return weights
