"""Predictability at every place of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.holes.contexts import FULL
from unetpred.images.colour import from_network, to_network
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

__all__ = ["OUTSIDE", "PENDING", "PredictabilityMap", "blank_map", "hole_pattern"]


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
        As for `unetpred.predictability_map`.
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
