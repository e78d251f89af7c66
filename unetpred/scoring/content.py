"""Content of several fillings of the same holes: the originals' features are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.images.colour import to_network
from unetpred.network.forward import forward, ready
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.scoring.scores import CONTENT_MIN_SIDE, PATCH_PIXELS, Content

if TYPE_CHECKING:
    import keras

    from unetpred.holes.masks import Box


def contents(
    predictions: Sequence[np.ndarray],
    original: np.ndarray,
    vgg: keras.Model,
    subtract_mean: bool = False,
    batch_size: int = 8,
) -> list[Content]:
    """Measure several predictions of the same originals, whose features are computed once.

    Parameters
    ----------
    predictions : sequence of K array_like, (N, h, w, 3)
        Patches, RGB 0..255.
    original, vgg, subtract_mean, batch_size
        As for `unetpred.scoring.scores.content`.

    Returns
    -------
    list of K Content
        For each prediction what `unetpred.scoring.scores.content` gives.

    Raises
    ------
    InputError
        As `unetpred.scoring.scores.content`.
    """
    predictions = [np.asarray(prediction, np.float32) for prediction in predictions]
    original = np.asarray(original, np.float32)
    for prediction in predictions:
        if prediction.shape != original.shape or original.ndim != 4 or original.shape[-1] != 3:
            raise InputError(
                f"prediction {prediction.shape} and original {original.shape} must both be "
                "(N,h,w,3)"
            )
    if len(vgg.outputs) != len(CONTENT_LAYERS):
        raise InputError(
            f"the VGG model gives {len(vgg.outputs)} layers; build it by "
            "vgg_model(path, CONTENT_LAYERS)"
        )
    count, height, width = original.shape[:3]
    layers = np.full((len(predictions), count, len(CONTENT_LAYERS)), np.nan)
    reason = ""
    if min(height, width) < CONTENT_MIN_SIDE:
        reason = (
            f"patch of {width}x{height} px is too small for content "
            f"(below {CONTENT_MIN_SIDE} px a side)"
        )
    else:
        patches = np.stack([original, *predictions])  # (1+K,N,h,w,3)
        if subtract_mean:
            patches = to_network(patches)
        step = max(1, 2 * batch_size // len(patches))
        for start in range(0, count, step):
            part = slice(start, start + step)
            layers[:, part] = _layer_distances(patches[:, part], vgg)
    return [Content(found.mean(axis=1), found, reason) for found in layers]


def pairs_per_pass(rows: int, columns: int) -> int:
    """How many pairs of patches of a size go through VGG-16 together, within bounded memory."""
    return max(1, min(8, PATCH_PIXELS // (rows * columns)))


def contents_of_holes(
    filled: Sequence[np.ndarray],
    original: np.ndarray,
    boxes: Sequence[Sequence[Box]],
    vgg: keras.Model,
    subtract_mean: bool = False,
) -> list[list[Content]]:
    """Average the content scores of several methods over the boxes of each image's holes.

    Parameters
    ----------
    filled : sequence of K array_like, (N, H, W, 3)
        The images, filled in by K methods, RGB 0..255: the prediction where pixels are missing,
        else the original's.
    original : array_like, (N, H, W, 3)
        RGB 0..255.
    boxes : sequence of N sequences of (top, left, bottom, right)
        For each image the bounding box of each of its holes, px: rows top..bottom-1, columns
        left..right-1.
    vgg, subtract_mean
        As for `unetpred.scoring.scores.content`.

    Returns
    -------
    list of K lists of N Content
        For each method one for each image: `total` () and `layers` (5,). NaN with the reason where
        any of the holes has a side below `CONTENT_MIN_SIDE`, or the filled-in image is not finite.

    Raises
    ------
    InputError
        If there is no box, or one lies outside of the image.
    """
    original = np.asarray(original, np.float32)
    versions = [original, *(np.asarray(images, np.float32) for images in filled)]
    height, width = original.shape[1:3]
    # (image, part of it), by size: those go through VGG together
    patches: dict[tuple[int, int], list[Any]] = {}
    for image, listed in enumerate(boxes):
        if not listed:
            raise InputError("no hole's bounding box was given, so there is nothing to score")
        for top, left, bottom, right in listed:
            if not (0 <= top < bottom <= height and 0 <= left < right <= width):
                raise InputError(
                    f"box of rows {top}..{bottom - 1}, columns {left}..{right - 1} lies outside of "
                    f"the image of {height} rows and {width} columns"
                )
            part = (image, slice(top, bottom), slice(left, right))
            patches.setdefault((bottom - top, right - left), []).append(part)

    layers: list[list[list[Any]]] = [[[] for _ in boxes] for _ in filled]
    reasons = [""] * len(boxes)
    for (rows, columns), parts in patches.items():
        cut, *fillings = (np.stack([images[part] for part in parts]) for images in versions)
        scores = contents(fillings, cut, vgg, subtract_mean, pairs_per_pass(rows, columns))
        for (image, *_), *values in zip(parts, *(score.layers for score in scores), strict=True):
            for of_method, value in zip(layers, values, strict=True):
                of_method[image].append(value)
            reasons[image] = reasons[image] or scores[0].reason
    return [[_mean(*pair) for pair in zip(found, reasons, strict=True)] for found in layers]


def _mean(values: list[np.ndarray], reason: str) -> Content:
    """The score of one image, from the layers (5,) of each of its holes."""
    mean = np.mean(values, axis=0)
    if not reason and not np.isfinite(mean).all():
        reason = "NaN or infinity in the features"
    total: Any = mean.mean()
    return Content(total, mean, reason)


@full_float32()
def _layer_distances(patches: np.ndarray, vgg: keras.Model) -> np.ndarray:
    """Give the distance of each filling from the original at each of L layers, (K,N,L).

    `patches` (1+K,N,h,w,3) are the originals and after them K fillings of each.
    """
    from keras import ops

    eps = float(np.finfo(np.float32).eps)
    count = patches.shape[1]
    distances: list[list[Any]] = []
    for features in _features(patches.reshape(-1, *patches.shape[2:]), vgg):  # (1+K)N,h,w,C
        norm = ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True) + eps)
        unit = features / norm
        distances.append([])
        for start in range(count, len(patches) * count, count):
            difference = ops.square(unit[start : start + count] - unit[:count])  # (N,h,w,C)
            distances[-1].append(ops.sum(ops.mean(difference, axis=(1, 2)), axis=-1))  # (N,)
    return np.stack([[ops.convert_to_numpy(d) for d in of_layer] for of_layer in distances], -1)


def _features(patches: np.ndarray, vgg: keras.Model) -> Any:
    """What VGG-16 makes of patches (M,h,w,3), layer by layer; the same digits by either way.

    With TensorFlow a graph takes half the time, and is made from the second pass on. Others compile
    for every size of a hole anew, so they get none.
    """
    from keras import backend

    if backend.backend() != "tensorflow":
        return vgg(patches, training=False)
    return forward(ready(vgg), [patches])
