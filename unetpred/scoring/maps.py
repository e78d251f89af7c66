"""Predictability at every place of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL
from unetpred.holes.masks import DEFAULT_HOLE
from unetpred.images.colour import from_network, to_network
from unetpred.images.inputs import load_all
from unetpred.network.forward import forward, ready
from unetpred.scoring.crops import Cut, Part, crops, fields
from unetpred.scoring.map_grid import (
    HIDDEN,
    OUTSIDE,
    PENDING,
    PredictabilityMap,
    blank_map,
    hole_pattern,
)
from unetpred.scoring.shared import PASSES, Region, regions

if TYPE_CHECKING:
    import keras

    from unetpred.scoring.predictor import Predictor

__all__ = ["OUTSIDE", "PENDING", "PredictabilityMap", "blank_map", "predictability_map"]

Progress = Callable[[int], None]


def predictability_map(
    image: Any,
    stride: int = 16,
    context: int | Literal["full"] = DEFAULT_CONTEXT,
    mask_size: int = DEFAULT_HOLE,
    mask_shape: Literal["square", "disc"] = "square",
    output: Sequence[str] = ("structure",),
    predictor: Predictor | None = None,
    progress: Progress | None = None,
    weights: str | os.PathLike[str] | keras.Model | None = None,
) -> PredictabilityMap:
    """Score holes all over an image, each on its own.

    Parameters
    ----------
    image : path-like, array_like (H,W,3) or (H,W), or PIL.Image.Image
        An image file, or uint8 or float, RGB or grey, 0..255.
    stride : int
        Distance of the places, px: x = 0, stride, 2*stride, ... below W, and y alike, so that
        ``structure[i, j]`` is at column ``j * stride`` and row ``i * stride``. Places so near the
        border that the hole leaves the image are NaN.
    context : int or "full"
        What surrounds a hole: the square of so many px around it (see
        `unetpred.holes.contexts.surroundings`), of which what lies beyond the image's border is
        missing, as the hole is; or the whole image. Scores are taken in the hole alone.
    mask_size, mask_shape
        The hole, as in `unetpred.holes.masks.hole_mask`.
    output : sequence of {"structure", "structure_luminance", "content"}
        The scores wanted; structure is always among them.
    predictor : Predictor, optional
        The weights and the batch size; the shipped default's if not given.
    progress : callable, optional
        Called with the number of places that were scored since the last call.
    weights : str, path-like or keras.Model, optional
        Instead of a predictor: its weights.

    Returns
    -------
    PredictabilityMap
        With an int as context, the value at (x,y) is the score that a `Predictor` gives the crop
        around (x,y), apart from rounding.

    Raises
    ------
    InputError
        If the image or a number cannot be used, or the hole fits at no place.

    Examples
    --------
    >>> result = predictability_map(image, stride=32)
    >>> result.structure                    # (ceil(H/32), ceil(W/32))
    """
    from unetpred.scoring.predictor import OUTPUTS, Predictor

    if predictor is not None and weights is not None:
        raise InputError("both predictor and weights are given; one of them is right")
    pictures = load_all(image)
    if len(pictures) != 1:
        raise InputError(f"image: holds {len(pictures)} pictures; a map is of one")
    if unknown := [name for name in output if name not in OUTPUTS]:
        raise InputError(f"output {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
    pixels = pictures[0].load()
    luminance = "structure_luminance" in output
    result = blank_map(pixels.shape[:2], stride, mask_size, "content" in output, luminance)
    hole = hole_pattern(mask_size, mask_shape, context)
    predictor = predictor or Predictor(weights)
    scorer = PlaceScorer(pixels, hole, context, predictor, "content" in output, luminance)
    for batch in plan(result, pixels, hole, context, predictor):
        keep(result, batch, scorer.compute(scorer.read(batch)))
        if progress:
            progress(len(batch))
    return result


class Places(NamedTuple):
    """A batch: places that are scored in one pass of one network, or in a few.

    Attributes
    ----------
    part : Part or Region
        What all of its pictures have in common; or what they share the features of.
    cells : list of (row, column)
        Of the map.
    places : list of (x, y)
        Of the image.
    """

    part: Part | Region
    cells: list[tuple[int, int]]
    places: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.cells)


class PlaceScore(NamedTuple):
    """Scores of one place: as in `PredictabilityMap`."""

    structure: float
    content: float
    reason: str
    structure_luminance: float = np.nan


def plan(
    result: PredictabilityMap,
    image: np.ndarray,
    hole: np.ndarray,
    context: int | str,
    predictor: Predictor,
) -> list[Places]:
    """Batches of all places that are still pending in a map.

    Parameters
    ----------
    result : PredictabilityMap
        From `blank_map`, perhaps completed in part.
    image : numpy.ndarray, (H,W,3) float32
        RGB 0..255.
    hole : numpy.ndarray, (S,S)
        From `hole_pattern`.
    context, predictor
        As for `predictability_map`.
    """
    cells = {
        (int(result.x[j]), int(result.y[i])): (int(i), int(j))
        for i, j in np.argwhere(result.reason == PENDING)
    }
    places, size = list(cells), predictor.batch_size
    batches: list[Places] = []

    def add(part: Part | Region, places: list[tuple[int, int]], size: int) -> None:
        for start in range(0, len(places), size):
            some = places[start : start + size]
            batches.append(Places(part, [cells[place] for place in some], some))

    if context != FULL:
        for part in crops(image, hole, places, int(context)):
            add(part, part.places, size)
        return batches
    network = predictor.outputs().network
    for region, index in regions(network, image.shape[:2], len(hole), places):
        chosen = [places[i] for i in index]
        if region is not None:
            add(region, chosen, size * PASSES)
            continue
        for part in fields(image, hole, chosen, network):
            add(part, part.places, size)
    return batches


class PlaceScorer:
    """Scores batches of places of one image. The same batch gives the same scores.

    Parameters
    ----------
    image, hole, context, predictor
        As for `plan`.
    content, luminance : bool
        Whether content and structure of luminance are wanted too.
    """

    def __init__(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        context: int | str,
        predictor: Predictor,
        content: bool = False,
        luminance: bool = False,
    ):
        self._image, self._hole, self._content = image, hole, content
        self._luminance = luminance
        self._full, self._predictor = context == FULL, predictor
        self._built: tuple[tuple[Any, ...], keras.Model] | None = None

    def read(self, batch: Places) -> tuple[Places, list[Cut]]:
        """Cut out what the network sees."""
        if isinstance(batch.part, Region):
            # regions are not of holes as large as the image, so something is visible
            return batch, [Cut(np.empty((0, 0, 3)), np.ones((1, 1)), (0, 0))] * len(batch)
        return batch, [batch.part.cut(*place) for place in batch.places]

    def compute(self, read: tuple[Places, list[Cut]]) -> list[PlaceScore]:
        """Fill in and score, in the order of the batch."""
        batch, cuts = read
        if isinstance(batch.part, Region):
            shared = self._predictor.outputs().shared
            raw = shared(self._image, self._hole, batch.part, batch.places)
            filled = np.clip(from_network(raw), 0, 255)
        else:
            filled = _fill(self._model(batch.part), cuts, batch.part.same_mask)
        vgg = self._predictor.vgg() if self._content else None
        return _scores(self._image, self._hole, batch.places, cuts, filled, vgg, self._luminance)

    def _model(self, part: Part) -> keras.Model:
        from unetpred.network.model import build_hole_model

        outputs = self._predictor.outputs()
        key = part.size, (part.box,)
        if self._built is None or self._built[0] != key:
            # what scores such crops elsewhere serves here too; fields are of no use elsewhere
            model = None if self._full else outputs.graph(*key)
            model = model or ready(build_hole_model(outputs.network, *part.size, part.box))
            self._built = key, model
        return self._built[1]


def keep(result: PredictabilityMap, batch: Places, scores: list[PlaceScore]) -> None:
    """Put the scores of a batch into their map."""
    for cell, score in zip(batch.cells, scores, strict=True):
        result.structure[cell] = score.structure
        if result.content is not None:
            result.content[cell] = score.content
        if result.structure_luminance is not None:
            result.structure_luminance[cell] = score.structure_luminance
        result.reason[cell] = score.reason  # last: whoever stops before finds the place pending


@full_float32()
def _fill(model: keras.Model, cuts: list[Cut], same_mask: bool) -> np.ndarray:
    """The window of the output (N,h,w,3), RGB, clipped to 0..255."""
    images = to_network(np.stack([one.pixels for one in cuts]))
    masks = np.stack([one.mask for one in (cuts[:1] if same_mask else cuts)])[..., None]
    return np.clip(from_network(forward(model, [images, masks])[0]), 0, 255)


def _scores(
    image: np.ndarray,
    hole: np.ndarray,
    places: list[tuple[int, int]],
    cuts: list[Cut],
    filled: np.ndarray,
    vgg: keras.Model | None,
    luminance: bool,
) -> list[PlaceScore]:
    """Compare the fillings of some places with what was there."""
    from unetpred.scoring.luminance import structure_luminance
    from unetpred.scoring.scores import content, structure

    side = len(hole)
    patches, values, reasons = [], [], []  # patches: (filled in, original)
    of_luminance = np.full(len(places), np.nan)
    for number, ((x, y), one, output) in enumerate(zip(places, cuts, filled, strict=True)):
        row, column = y - side // 2, x - side // 2
        original = image[row : row + side, column : column + side]
        top, left = one.corner
        patch = output[top : top + side, left : left + side]
        patches.append((np.where(hole[..., None] == 0, patch, original), original))
        value, why = structure(*patches[-1], hole) if one.mask.any() else (np.nan, "")
        values.append(float(value))
        reasons.append([f"structure: {why}"] if why else [])
        if luminance:
            of_luminance[number], why = structure_luminance(*patches[-1], hole)
            reasons[-1] += [f"structure_luminance: {why}"] if why else []
    distances = np.full(len(places), np.nan)
    if vgg is not None:
        fillings, originals = np.stack(patches, axis=1)
        found = content(fillings, originals, vgg, batch_size=len(patches))
        distances[:] = found.total
        if found.reason:
            for reason in reasons:
                reason.append(f"content: {found.reason}")
    return [
        PlaceScore(value, float(distance), "; ".join(reason), float(grey))
        if one.mask.any()
        else PlaceScore(np.nan, np.nan, HIDDEN)
        for one, value, distance, reason, grey in zip(
            cuts, values, distances, reasons, of_luminance, strict=True
        )
    ]
