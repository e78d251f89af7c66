"""Measures of fillings, one row each, and their means with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.scoring.luminance import structure_luminance
from unetpred.scoring.scores import Content, structure

#: What the network's own filling is called among the methods.
NETWORK = "unetpred"
#: The measures and the decimals they are shown with.
MEASURES = {"structure": 3, "structure_luminance": 3, "content": 3, "l1": 2, "psnr": 2, "ssim": 3}
#: The terms of content, likewise.
LAYER_MEASURES = {f"content_{layer}": 3 for layer in CONTENT_LAYERS}
#: The measures of which the network's difference to every baseline is summarised too.
COMPARED = ("structure", "structure_luminance", "content", "l1")
#: The measures that are summarised over the images for which all methods have a finite one.
SHARED = ("psnr",)
#: Images below which a mean has no interval: resamples of so few are nearly all alike.
FEW = 5
#: Side of the window of the structural similarity, px; smaller holes have none.
SSIM_WINDOW = 7


class Row(NamedTuple):
    """Measures of one filling of one hole in one image.

    Attributes
    ----------
    image : str
        The photograph.
    hole : int
        Side of the hole, px.
    method : str
        `NETWORK` or the name of a baseline.
    structure : float
        `unetpred.scoring.scores.structure`, -1..1; NaN where it is undefined.
    content : float or None
        `unetpred.scoring.scores.content`; NaN where it is undefined, None where it was not asked
        for.
    l1 : float
        Mean absolute difference over the hole's pixels and channels, 0..255.
    psnr : float
        10 log10(255**2 / mean squared difference), dB; infinite where there is no difference.
    ssim : float
        `skimage.metrics.structural_similarity` of the hole's patch, mean over channels and
        `SSIM_WINDOW` px windows; NaN for smaller holes.
    structure_luminance : float
        `unetpred.scoring.luminance.structure_luminance`, -1..1; NaN where it is undefined, as of
        the mean colour.
    content_block1_conv2, ..., content_block5_conv3 : float or None
        The terms whose mean `content` is, of `unetpred.network.vgg16.CONTENT_LAYERS`.
    reason : str
        Why something is undefined; empty where nothing is.
    """

    image: str
    hole: int
    method: str
    structure: float
    content: float | None
    l1: float
    psnr: float
    ssim: float
    structure_luminance: float | None = None
    content_block1_conv2: float | None = None
    content_block2_conv2: float | None = None
    content_block3_conv3: float | None = None
    content_block4_conv3: float | None = None
    content_block5_conv3: float | None = None
    reason: str = ""


class Summary(NamedTuple):
    """One measure of one method at one size of hole, over all images.

    Attributes
    ----------
    hole, method
        As in `Row`.
    against : str
        Empty, or the baseline whose value was subtracted, image by image.
    measure : str
        One of `MEASURES` or `LAYER_MEASURES`.
    mean, median : float
        Over the images for which it is finite; PSNR, over those for which it is for all methods.
    low, high : float
        95 % bootstrap interval of the mean; NaN of fewer than `FEW` images.
    images : int
        Number of these images.
    undefined : int
        Number of the other ones, left out of all the above.
    """

    hole: int
    method: str
    against: str
    measure: str
    mean: float
    low: float
    high: float
    median: float
    images: int
    undefined: int


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    rows : list of Row
        One per image, hole and method, in this order.
    summary : list of Summary
        One per hole, method and measure, then the differences to the baselines.
    skipped : int
        Number of files that could not be read.
    """

    rows: list[Row]
    summary: list[Summary]
    skipped: int


