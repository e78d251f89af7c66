"""Activations of layers, for encoding models and representational similarity."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.holes.own_masks import Masks
from unetpred.holes.polarity import Polarity, check_polarity, warn_if_inverted
from unetpred.images.colour import to_network
from unetpred.images.inputs import load_all
from unetpred.network.forward import compiled
from unetpred.network.layer_outputs import choose_layers, layer_model, visible_masks

if TYPE_CHECKING:
    import keras

POOL_MEAN = "mean"


def features(
    images: Any,
    layers: str | Sequence[str],
    mask: np.ndarray | str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    pool: int | Literal["mean"] | None = None,
    channel_mean: bool = False,
    dtype: Literal["float32", "float16"] = "float32",
    batch_size: int = 8,
    mask_polarity: Polarity = "visible",
) -> dict[str, np.ndarray]:
    """Activations of layers by name, after their ReLU (the output, `block10`, has none).

    Parameters
    ----------
    images : path-like, array_like, PIL.Image.Image, or sequence of these
        Files, folders, or arrays (N,H,W,3), (N,H,W), (H,W,3) or (H,W): uint8, or float 0..255,
        RGB or grey, sides at least 84 px. All of one size, unless ``pool="mean"``.
    layers : str or sequence of str
        Names of layers, as `unetpred features --list` shows them; ``*`` stands for any characters.
    mask : array_like, (H,W) or (N,H,W), or path-like, optional
        Anything but 0 = visible, 0 = missing. Nothing is missing if not given. A path is a mask,
        or a folder of masks that are named like their images.
    weights : str, path-like or keras.Model, optional
        As for `unetpred.load_model`, or a network that was loaded before.
    pool : int or "mean", optional
        Mean over blocks of so many units a side (smaller ones at the right and lower border), or
        over all positions.
    channel_mean : bool
        Whether to average over channels.
    dtype : {"float32", "float16"}
        Of what is returned; computing is in float32.
    batch_size : int
        Images per pass.
    mask_polarity : {"visible", "missing"}
        What anything but 0 stands for in `mask`. A mask that looks inverted is warned of.

    Returns
    -------
    dict of str to numpy.ndarray
        By layer, in the order of the network: (N,h,w,C). No h and w with ``pool="mean"``, no C
        with `channel_mean`. What h, w and C are, where units are centred, and how far they see:
        `unetpred.network.receptive_fields.list_layers`.

    Raises
    ------
    InputError
        If a layer does not exist, an image cannot be used, or sizes do not fit.

    Examples
    --------
    >>> features(images, ["vblock3_conv_3", "vblock5_*"], pool="mean")["vblock3_conv_3"].shape
    (4, 64)
    """
    sources = load_all(images)
    check_polarity(mask_polarity)
    if isinstance(mask, str | os.PathLike):
        own = Masks(mask, mask_polarity)
        own.check_count(len(sources))
        mask = np.stack([own.of(one.path, row, one.size) for row, one in enumerate(sources)])
        masks = visible_masks(mask, len(sources))
    else:
        masks = visible_masks(mask, len(sources))
        if masks is not None and mask_polarity == "missing":
            masks = 1 - masks
        for one in () if masks is None else masks:
            if warn_if_inverted(one, "mask", mask_polarity):
                break
    extractor = Extractor(layers, weights, pool, channel_mean, dtype)
    check_one_size({source.size for source in sources}, pool)

    found: dict[str, np.ndarray] = {}
    for start, stop in _batches([source.size for source in sources], batch_size):
        pixels = np.stack([source.load() for source in sources[start:stop]])
        chosen = None
        if masks is not None:
            chosen = masks if len(masks) == 1 else masks[start:stop]
        for name, values in extractor(pixels, chosen).items():
            if name not in found:
                found[name] = np.empty((len(sources), *values.shape[1:]), dtype)
            found[name][start:stop] = values
    return found


class Extractor:
    """Computes activations with one set of weights, loaded once.

    Parameters
    ----------
    layers, weights, pool, channel_mean, dtype
        As for `features`.

    Attributes
    ----------
    layers : list of str
        The layers, in the order of the network.
    """

    def __init__(
        self,
        layers: str | Sequence[str],
        weights: str | os.PathLike[str] | keras.Model | None = None,
        pool: int | Literal["mean"] | None = None,
        channel_mean: bool = False,
        dtype: Literal["float32", "float16"] = "float32",
    ):
        import_keras(ours=False)
        import keras

        from unetpred.network.model import config_of
        from unetpred.weights.files import load_model

        if pool not in (None, POOL_MEAN) and (not isinstance(pool, int) or pool < 1):
            raise InputError(f'pool {pool!r}: a whole number from 1, or "mean", is right')
        if dtype not in ("float32", "float16"):
            raise InputError(f"dtype {dtype!r}: float32 or float16 is right")
        model = weights if isinstance(weights, keras.Model) else load_model(weights)
        self.config = config_of(model)
        self.layers = choose_layers(layers, self.config.variant)
        self.pool, self.channel_mean, self.dtype = pool, channel_mean, dtype
        self._model = layer_model(model, self.layers)

    @full_float32()
    def __call__(
        self, images: np.ndarray, masks: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Activations of images of one size, in one pass.

        Parameters
        ----------
        images : numpy.ndarray, (N,H,W,3) float32
            RGB 0..255.
        masks : numpy.ndarray, (1 or N,H,W), optional
            1 = visible, 0 = missing. Nothing is missing if not given.

        Returns
        -------
        dict of str to numpy.ndarray
            As `features`.
        """
        count, height, width, _ = images.shape
        if masks is None:
            masks = np.ones((1, height, width), "float32")
        if masks.shape[1:] != (height, width) or len(masks) not in (1, count):
            raise InputError(
                f"mask of shape {masks.shape[1:]} does not fit images of {(height, width)}"
            )
        masks = np.broadcast_to(masks[..., None], (count, height, width, 1)).astype("float32")
        outputs = compiled(self._model, [to_network(images), masks])
        outputs = outputs if isinstance(outputs, list) else [outputs]
        outputs = (averaged(np.asarray(x), self.pool, self.channel_mean) for x in outputs)
        return {
            name: self._stored(values, name)
            for name, values in zip(self.layers, outputs, strict=True)
        }

    def _stored(self, values: np.ndarray, name: str) -> np.ndarray:
        if self.dtype == "float16" and np.abs(values).max() > np.finfo("float16").max:
            raise InputError(
                f"{name}: an activation of {np.abs(values).max():g} does not fit into float16; "
                "float32 is right"
            )
        return values.astype(self.dtype)


