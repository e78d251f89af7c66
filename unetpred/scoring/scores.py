"""Scores of a prediction: how much of what was hidden the network got right.

Two scores with opposite directions (Uran et al. 2022, Neuron 110:1240-1257):

* structure, a correlation: higher = more predictable;
* content, a distance of VGG-16 features: higher = *less* predictable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from unetpred.errors import InputError

if TYPE_CHECKING:
    import keras

    from unetpred.holes.masks import Box

#: The scores there are: what is asked for by these names, and what their columns are called.
ScoreName = Literal["structure", "structure_luminance", "content"]
OUTPUTS: tuple[ScoreName, ...] = get_args(ScoreName)

#: Pixels whose standard deviation (0..255) is below this count as constant. It is some ten times
#: the rounding of float32 at 255, and a tenth of the least variation of a 16-bit image.
CONSTANT_STD = 1e-6 * 255
#: The shorter side of a patch, px, below which VGG-16's four poolings leave nothing of it.
CONTENT_MIN_SIDE = 16

#: Pixels of patches that go through VGG-16 together, whose features take 2 KiB each.
PATCH_PIXELS = 1 << 17


class Score(NamedTuple):
    """A score and, where it is undefined, why.

    Attributes
    ----------
    value : float
        The score; NaN where it is undefined.
    reason : str
        Why the score is undefined; empty where it is defined.
    """

    value: float
    reason: str = ""


class Content(NamedTuple):
    """Content scores, in total and by layer, and, where they are undefined, why.

    Attributes
    ----------
    total : numpy.ndarray, (N,) float64
        Mean over the layers; NaN where undefined. () for one image's holes.
    layers : numpy.ndarray, (N, 5) float64
        The distances at `unetpred.network.vgg16.CONTENT_LAYERS`. (5,) for one image's holes.
    reason : str
        Why the scores are undefined; empty where they are defined.
    """

    total: np.ndarray
    layers: np.ndarray
    reason: str = ""


def structure(prediction: np.ndarray, original: np.ndarray, mask: np.ndarray) -> Score:
    """Correlate prediction and original over the missing pixels.

    Pearson's r of all missing values of all three channels together, in float64; the structure
    score of Uran et al. (2022). Higher = more predictable. Both images have to be in the same
    channel order and clipped to 0..255 already.

    Parameters
    ----------
    prediction, original : array_like, (H, W, 3)
        0..255.
    mask : array_like, (H, W), (H, W, 1) or (H, W, 3)
        0 = missing, anything else = visible. With three channels, those values count that are
        missing in their own channel.

    Returns
    -------
    Score
        r in -1..1. NaN with the reason where it is undefined: where prediction or original is
        constant over the hole (standard deviation below `CONSTANT_STD`) or not finite. Constant
        means that all values of all channels are the same: the channels of an evenly coloured
        patch differ, and have a correlation.

    Raises
    ------
    InputError
        If the shapes do not fit, or nothing is missing.
    """
    prediction, original, mask = np.asarray(prediction), np.asarray(original), np.asarray(mask)
    if prediction.shape != original.shape or original.shape[2:] != (3,):
        raise InputError(
            f"prediction {prediction.shape} and original {original.shape} must both be (H,W,3)"
        )
    if mask.shape not in {original.shape[:2] + tail for tail in ((), (1,), (3,))}:
        raise InputError(
            f"mask {mask.shape} does not fit the image {original.shape}; (H,W) or (H,W,3) would"
        )
    missing = mask == 0
    if missing.shape[2:] == (1,):
        missing = missing[..., 0]
    if not missing.any():
        raise InputError("the mask has no missing pixel (0), so there is nothing to score")
    x, y = (image[missing].ravel().astype(np.float64) for image in (prediction, original))
    return _pearson(x, y)


def _pearson(prediction: np.ndarray, original: np.ndarray) -> Score:
    """Pearson's r of two float64 vectors."""
    for name, values in (("prediction", prediction), ("original", original)):
        if not np.isfinite(values).all():
            return Score(float("nan"), f"NaN or infinity in the {name}")
    for name, values in (("original", original), ("prediction", prediction)):
        if values.std() < CONSTANT_STD:
            return Score(float("nan"), f"constant patch ({name})")
    x, y = prediction - prediction.mean(), original - original.mean()
    r = np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y))
    return Score(float(np.clip(r, -1.0, 1.0)))


def content(
    prediction: np.ndarray,
    original: np.ndarray,
    vgg: keras.Model,
    subtract_mean: bool = False,
    batch_size: int = 8,
) -> Content:
    """Measure how far apart the VGG-16 features of prediction and original are.

    At each layer the features are divided by their norm over channels, sqrt(sum of squares +
    eps) with the eps of float32; their squared differences are averaged over space and summed
    over channels. The score is the mean over the layers: the content score of Uran et al. (2022),
    which is LPIPS (Zhang et al. 2018, eq. 1) without calibration, and the mean where LPIPS has the
    sum. Higher = less predictable.

    Parameters
    ----------
    prediction, original : array_like, (N, h, w, 3)
        Patches, RGB 0..255.
    vgg : keras.Model
        ``unetpred.network.vgg16.vgg_model(path, CONTENT_LAYERS)``.
    subtract_mean : bool
        Whether VGG-16 gets mean-subtracted BGR, as in its training. The original feeds RGB
        0..255 as it is, and its numbers depend on that; so does the default here.
    batch_size : int
        Pairs per pass; bounds the memory and changes no score.

    Returns
    -------
    Content
        `total` (N,) and `layers` (N, 5), 0 or more. All NaN, with the reason, for patches with a
        side below `CONTENT_MIN_SIDE`. A pair with a value that is not finite is NaN by itself.

    Raises
    ------
    InputError
        If the shapes do not fit, or `vgg` has other layers.
    """
    from unetpred.scoring.content import contents

    return contents([prediction], original, vgg, subtract_mean, batch_size)[0]


def content_of_holes(
    filled: np.ndarray,
    original: np.ndarray,
    boxes: Sequence[Sequence[Box]],
    vgg: keras.Model,
    subtract_mean: bool = False,
) -> list[Content]:
    """Average the content score over the bounding boxes of each image's holes.

    Parameters
    ----------
    filled : array_like, (N, H, W, 3)
        The filled-in images, RGB 0..255: the prediction where pixels are missing, else the
        original's.
    original : array_like, (N, H, W, 3)
        RGB 0..255.
    boxes : sequence of N sequences of (top, left, bottom, right)
        For each image the bounding box of each of its holes, px: rows top..bottom-1, columns
        left..right-1.
    vgg, subtract_mean
        As for `content`.

    Returns
    -------
    list of Content
        One for each image: `total` () and `layers` (5,). NaN with the reason where any of the holes
        has a side below `CONTENT_MIN_SIDE`, or the filled-in image is not finite.

    Raises
    ------
    InputError
        If there is no box, or one lies outside of the image.
    """
    from unetpred.scoring.content import contents_of_holes

    return contents_of_holes([filled], original, boxes, vgg, subtract_mean)[0]
