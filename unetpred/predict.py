"""Scoring: fill the hole in, compare with what was there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unetpred.colour import from_network, to_network
from unetpred.errors import InputError
from unetpred.forward import forward
from unetpred.masks import Box, check_mask, hole_boxes, hole_mask

if TYPE_CHECKING:
    import keras

OUTPUTS = ("structure", "content")
MAX_WINDOWS = 4  # holes that are computed one by one; with more of them the whole output is


@dataclass
class Result:
    """Scores of N images, and their filled-in versions.

    Attributes
    ----------
    structure : numpy.ndarray, (N,) float64, or None if not asked for
        Pearson's r in the hole, -1..1; higher = more predictable. NaN where undefined.
    content : numpy.ndarray, (N,) float64, or None if not asked for
        VGG-16 feature distance in the hole, from 0; higher = LESS predictable. NaN where undefined.
    content_layers : numpy.ndarray, (N,5) float64, or None
        Its terms, in the order of `unetpred.vgg.CONTENT_LAYERS`.
    filled : numpy.ndarray, (N,H,W,3) float32
        RGB 0..255; the visible pixels are the original's.
    network_output : numpy.ndarray, (N,H,W,3) float32, or None if not asked for
        What the network gives everywhere, RGB, before clipping.
    reasons : list of str
        Per image why a score is undefined; empty where all are defined.
    """

    structure: np.ndarray | None
    content: np.ndarray | None
    content_layers: np.ndarray | None
    filled: np.ndarray
    network_output: np.ndarray | None
    reasons: list[str] = field(default_factory=list)


class Predictor:
    """Scores images with one set of weights, loaded once.

    Parameters
    ----------
    weights : str or path-like, optional
        As for `unetpred.load_model`; the shipped default if not given.
    vgg_weights : str or path-like, optional
        VGG-16 for the content score; ImageNet's, downloaded by Keras, if not given. Read when the
        first content score is asked for.
    batch_size : int
        Images per pass through the network. Changes no score by more than rounding (1e-5).

    Examples
    --------
    >>> predictor = Predictor()
    >>> result = predictor(images)          # uint8 or float RGB 0..255, (N,H,W,3)
    >>> result.structure                    # (N,)
    """

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        vgg_weights: str | os.PathLike | None = None,
        batch_size: int = 8,
    ):
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        self.weights = weights
        self.vgg_weights = vgg_weights
        self.batch_size = batch_size
        self._networks: dict[int, keras.Model] = {}
        self._windows: dict[tuple, keras.Model] = {}
        self._vgg: keras.Model | None = None
        self.network(1)

    def network(self, mask_channels: int = 1) -> keras.Model:
        """The network for masks of one channel or of one per colour."""
        from unetpred.weights import load_model

        if mask_channels not in self._networks:
            self._networks[mask_channels] = load_model(self.weights, mask_channels)
        return self._networks[mask_channels]

    def vgg(self) -> keras.Model:
        """VGG-16 cut at the layers of the content score."""
        from unetpred.vgg import CONTENT_LAYERS, vgg_model

        if self._vgg is None:
            self._vgg = vgg_model(self.vgg_weights, CONTENT_LAYERS)
        return self._vgg

    def __call__(
        self,
        images: np.ndarray,
        mask: np.ndarray | None = None,
        output: Sequence[str] = ("structure",),
        network_output: bool = False,
    ) -> Result:
        """Score images of one size.

        Parameters
        ----------
        images : array_like, (N,H,W,3)
            uint8 or float, RGB 0..255, sides at least 84 px.
        mask : array_like, (H,W), (H,W,3), (N,H,W) or (N,H,W,3), optional
            Anything but 0 = visible, 0 = missing; the centred 52 px square if not given. A first
            axis of N gives each image its own.
        output : sequence of {"structure", "content"}
            The scores wanted.
        network_output : bool
            Whether the whole output of the network is wanted too.

        Returns
        -------
        Result

        Raises
        ------
        InputError
            If shapes or values do not fit.
        """
        images = _checked_images(images)
        if unknown := [name for name in output if name not in OUTPUTS]:
            raise InputError(f"output {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
        return self.score(images, _checked_masks(mask, images), output, network_output)

    def score(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        output: Sequence[str] = ("structure",),
        network_output: bool = False,
    ) -> Result:
        """Score images and masks that have been checked already.

        Parameters
        ----------
        images : numpy.ndarray, (N,H,W,3) float32
            RGB 0..255.
        masks : numpy.ndarray, (1 or N,H,W,1 or 3) float32
            1 = visible, 0 = missing.
        output, network_output
            As for a call.

        Returns
        -------
        Result
        """
        raw = self._raw(images, masks, network_output)
        rgb = from_network(raw)
        filled = np.where(masks == 0, np.clip(rgb, 0, 255), images)
        return self._scored(images, masks, filled, rgb if network_output else None, output)

    def _raw(self, images: np.ndarray, masks: np.ndarray, whole: bool) -> np.ndarray:
        """The network's output (N,H,W,3), at least in the holes; zero where it was not computed."""
        shape = images.shape[1:3]
        parts = [(0, 0, *shape)]
        model = self.network(masks.shape[-1])
        if not whole and len(masks) == 1:
            # the score looks at the hole alone, and the hole is the same for all of the images
            boxes = hole_boxes(masks[0].min(axis=-1))
            if len(boxes) <= MAX_WINDOWS:
                parts = boxes
                model = self._window_model(shape, tuple(boxes), masks.shape[-1])
        raw = np.zeros(images.shape, "float32")
        for start in range(0, len(images), self.batch_size):
            chosen = slice(start, start + self.batch_size)
            image = to_network(images[chosen])
            mask = masks[chosen] if len(masks) > 1 else np.repeat(masks, len(image), axis=0)
            outputs = forward(model, [image, mask])
            for (top, left, bottom, right), values in zip(parts, outputs, strict=True):
                raw[chosen, top:bottom, left:right] = values
        return raw

    def _window_model(self, shape, boxes: tuple[Box, ...], mask_channels: int) -> keras.Model:
        from unetpred.model import build_hole_model

        key = (shape, boxes, mask_channels)
        if key not in self._windows:
            self._windows[key] = build_hole_model(self.network(mask_channels), *shape, *boxes)
        return self._windows[key]

    def _scored(self, images, masks, filled, network_output, output) -> Result:
        from unetpred.scores import content_of_holes, structure
        from unetpred.vgg import CONTENT_LAYERS

        count = len(images)
        reasons: list[list[str]] = [[] for _ in range(count)]
        r = layers = total = None
        if "structure" in output:
            r = np.full(count, np.nan)
            for i in range(count):
                r[i], reason = structure(filled[i], images[i], masks[i % len(masks)])
                reasons[i] += [f"structure: {reason}"] if reason else []
        if "content" in output:
            layers, total = np.full((count, len(CONTENT_LAYERS)), np.nan), np.full(count, np.nan)
            for i in range(count):
                boxes = hole_boxes(masks[i % len(masks)].min(axis=-1))
                score = content_of_holes(filled[i], images[i], boxes, self.vgg())
                total[i], layers[i] = score.total, score.layers
                reasons[i] += [f"content: {score.reason}"] if score.reason else []
        joined = ["; ".join(reason) for reason in reasons]
        return Result(r, total, layers, filled, network_output, joined)