def averaged(
    values: np.ndarray, pool: int | Literal["mean"] | None = None, channel_mean: bool = False
) -> np.ndarray:
    """Means of activations over space, channels, or both.

    Parameters
    ----------
    values : numpy.ndarray, (N,h,w,C)
        Activations.
    pool, channel_mean
        As for `features`.

    Returns
    -------
    numpy.ndarray, (N[,h',w'][,C])
        float64 where anything was averaged.
    """
    if channel_mean:
        values = values.mean(axis=-1, dtype="float64", keepdims=True)
    if pool == POOL_MEAN:
        values = values.mean(axis=(1, 2), dtype="float64")
    elif pool is not None:
        values = _block_means(values, int(pool))
    return values[..., 0] if channel_mean else values


def check_one_size(sizes: Iterable[tuple[int, int]], pool: int | str | None) -> None:
    """Refuse images of several sizes, unless nothing of space is kept.

    Raises
    ------
    InputError
        One line that names the sizes.
    """
    sizes = sorted(sizes)
    if len(sizes) > 1 and pool != POOL_MEAN:
        names = ", ".join(f"{w}x{h}" for h, w in sizes[:4]) + (", ..." if len(sizes) > 4 else "")
        raise InputError(
            f"images of several sizes ({names}) do not fit into one array; average over space "
            '(pool "mean"), or take one size at a time'
        )


def _batches(sizes: list[tuple[int, int]], batch_size: int) -> Iterable[tuple[int, int]]:
    """Ranges of neighbours of one size."""
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    start = 0
    for stop in range(1, len(sizes) + 1):
        if stop == len(sizes) or stop - start == batch_size or sizes[stop] != sizes[start]:
            yield start, stop
            start = stop


def _block_means(values: np.ndarray, side: int) -> np.ndarray:
    """(N,h,w,C) -> (N,ceil(h/side),ceil(w/side),C)"""
    values = values.astype("float64", copy=False)
    for axis in (1, 2):
        starts = np.arange(0, values.shape[axis], side)
        counts = np.diff([*starts, values.shape[axis]])
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        values = np.add.reduceat(values, starts, axis=axis) / counts.reshape(shape)
    return values
