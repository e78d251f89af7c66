"""The structure score of luminance alone.

Structure pools the colour channels (`unetpred.scoring.scores.structure`): in a patch of one
saturated colour the differences between channels are most of the variance, and any filling of about
that colour correlates with it. Here every pixel is one number, its luminance, with the weights of
[1]_::

    Y = 0.2126 R + 0.7152 G + 0.0722 B

of the values as they are in the file (*encoded*; no gamma is undone), for these reasons:

* it is the luminance of `unetpred.scoring.covariates`, so that a contrast of 0 there is an
  undefined score here;
* structure itself correlates encoded values. Where filling and original are grey, the two are the
  same number, and where they differ, pooled colours are the only cause; with linearised values the
  tone curve would be another;
* on a screen that has been linearised, as those of experiments are, Y is proportional to physical
  luminance. For other screens linearise the images first; then both scores are of linear values.

References
----------
.. [1] ITU-R Recommendation BT.709-6 (2015), item 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from unetpred.errors import InputError
from unetpred.scoring.covariates import FILLINGS, box_of, luminance
from unetpred.scoring.scores import Score, structure

#: What the score is called among outputs and columns.
NAME = "structure_luminance"
#: The columns of what simple fillings reach.
LUMINANCE_COVARIATES = tuple(f"{NAME}_{name}" for name in FILLINGS)


def structure_luminance(prediction: np.ndarray, original: np.ndarray, mask: np.ndarray) -> Score:
    """Correlate the luminance of prediction and original over the missing pixels.

    Pearson's r of `unetpred.scoring.covariates.luminance`, one value per pixel, in float64. Higher
    = more predictable. Both images have to be RGB and clipped to 0..255 already.

    Parameters
    ----------
    prediction, original : array_like, (H, W, 3)
        RGB, 0..255.
    mask : array_like, (H, W), (H, W, 1) or (H, W, 3)
        0 = missing, anything else = visible. With three channels, a pixel counts where any of them
        is missing, and has the original's values in those that are not.

    Returns
    -------
    Score
        r in -1..1. NaN with the reason where it is undefined, as for `structure`: where prediction
        or original has one luminance all over the hole, or is not finite. So the filling with one
        colour has none, whatever the original.

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
    if mask.shape == original.shape:
        prediction = np.where(mask == 0, prediction, original)
        mask = np.where((mask == 0).any(axis=-1), 0, 1)
    # three equal channels have the r of one of them; `structure` knows what is constant
    ours, true = (
        np.repeat(255 * luminance(image)[..., None], 3, axis=-1) for image in (prediction, original)
    )
    return structure(ours, true, mask)


def luminance_of_fillings(
    pixels: np.ndarray, hole: np.ndarray, fillings: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """The structure of luminance of simple fillings of one hole.

    Parameters
    ----------
    pixels : numpy.ndarray, (h,w,3)
        What was there, RGB 0..255.
    hole : numpy.ndarray, (h,w)
        0 = hidden and scored.
    fillings : mapping of str to numpy.ndarray, (b,c,3)
        What they put into the hole's bounding box, as `unetpred.scoring.covariates.covariates`
        keeps it.

    Returns
    -------
    dict of str to float
        By the names in `LUMINANCE_COVARIATES`. NaN where undefined, as for the mean fill always.
    """
    box = box_of(hole)
    return {
        f"{NAME}_{name}": structure_luminance(filled, pixels[box], hole[box]).value
        for name, filled in fillings.items()
    }
