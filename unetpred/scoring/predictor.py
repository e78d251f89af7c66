"""Scoring: fill the hole in, compare with what was there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.holes.masks import Box, checked_masks, hole_boxes
from unetpred.holes.own_masks import Masks
from unetpred.holes.polarity import Polarity, check_polarity, warn_if_inverted
from unetpred.images.colour import from_network
from unetpred.images.inputs import load_all
from unetpred.images.sources import Source
from unetpred.scoring.hole_outputs import HoleOutputs
from unetpred.scoring.result import Result, combined
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    import keras

__all__ = ["OUTPUTS", "Predictor", "Result"]


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
    >>> predictor(["a.png", "b.jpg"]).to_frame()
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        vgg_weights: str | os.PathLike[str] | None = None,
        batch_size: int = 8,
    ):
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise InputError(f"batch_size must be a whole number, at least 1, got {batch_size}")
        import_keras(ours=False)
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
        images: Any,
        mask: Any = None,
        output: Sequence[str] = ("structure",),
        network_output: bool = False,
        mask_polarity: Polarity = "visible",
    ) -> Result:
        """Score images.

        Parameters
        ----------
        images : path-like, array_like, PIL.Image.Image, or sequence of these
            Files, folders, or arrays (N,H,W,3), (N,H,W), (H,W,3) or (H,W): uint8, or float
            0..255, RGB or grey, sides at least 84 px. Sizes may differ.
        mask : array_like, path-like, or sequence of these, optional
            Anything but 0 = visible, 0 = missing; the centred 52 px square if not given. An array
            is (H,W), (H,W,3), (N,H,W) or (N,H,W,3): a first axis of N gives each image its own,
            a last one of 3 each of red, green and blue. A path is a mask, or a folder of masks
            that are named like their images. A sequence has one for each image.
        output : sequence of {"structure", "structure_luminance", "content"}
            The scores wanted.
        network_output : bool
            Whether the whole output of the network is wanted too.
        mask_polarity : {"visible", "missing"}
            What anything but 0 stands for in `mask`. A mask that looks inverted is warned of.

        Returns
        -------
        Result

        Raises
        ------
        InputError
            If an image cannot be used, or shapes or values do not fit.
        """
        if unknown := [name for name in output if name not in OUTPUTS]:
            raise InputError(f"output {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
        sources = load_all(images)
        sizes = [source.size for source in sources]
        check_polarity(mask_polarity)
        own = _own_masks(mask, sources, mask_polarity)
        taken = _is_path(mask)  # then they are as ours are, and have been warned of
        warned = taken or mask is None
        results, groups = [], []
        for size in dict.fromkeys(sizes):
            rows = [row for row, other in enumerate(sizes) if other == size]
            stack = np.stack([sources[row].load() for row in rows])
            given = mask if own is None else np.stack([own[row] for row in rows])
            masks = checked_masks(given, stack.shape, taken or mask_polarity == "visible")
            for one in () if warned else masks:
                warned = warned or warn_if_inverted(one, "mask", mask_polarity)
            results.append(self.score(stack, masks, output, network_output))
            groups.append(rows)
        result = combined(results, groups)
        result.images = [source.path for source in sources]
        result.indices = [source.index for source in sources]
        return result

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

    def score_places(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        places: Sequence[tuple[int, int]],
        output: Sequence[str] = ("structure",),
        others: Sequence[np.ndarray] = (),
    ) -> Result:
        """Score a hole at many places of one image, each with all of the image around it.

        Parameters
        ----------
        image : numpy.ndarray, (H,W,3) float32
            RGB 0..255.
        hole : numpy.ndarray, (S,S) float32
            1 = visible, 0 = missing.
        places : sequence of N (x, y)
            Columns and rows of the centres; the hole fits into the image at all of them.
        output : sequence of {"structure", "content"}
            The scores wanted.
        others : sequence of numpy.ndarray, (N,S,S,3)
            What other methods put there, as for `score`.

        Returns
        -------
        Result
            Of N patches (S,S,3), with the scores that `score` gives for the whole images.
        """
        side = len(hole)
        corners = [(y - side // 2, x - side // 2) for x, y in places]
        patches = np.stack([image[top : top + side, left : left + side] for top, left in corners])
        raw = np.empty_like(patches)
        for index, values in self.outputs().at_places(image, hole, places):
            raw[index] = values
        holes = hole[None, ..., None]
        boxes = [hole_boxes(hole)]
        filled = _filled(patches, holes, boxes, raw)
        return self._scored(patches, holes, boxes, filled, None, output, others)

    def _scored(
        self,
        images: Any,
        holes: Any,
        boxes: Any,
        filled: Any,
        network_output: Any,
        output: Sequence[str],
        others: Any,
    ) -> Result:
        from unetpred.network.vgg16 import CONTENT_LAYERS
        from unetpred.scoring.content import contents_of_holes
        from unetpred.scoring.luminance import structure_luminance
        from unetpred.scoring.scores import structure

        count = len(images)
        reasons: list[list[str]] = [[] for _ in range(count)]
        layers = total = None
        correlations: dict[str, np.ndarray] = {}
        of_others: list[np.ndarray] = []
        for name, correlate in (
            ("structure", structure),
            ("structure_luminance", structure_luminance),
        ):
            if name not in output:
                continue
            r = correlations[name] = np.full(count, np.nan)
            for i in range(count):
                r[i], reason = correlate(filled[i], images[i], holes[i % len(holes)])
                reasons[i] += [f"{name}: {reason}"] if reason else []
        if "content" in output:
            layers, total = np.full((count, len(CONTENT_LAYERS)), np.nan), np.full(count, np.nan)
            listed = [boxes[i % len(boxes)] for i in range(count)]
            ours, *theirs = contents_of_holes([filled, *others], images, listed, self.vgg())
            of_others = [np.array([float(score.total) for score in scores]) for scores in theirs]
            for i, score in enumerate(ours):
                total[i], layers[i] = score.total, score.layers
                reasons[i] += [f"content: {score.reason}"] if score.reason else []
        joined = ["; ".join(reason) for reason in reasons]
        return Result(
            correlations.get("structure"),
            total,
            layers,
            filled,
            network_output,
            joined,
            of_others,
            structure_luminance=correlations.get("structure_luminance"),
        )


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


def _is_path(mask: Any) -> bool:
    """Whether masks are in files."""
    several = mask if isinstance(mask, list | tuple) else [mask]
    return any(isinstance(one, str | os.PathLike) for one in several)


def _own_masks(mask: Any, sources: list[Source], polarity: Polarity) -> list[np.ndarray] | None:
    """The mask of each image, where a path or a sequence gives it; else None."""
    if _is_path(mask):
        masks = Masks(mask, polarity)
        masks.check_count(len(sources))
        return [masks.of(one.path, row, one.size) for row, one in enumerate(sources)]
    if not isinstance(mask, list | tuple) or not all(np.ndim(one) >= 2 for one in mask):
        return None
    if len(mask) != len(sources):
        raise InputError(f"mask: has {len(mask)} masks for {len(sources)} image(s)")
    for row, (one, source) in enumerate(zip(mask, sources, strict=True)):
        if np.shape(one)[:2] != source.size or np.ndim(one) != np.ndim(mask[0]):
            raise InputError(
                f"mask {row}: has shape {np.shape(one)}, but its image is {source.size}; the "
                "image's height and width, and one or three channels in all masks, are right"
            )
    return [np.asarray(one) for one in mask]