def measure(
    image: str, method: str, filling: np.ndarray, original: np.ndarray, score: Content | None
) -> Row:
    """Compare the filling of a square hole with what was there.

    Parameters
    ----------
    image, method : str
        As in `Row`.
    filling, original : array_like, (h,h,3)
        RGB, 0..255.
    score : Content, optional
        Of these two, `total` () and `layers` (5,), where content is measured.
    """
    from skimage.metrics import structural_similarity

    hole = len(original)
    original, filling = np.asarray(original, "float64"), np.asarray(filling, "float64")
    missing = np.zeros((hole, hole))
    r, reason = structure(filling, original, missing)
    of_luminance, why = structure_luminance(filling, original, missing)
    reasons = [f"structure: {reason}"] if reason else []
    reasons += [f"structure_luminance: {why}"] if why else []
    distance, terms = None, {}
    if score is not None:
        distance = float(score.total)
        terms = dict(zip(LAYER_MEASURES, map(float, score.layers), strict=True))
        if score.reason:
            reasons.append(f"content: {score.reason}")
    error = float(np.mean((filling - original) ** 2))
    psnr = float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))
    ssim = float("nan")
    if hole < SSIM_WINDOW:
        reasons.append(f"ssim: hole of {hole} px is below its window of {SSIM_WINDOW} px")
    else:
        ssim = structural_similarity(
            original, filling, win_size=SSIM_WINDOW, channel_axis=-1, data_range=255
        )
    l1 = float(np.abs(filling - original).mean())
    measures = r, distance, l1, psnr, float(ssim), of_luminance
    return Row(image, hole, method, *measures, **terms, reason="; ".join(reasons))


def summarise(rows: Sequence[Row], resamples: int = 2000, seed: int = 0) -> list[Summary]:
    """Take means over images, their bootstrap intervals, and differences to the baselines.

    The interval is that of the percentile bootstrap [1]_: images are drawn with replacement, as
    many as there are, and the mean taken over those for which the measure is finite; 2.5 % of
    the means of all resamples lie below the interval and 2.5 % above. All methods and measures
    share the draws, so that differences are paired: their interval is that of the mean of the
    differences within images, which is much narrower than those of the two means suggest.

    PSNR is infinite where a filling is perfect, as a simple one may be in a flat image. Such an
    image is left out for all methods: left out for that one alone, it would have the others
    averaged over images that are easier for them.

    Parameters
    ----------
    rows : sequence of Row
        With the same images, in the same order, for every method of a hole.
    resamples : int
        Number of resamples.
    seed : int
        Where the draws come from.

    Returns
    -------
    list of Summary

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    names = (*MEASURES, *LAYER_MEASURES)
    measures = [name for name in names if rows and getattr(rows[0], name) is not None]
    result = []
    for hole in dict.fromkeys(row.hole for row in rows):
        methods: dict[str, list[Row]] = {}
        for row in rows:
            if row.hole == hole:
                methods.setdefault(row.method, []).append(row)
        columns = {
            (method, "", measure): np.array([getattr(row, measure) for row in of_method])
            for method, of_method in methods.items()
            for measure in measures
        }
        for measure in SHARED:
            shared = [columns[method, "", measure] for method in methods]
            known = np.isfinite(shared).all(axis=0)
            for values in shared:
                values[~known] = np.nan
        columns |= {
            (NETWORK, method, measure): columns[NETWORK, "", measure] - columns[method, "", measure]
            for method in methods
            for measure in COMPARED
            if measure in measures
            if method != NETWORK and NETWORK in methods
        }
        table = np.stack(list(columns.values()), axis=1)  # (images, columns)
        means = _resampled_means(table, resamples, np.random.default_rng([seed, hole]))
        for key, values, resampled in zip(columns, table.T, means.T, strict=True):
            method, against, measure = key
            finite, resampled = values[np.isfinite(values)], resampled[np.isfinite(resampled)]
            mean = low = high = median = float("nan")
            if len(finite):
                mean, median = float(finite.mean()), float(np.median(finite))
            if len(finite) >= FEW:
                low, high = map(float, np.percentile(resampled, [2.5, 97.5]))
            counts = len(finite), len(values) - len(finite)
            result.append(Summary(hole, method, against, measure, mean, low, high, median, *counts))
    return result


def _resampled_means(table: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Give means over resampled rows of (images, columns), (resamples, columns)."""
    count = len(table)
    known = np.isfinite(table)
    values = np.where(known, table, 0.0)
    means = np.full((resamples, table.shape[1]), np.nan)
    for mean in means:
        times = np.bincount(rng.integers(count, size=count), minlength=count)
        number = times @ known
        np.divide(times @ values, number, out=mean, where=number > 0)
    return means
