"""Weights files: ours, the original's, and the registry of those that are known."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError
from unetpred.files import atomic_path

if TYPE_CHECKING:
    import keras

    from unetpred.architecture import Config

DEFAULT = "lite"
SHIPPED = {"lite": "lite.weights.h5"}

UPSTREAM_URL = (
    "https://raw.githubusercontent.com/uranc/U-Net-Pred/"
    "954a6be89ae6b670958bc5a588b01de5a712bff8/weights.last.h5"
)
UPSTREAM_BLOB = "a3f39b411cad2a56d5989385bcd96641e8e16c93"


@dataclass(frozen=True)
class Known:
    """A known set of weights.

    Attributes
    ----------
    name : str
        What `load_model` and ``--weights`` take.
    path : Path
        Where it is, or would be.
    origin : {"shipped", "upstream"}
        Ours, or the original's.
    """

    name: str
    path: Path
    origin: str

    @property
    def here(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()


def known_weights() -> dict[str, Known]:
    """The registry: all weights that have a name."""
    package = Path(__file__).parent
    folder = next(
        (f for f in (package / "shipped", package.parent / "weights") if f.is_dir()), None
    )
    known = {
        name: Known(name, (folder or package / "shipped") / file, "shipped")
        for name, file in SHIPPED.items()
    }
    known["upstream"] = Known("upstream", _cache() / "upstream.weights.last.h5", "upstream")
    return known


def _cache() -> Path:
    return Path(os.environ.get("UNETPRED_HOME", Path.home() / ".cache" / "unetpred"))


def find_weights(name_or_file: str | os.PathLike | None = None) -> tuple[str, Path]:
    """Name and file of weights given by name or by file.

    Parameters
    ----------
    name_or_file : str or path-like, optional
        A name of the registry, or a file; the shipped default if not given.

    Returns
    -------
    (name, path)
        For a file the name is that of the file.

    Raises
    ------
    InputError
        If it is neither.
    """
    given = os.fspath(name_or_file) if name_or_file is not None else DEFAULT
    known = known_weights()
    if given in known:
        if not known[given].here:
            hint = (
                "fetch it with `unetpred weights fetch upstream`"
                if known[given].origin == "upstream"
                else "the installation is incomplete; install unetpred again"
            )
            raise InputError(f"{given}: its file {known[given].path} is not there; {hint}")
        return given, known[given].path
    path = Path(given)
    if not path.is_file():
        raise InputError(f"{given}: neither a file nor one of the weights {', '.join(known)}")
    return path.name, path


def sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file, in hexadecimal; for sharded weights that of all parts in order."""
    from unetpred.hdf5 import shards

    path = Path(path)
    digest = hashlib.sha256()
    for part in (path, *shards(path)):
        digest.update(part.read_bytes())
    return digest.hexdigest()


def describe(name_or_file: str | os.PathLike | None = None) -> dict[str, object]:
    """What a set of weights is: file, sha256, architecture, and what was noted in it.

    Raises
    ------
    InputError
        As `load_model`.
    """
    from unetpred.hdf5 import read_layers

    name, path = find_weights(name_or_file)
    file = read_layers(path, "a file of U-Net-Pred weights")
    config = _architecture(path, _named_by_order(file.layers))
    arrays = [array for layer in file.layers.values() for array in layer.values()]
    return {
        "name": name,
        "file": path,
        "sha256": sha256(path),
        "format": "legacy (the original's)" if file.legacy else "native",
        **config.as_dict(),
        "parameters": sum(array.size for array in arrays),
        "stored as": ", ".join(sorted({str(array.dtype) for array in arrays})),
        **{f"note {key}": value for key, value in file.note.items() if key not in config.as_dict()},
    }


