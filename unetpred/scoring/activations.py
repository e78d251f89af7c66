"""Activations of layers, for encoding models and representational similarity."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.images.colour import to_network
from unetpred.network.forward import compiled
from unetpred.network.layer_outputs import choose_layers, layer_model

if TYPE_CHECKING:
    import keras

POOL_MEAN = "mean"


class Extractor:
    """Computes activations with one set of weights, loaded once.

    Parameters
    ----------
    layers, weights, pool, channel_mean, dtype
        As for `unetpred.features`.

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
            As `unetpred.features`.
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
        As for `unetpred.features`.

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