def _checked_images(images: np.ndarray) -> np.ndarray:
    from unetpred.images import array_sources

    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        raise InputError(f"images of shape {images.shape}: (N,H,W,3) with N at least 1 is right")
    return np.stack([source.load() for source in array_sources(images)])


def _checked_masks(mask: np.ndarray | None, images: np.ndarray) -> np.ndarray:
    """Masks as (1 or N,H,W,1 or 3) float32, 1 = visible, 0 = missing."""
    count, height, width, _ = images.shape
    if mask is None:
        return hole_mask((height, width))[None, ..., None]
    given = np.asarray(mask)
    forms = {
        (height, width): (1, height, width, 1),
        (height, width, 1): (1, height, width, 1),
        (height, width, 3): (1, height, width, 3),
        (count, height, width): (count, height, width, 1),
        (count, height, width, 1): (count, height, width, 1),
        (count, height, width, 3): (count, height, width, 3),
    }
    if given.shape not in forms:
        raise InputError(
            f"mask of shape {given.shape} does not fit images of shape {images.shape}: "
            "(H,W), (N,H,W), or either with one or three channels is right"
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError("mask holds NaN or infinity; 0 = missing and anything else = visible")
    masks = (given != 0).astype("float32").reshape(forms[given.shape])
    for one in masks:
        check_mask(one.reshape(height, -1), (height, width * one.shape[-1]), "mask")
    return masks