def load_model(
    name_or_file: str | os.PathLike | None = None, mask_channels: int = 1
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
    from unetpred.hdf5 import read_layers
    from unetpred.layers import dtype_policy
    from unetpred.model import build_unetpred

    _, path = find_weights(name_or_file)
    file = read_layers(path, "a file of U-Net-Pred weights")
    layers = _named_by_order(file.layers)
    config = _architecture(path, layers)
    with dtype_policy("float32"):  # whatever the user's own is: a score is computed in full
        model = build_unetpred(
            config.variant, config.width, mask_channels, kernel_initializer="zeros"
        )
    _assign(model, layers, path, upstream=file.legacy)
    return model


def _named_by_order(layers: dict) -> dict:
    """Name the layers that files know only as p_conv2d, p_conv2d_1, ...

    Early Keras 3 did not write layer names, and later ones lose that of the first layer of a shard.
    """
    from unetpred.architecture import VARIANTS, layer_names

    orders = {len(layer_names(variant)): layer_names(variant) for variant in VARIANTS}
    order = orders.get(len(layers), [])
    numbered = {f"p_conv2d_{i}" if i else "p_conv2d": name for i, name in enumerate(order)}
    return {numbered.get(name, name): arrays for name, arrays in layers.items()}


def _architecture(path: Path, layers: dict) -> Config:
    from unetpred.architecture import ENCODER, Config

    first = layers.get("vblock1_conv_1", {}).get(0)
    if first is None or first.ndim != 4 or first.shape[:3] != (3, 3, 3) or not first.size:
        raise InputError(
            f"{path}: not the weights of a U-Net-Pred network (it has no vblock1_conv_1 of kernel "
            "(3,3,3,filters)); give weights of this package or the original's"
        )
    variant = "paper" if "vblock6_conv_1" in layers else "released"
    return Config(variant, first.shape[-1] / ENCODER[0][0])


def _assign(model: keras.Model, layers: dict, path: Path, upstream: bool) -> None:
    from unetpred.layers import PConv2D

    convolutions = [layer for layer in model.layers if isinstance(layer, PConv2D)]
    names = {layer.name for layer in convolutions}
    missing = [
        f"{name}/{part}"
        for name in sorted(names)
        for i, part in enumerate(("kernel", "bias"))
        if i not in layers.get(name, {})
    ]
    if missing:
        raise InputError(f"{path}: incomplete, it lacks {', '.join(missing)}")
    if surplus := sorted(set(layers) - names):
        raise InputError(
            f"{path}: has layers that a U-Net-Pred network has not: {', '.join(surplus)}"
        )
    for layer in convolutions:
        kernel, bias = (np.asarray(layers[layer.name][i], "float32") for i in (0, 1))
        if (kernel.shape, bias.shape) != (layer.kernel.shape, layer.bias.shape):
            raise InputError(
                f"{path}: {layer.name} has shapes {kernel.shape} and {bias.shape}, where "
                f"{tuple(layer.kernel.shape)} and {tuple(layer.bias.shape)} are right"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise InputError(f"{path}: {layer.name} holds NaN or infinity; get the file again")
        if upstream:
            kernel = kernel * np.float32(3 / kernel.shape[2])
        layer.set_weights([kernel, bias])


def save_weights(
    model: keras.Model,
    config: Config,
    path: str | os.PathLike,
    dtype: str = "float32",
    **notes,
) -> None:
    """Write a native `.weights.h5` that knows its architecture.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    config : Config
        What it was built with.
    path : path-like
        Where to; ends in `.weights.h5`.
    dtype : {"float32", "float16"}
        What is stored; computing is in float32 either way.
    **notes
        Plain values kept beside the architecture, such as the training step.

    Raises
    ------
    InputError
        If a value does not fit into float16.
    """
    import h5py

    from unetpred.layers import dtype_policy
    from unetpred.model import build_unetpred

    if dtype == "float16":
        values = model.get_weights()
        if any(np.abs(v).max() > np.finfo("float16").max for v in values):
            raise InputError(f"{path}: a weight does not fit into float16; store float32")
        with dtype_policy("float16"):
            model = build_unetpred(config.variant, config.width, kernel_initializer="zeros")
        model.set_weights(values)
    with atomic_path(path) as temporary:
        model.save_weights(temporary, overwrite=True)
        with h5py.File(temporary, "a") as file:
            file.attrs["unetpred"] = json.dumps({**config.as_dict(), **notes})


def fetch_upstream(url: str = UPSTREAM_URL) -> Path:
    """Download the original's weights and verify them.

    Returns
    -------
    Path
        Where they are; from then on ``--weights upstream`` finds them.

    Raises
    ------
    InputError
        If there is no internet, or the file is not the published one.
    """
    import http.client
    import urllib.request

    target = known_weights()["upstream"].path
    if target.is_file() and git_blob(target.read_bytes()) == UPSTREAM_BLOB:
        return target
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{url}: could not be fetched ({reason}); this needs the internet. Or get the file "
            "elsewhere and give it as --weights FILE"
        ) from None
    if git_blob(content) != UPSTREAM_BLOB:
        raise InputError(
            f"{url}: what came has git blob id {git_blob(content)}, the published file "
            f"{UPSTREAM_BLOB}; nothing was kept"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def git_blob(content: bytes) -> str:
    """The id git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
