"""Predictability at every place of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL
from unetpred.holes.masks import DEFAULT_HOLE, hole_mask
from unetpred.images.arrays import MIN_SIDE
from unetpred.images.colour import from_network, to_network
from unetpred.network.forward import forward
from unetpred.scoring.crops import Cut, crops, fields
from unetpred.scoring.hole_outputs import ready

if TYPE_CHECKING:
    import keras

    from unetpred.scoring.predictor import Predictor

PENDING = "not scored yet"
OUTSIDE = "the hole leaves the image"
HIDDEN = "nothing is visible"

Progress = Callable[[int], None]


@dataclass
class PredictabilityMap:
    """Scores at the places of a grid.

    Attributes
    ----------
    structure : numpy.ndarray, (rows,cols) float64
        Pearson's r in the hole, -1..1; higher = more predictable. NaN where undefined.
    content : numpy.ndarray, (rows,cols) float64, or None if not asked for
        VGG-16 feature distance in the hole, from 0; higher = LESS predictable. NaN where undefined.
    x : numpy.ndarray, (cols,) int
        Columns of the image at which the holes are centred, 0-based.
    y : numpy.ndarray, (rows,) int
        Rows, likewise.
    reason : numpy.ndarray, (rows,cols) str
        Why a score is undefined; empty where all are defined.
    """

    structure: np.ndarray
    content: np.ndarray | None
    x: np.ndarray
    y: np.ndarray
    reason: np.ndarray


def predictability_map(
    image: np.ndarray,
    stride: int = 16,
    context: int | Literal["full"] = DEFAULT_CONTEXT,
    mask_size: int = DEFAULT_HOLE,
    mask_shape: Literal["square", "disc"] = "square",
    output: Sequence[str] = ("structure",),
    predictor: Predictor | None = None,
    progress: Progress | None = None,
) -> PredictabilityMap:
    """Score holes all over an image, each on its own.

    Parameters
    ----------
    image : array_like, (H,W,3) or (H,W)
        uint8 or float, RGB or grey, 0..255.
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
    output : sequence of {"structure", "content"}
        The scores wanted; structure is always among them.
    predictor : Predictor, optional
        The weights and the batch size; the shipped default's if not given.
    progress : callable, optional
        Called with the number of places that were scored since the last call.

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
    from unetpred.images.sources import array_sources
    from unetpred.scoring.predictor import OUTPUTS, Predictor

    pictures = array_sources(image, "image")
    if len(pictures) != 1:
        raise InputError(f"image: holds {len(pictures)} pictures; a map is of one")
    if unknown := [name for name in output if name not in OUTPUTS]:
        raise InputError(f"output {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
    pixels = pictures[0].load()
    result = blank_map(pixels.shape[:2], stride, mask_size, "content" in output)
    hole = hole_pattern(mask_size, mask_shape, context)
    complete(result, pixels, hole, context, predictor or Predictor(), progress or (lambda _: None))
    return result


def blank_map(
    size_hw: tuple[int, int], stride: int, mask_size: int = DEFAULT_HOLE, content: bool = False
) -> PredictabilityMap:
    """A map in which all that is known is where the hole leaves the image.

    Raises
    ------
    InputError
        If the stride is none, or the hole fits at no place.
    """
    if stride != int(stride) or stride < 1:
        raise InputError(f"stride {stride}: a whole number of pixels, at least 1, is right")
    height, width = size_hw
    x, y = np.arange(0, width, int(stride)), np.arange(0, height, int(stride))
    before, after = mask_size // 2, mask_size - mask_size // 2
    fits = [(p >= before) & (p + after <= side) for p, side in ((y, height), (x, width))]
    inside = fits[0][:, None] & fits[1]
    if not inside.any():
        raise InputError(
            f"a hole of {mask_size} px leaves the image of {width}x{height} px (width x height) at "
            f"every place of a grid of {stride} px; a smaller hole or stride is needed"
        )
    empty = np.full(inside.shape, np.nan)
    reason = np.where(inside, PENDING, OUTSIDE).astype(object)
    return PredictabilityMap(empty, empty.copy() if content else None, x, y, reason)


def hole_pattern(
    mask_size: int, mask_shape: str = "square", context: int | str = DEFAULT_CONTEXT
) -> np.ndarray:
    """The hole in its bounding box, (S,S) float32, 1 = visible, 0 = missing.

    Raises
    ------
    InputError
        If it leaves nothing of the context visible, or the context is none.
    """
    if context != FULL:
        if context != int(context) or context < MIN_SIDE:
            raise InputError(
                f"context {context}: a whole number of pixels, at least {MIN_SIDE}, is right"
            )
        if mask_size >= context:
            raise InputError(
                f"a hole of {mask_size} px leaves nothing visible of a context of {context} px"
            )
    center = mask_size // 2, mask_size // 2
    return hole_mask((mask_size, mask_size), mask_size, mask_shape, center)


def complete(
    result: PredictabilityMap,
    image: np.ndarray,
    hole: np.ndarray,
    context: int | str,
    predictor: Predictor,
    progress: Progress,
) -> None:
    """Score, in place, what is still pending in a map.

    Parameters
    ----------
    result : PredictabilityMap
        From `blank_map`, perhaps completed in part.
    image : numpy.ndarray, (H,W,3) float32
        RGB 0..255.
    hole : numpy.ndarray, (S,S)
        From `hole_pattern`.
    context, predictor, progress
        As for `predictability_map`.
    """
    from unetpred.network.model import build_hole_model

    outputs = predictor.outputs()
    cells = {
        (int(result.x[j]), int(result.y[i])): (i, j)
        for i, j in np.argwhere(result.reason == PENDING)
    }
    if context == FULL:
        parts = fields(image, hole, list(cells), outputs.network)
    else:
        parts = crops(image, hole, list(cells), context)
    built = model = None
    for part in parts:
        key = part.size, (part.box,)
        if key != built:
            # what scores such crops elsewhere serves here too; fields are of no use elsewhere
            model = None if context == FULL else outputs.graph(*key)
            model = model or ready(build_hole_model(outputs.network, *part.size, part.box))
            built = key
        for start in range(0, len(part.places), predictor.batch_size):
            places = part.places[start : start + predictor.batch_size]
            cuts = [part.cut(*place) for place in places]
            filled = _fill(model, cuts, part.same_mask)
            _score(result, image, hole, [cells[p] for p in places], cuts, filled, predictor)
            progress(len(places))


@full_float32()
def _fill(model: keras.Model, cuts: list[Cut], same_mask: bool) -> np.ndarray:
    """The window of the output (N,h,w,3), RGB, clipped to 0..255."""
    images = to_network(np.stack([one.pixels for one in cuts]))
    masks = np.stack([one.mask for one in (cuts[:1] if same_mask else cuts)])[..., None]
    return np.clip(from_network(forward(model, [images, masks])[0]), 0, 255)


def _score(result, image, hole, cells, cuts, filled, predictor) -> None:
    """Compare the fillings of some places with what was there."""
    from unetpred.scoring.scores import content, structure

    count = len(hole)
    patches, reasons = [], []  # (filled in, original)
    for (i, j), one, output in zip(cells, cuts, filled, strict=True):
        y, x = result.y[i] - count // 2, result.x[j] - count // 2
        original = image[y : y + count, x : x + count]
        top, left = one.corner
        patch = output[top : top + count, left : left + count]
        patches.append((np.where(hole[..., None] == 0, patch, original), original))
        if not one.mask.any():
            reasons.append(HIDDEN)
            continue
        result.structure[i, j], why = structure(*patches[-1], hole)
        reasons.append(f"structure: {why}" if why else "")
    if result.content is not None:
        score = content(*np.stack(patches, axis=1), predictor.vgg(), batch_size=len(patches))
        for k, ((i, j), one) in enumerate(zip(cells, cuts, strict=True)):
            if one.mask.any():
                result.content[i, j] = score.total[k]
                both = [reasons[k], f"content: {score.reason}" if score.reason else ""]
                reasons[k] = "; ".join(filter(None, both))
    for cell, reason in zip(cells, reasons, strict=True):
        result.reason[cell] = reason  # last: whoever stops before finds the place pending
