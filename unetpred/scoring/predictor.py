"""Scoring: fill the hole in, compare with what was there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.masks import Box, checked_masks, hole_boxes
from unetpred.images.colour import from_network
from unetpred.scoring.hole_outputs import HoleOutputs

if TYPE_CHECKING:
    import keras

OUTPUTS = ("structure", "content")


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
        Its terms, in the order of `unetpred.network.vgg16.CONTENT_LAYERS`.
    filled : numpy.ndarray, (N,H,W,3) float32
        RGB 0..255; the visible pixels are the original's.
    network_output : numpy.ndarray, (N,H,W,3) float32, or None if not asked for
        What the network gives everywhere, RGB, before clipping.
    reasons : list of str
        Per image why a score is undefined; empty where all are defined.
    content_of_others : list of numpy.ndarray, (N,) float64
        Content of the same holes as others have filled them in; empty if not asked for.
    """

    structure: np.ndarray | None
    content: np.ndarray | None
    content_layers: np.ndarray | None
    filled: np.ndarray = field(repr=False)  # a notebook that shows a result shows scores
    network_output: np.ndarray | None = field(repr=False)
    reasons: list[str] = field(default_factory=list)
    content_of_others: list[np.ndarray] = field(default_factory=list)


class Predictor:
    """Scores images with one set of weights, loaded once.

    Parameters
    ----------
    weights : str or path-like, optional
        As for `unetpred.load_model`; the shipped default if not given.
    vgg_weights : str or path-like, optional
        VGG-16 for the content score; ImageNet's if not given, see
        `unetpred.network.vgg16.read_vgg`. Read when the first content score is asked for.
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
        self._outputs: dict[int, HoleOutputs] = {}  # by the channels of the masks
        self._vgg: keras.Model | None = None
        self.network(1)

    def network(self, mask_channels: int = 1) -> keras.Model:
        """The network for masks of one channel or of one per colour."""
        return self.outputs(mask_channels).network

    def outputs(self, mask_channels: int = 1) -> HoleOutputs:
        """What computes the network's output, for masks of one channel or of one per colour."""
        from unetpred.weights.files import load_model

        if mask_channels not in self._outputs:
            network = load_model(self.weights, mask_channels)
            self._outputs[mask_channels] = HoleOutputs(network, self.batch_size)
        return self._outputs[mask_channels]

    def vgg(self) -> keras.Model:
        """VGG-16 cut at the layers of the content score."""
        from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model

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
            axis of N gives each image its own; a last one of 3 each of red, green and blue.
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
        return self.score(images, checked_masks(mask, images.shape), output, network_output)

    def score(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        output: Sequence[str] = ("structure",),
        network_output: bool = False,
        holes: np.ndarray | None = None,
        others: Sequence[np.ndarray] = (),
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
        holes : numpy.ndarray, (1 or N,H,W,1 or 3) float32, optional
            0 = filled in and scored, where that is not all that is missing, as in a crop that
            reaches beyond the border of its image.
        others : sequence of numpy.ndarray, (N,H,W,3)
            The images as other methods fill them in. Where content is asked for, theirs is measured
            too, and what VGG-16 makes of the originals is computed once for all.

        Returns
        -------
        Result
        """
        masks = _shared(masks)
        holes = masks if holes is None else _shared(holes)
        boxes = [hole_boxes(hole.min(axis=-1)) for hole in holes]
        outputs = self.outputs(masks.shape[-1])
        raw = outputs(images, masks, None if network_output else boxes)
        filled = _filled(images, holes, boxes, raw)
        rgb = from_network(raw) if network_output else None
        return self._scored(images, holes, boxes, filled, rgb, output, others)

    def _scored(self, images, holes, boxes, filled, network_output, output, others) -> Result:
        from unetpred.network.vgg16 import CONTENT_LAYERS
        from unetpred.scoring.content import contents_of_holes
        from unetpred.scoring.scores import structure

        count = len(images)
        reasons: list[list[str]] = [[] for _ in range(count)]
        r = layers = total = None
        of_others: list[np.ndarray] = []
        if "structure" in output:
            r = np.full(count, np.nan)
            for i in range(count):
                r[i], reason = structure(filled[i], images[i], holes[i % len(holes)])
                reasons[i] += [f"structure: {reason}"] if reason else []
        if "content" in output:
            layers, total = np.full((count, len(CONTENT_LAYERS)), np.nan), np.full(count, np.nan)
            listed = [boxes[i % len(boxes)] for i in range(count)]
            ours, *theirs = contents_of_holes([filled, *others], images, listed, self.vgg())
            of_others = [np.array([float(score.total) for score in scores]) for scores in theirs]
            for i, score in enumerate(ours):
                total[i], layers[i] = score.total, score.layers
                reasons[i] += [f"content: {score.reason}"] if score.reason else []
        joined = ["; ".join(reason) for reason in reasons]
        return Result(r, total, layers, filled, network_output, joined, of_others)


def _filled(
    images: np.ndarray, holes: np.ndarray, boxes: list[list[Box]], raw: np.ndarray
) -> np.ndarray:
    """Images (N,H,W,3) whose holes have the network's output in them."""
    filled = images.copy()
    for i, image in enumerate(filled):
        for top, left, bottom, right in boxes[i % len(boxes)]:
            part = np.s_[top:bottom, left:right]
            rgb = np.clip(from_network(raw[i][part]), 0, 255)
            image[part] = np.where(holes[i % len(holes)][part] == 0, rgb, image[part])
    return filled


def _shared(masks: np.ndarray) -> np.ndarray:
    """One mask instead of several that are alike."""
    return masks[:1] if len(masks) > 1 and (masks == masks[0]).all() else masks


def _checked_images(images: np.ndarray) -> np.ndarray:
    from unetpred.images.sources import array_sources

    try:
        images = np.asarray(images)
    except ValueError:  # as NumPy says that it can make no array of it
        shapes = " and ".join(map(str, list(dict.fromkeys(map(np.shape, images)))[:2]))
        raise InputError(
            f"images of several shapes, {shapes}: (N,H,W,3) of one size at a time is right; "
            "`unetpred predict` takes files of several sizes"
        ) from None
    if images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        raise InputError(f"images of shape {images.shape}: (N,H,W,3) with N at least 1 is right")
    return np.stack([source.load() for source in array_sources(images)])
