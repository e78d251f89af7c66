"""How well masks agree with labels: by pixel, by class, and by connected part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.segmentation.data.classes import IGNORED

EDGE = 32  # px; by which images are continued before borders are thinned

#: Measures of all classes together, and of each class.
OVERALL = ("pixel_accuracy", "mean_class_accuracy", "mean_iou", "mean_iou_without_background")
PER_CLASS = ("iou", "f1", "precision", "recall", "share")


@dataclass(frozen=True)
class Measures:
    """How well masks agree with labels; also by name, ``measures["mean_iou"]``.

    Where a class is neither in labels nor in masks, its measures are NaN and in no mean.

    Attributes
    ----------
    pixel_accuracy : float
        Share of the pixels that are right.
    mean_class_accuracy : float
        Mean of `recall`.
    mean_iou, mean_iou_without_background : float
        Mean of `iou` over all classes, and over all but class 0.
    iou : numpy.ndarray, (K,)
        Pixels that both have in common over those that either has, by class.
    f1, precision, recall : numpy.ndarray, (K,)
        2TP / (2TP + FP + FN), TP / (TP + FP), TP / (TP + FN).
    share : numpy.ndarray, (K,)
        Of the pixels of labels.
    confusion : numpy.ndarray, (K, K + 1)
        Pixels by label (row) and mask (column); in the last column those without a class.
    v_rand : float or None
        Of two classes, see `v_rand`.
    """

    pixel_accuracy: float
    mean_class_accuracy: float
    mean_iou: float
    mean_iou_without_background: float
    iou: np.ndarray
    f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    share: np.ndarray
    confusion: np.ndarray
    v_rand: float | None = None

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by label and mask.

    Parameters
    ----------
    truth, predicted : numpy.ndarray, (H,W)
        Numbers of classes; `IGNORED` in `truth` does not count, in `predicted` it is wrong.
    classes : int

    Returns
    -------
    numpy.ndarray, (classes, classes + 1) int64
        See `Measures`.
    """
    counted = truth != IGNORED
    rows = truth[counted].astype(np.int64)
    columns = np.minimum(predicted[counted], classes).astype(np.int64)
    counts = np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def measures_of(confusion: np.ndarray, v_rand: float | None = None) -> Measures:
    """Compute the measures of a confusion matrix (..., K, K + 1), one for each of them."""
    confusion = np.asarray(confusion)
    count = confusion.shape[-2]
    counts = confusion.astype(np.float64)
    right = np.diagonal(counts[..., :count], axis1=-2, axis2=-1)
    labelled, masked = counts.sum(-1), counts[..., :count].sum(-2)
    total = labelled.sum(-1)
    iou = _ratio(right, labelled + masked - right)
    recall = _ratio(right, labelled)
    return Measures(
        _plain(_ratio(right.sum(-1), total)),
        _plain(_mean(recall)),
        _plain(_mean(iou)),
        _plain(_mean(iou[..., 1:])),
        iou,
        _ratio(2 * right, labelled + masked),
        _ratio(right, masked),
        recall,
        _ratio(labelled, total[..., None]),
        confusion,
        v_rand,
    )


def _plain(value: np.ndarray) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def evaluate(
    truth: Any, predicted: Any, void: int | None = None, classes: int | None = None
) -> Measures:
    """Compare masks with labels.

    Parameters
    ----------
    truth, predicted : array_like, or sequences of them
        (H,W) or (N,H,W) integers or bool, of the same shapes: the class of each pixel. Two classes
        may be written as 0 and 255, beside bool too.
    void : int, optional
        Pixels of this value in `truth` do not count; in `predicted` they are wrong.
    classes : int, optional
        How many there are; the largest value and one if not given.

    Returns
    -------
    Measures
        Of all pixels together; of two classes with the mean of `v_rand` over images.

    Raises
    ------
    InputError
        If shapes differ, values are none of classes, or no pixel counts.

    Examples
    --------
    >>> evaluate([[0, 0], [1, 1]], [[0, 1], [1, 1]]).mean_iou
    0.5833333333333333
    """
    truths, masks = _images(truth, "truth"), _images(predicted, "predicted")
    if [t.shape for t in truths] != [m.shape for m in masks]:
        raise InputError(
            f"truth has shapes {[t.shape for t in truths][:3]}, predicted "
            f"{[m.shape for m in masks][:3]}; each mask has the size of its label"
        )
    both = (*truths, *masks)
    values = {int(v) for x in both if x.dtype != bool for v in np.unique(x)} - {void}
    if values <= {0, 255} and 255 in values:
        truths, masks = ([_halved(x, void) for x in images] for images in (truths, masks))
        values = {value // 255 for value in values}
    values |= {int(v) for x in both if x.dtype == bool for v in np.unique(x)} - {void}
    count = classes or max(2, max(values, default=0) + 1)
    if not all(0 <= value < count for value in values) or count > IGNORED:
        raise InputError(
            f"values {min(values)}..{max(values)} are none of {count} classes, 0..{count - 1}"
            + ("; give void=255 where 255 does not count" if 255 in values else "")
        )
    total, scores = np.zeros((count, count + 1), np.int64), []
    for label, mask in zip(truths, masks, strict=True):
        label, mask = (_numbered(x, void) for x in (label, mask))
        total += confusion_matrix(label, mask, count)
        if count == 2:
            scores.append(v_rand(label, mask))
    if not total.sum():
        raise InputError("no pixel of truth counts")
    known = [score for score in scores if np.isfinite(score)]
    return measures_of(total, float(np.mean(known)) if known else None)


def _images(given: Any, name: str) -> list[np.ndarray]:
    if isinstance(given, np.ndarray) or not len(given) or np.ndim(given[0]) < 2:
        given = np.asarray(given)
        given = [given] if given.ndim == 2 else list(given)
    images = [np.asarray(image) for image in given]
    for image in images:
        if image.ndim != 2 or image.dtype.kind not in "uib":
            raise InputError(
                f"{name} has shape {image.shape} and type {image.dtype}; (H,W) or (N,H,W) integers "
                "are needed"
            )
    return [image if image.dtype == bool else image.astype(np.int64) for image in images]


def _halved(image: np.ndarray, void: int | None) -> np.ndarray:
    return np.where(image == 255, 1, image) if void != 255 else image


def _numbered(image: np.ndarray, void: int | None) -> np.ndarray:
    return (image if void is None else np.where(image == void, IGNORED, image)).astype(np.uint8)


def v_rand(truth: np.ndarray, predicted: np.ndarray, thin: bool = True) -> float:
    """Foreground-restricted Rand score after thinning, by which ISBI 2012 ranks [1]_.

    What is not class 1 in the mask is thinned to lines one pixel wide, so that the width of
    borders does not matter. The parts that it separates (connected along edges) are compared with
    those of the label, over the pixels of the label's class 1:
    ``sum p_ij^2 / ((sum s_i^2 + sum t_j^2) / 2)``, with p_ij the share of the pixels that are in
    part i of the mask and in part j of the label; s and t are its sums. Squares are those of pairs
    of two different pixels, as in `skimage.metrics.adapted_rand_error`. Lines that are left in the
    mask count as one part.

    Parameters
    ----------
    truth, predicted : numpy.ndarray, (H,W)
        1 in cells, 0 between them; what is neither in `truth` does not count.
    thin : bool
        Whether the mask is thinned.

    Returns
    -------
    float
        0..1, 1 for the same parts; NaN where the label has no class 1.

    References
    ----------
    .. [1] I. Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms
       for connectomics", Frontiers in Neuroanatomy 9:142 (2015).
    """
    from scipy import ndimage

    cells, count = ndimage.label(truth == 1)
    inside = cells > 0
    if not count:
        return float("nan")
    parts, number = ndimage.label(thinned(predicted == 1) if thin else predicted == 1)
    pairs = cells[inside].astype(np.int64) * (number + 1) + parts[inside]
    both = np.unique(pairs, return_counts=True)[1].astype(np.float64)
    of_label = np.bincount(cells[inside]).astype(np.float64)
    of_mask = np.bincount(parts[inside]).astype(np.float64)
    # pairs of two different pixels, as scikit-image counts them
    agreed, in_label, in_mask = ((n * (n - 1)).sum() for n in (both, of_label, of_mask))
    return float(2 * agreed / (in_label + in_mask)) if in_label + in_mask else 1.0


def thinned(cells: np.ndarray) -> np.ndarray:
    """Give cells (H,W) bool grown until what separates them is one pixel wide."""
    from skimage.morphology import skeletonize

    # lines are shortened at their ends; those that reach the border of the image shall still do
    wide = np.pad(~np.asarray(cells, bool), EDGE, "edge")
    return ~skeletonize(wide)[EDGE:-EDGE, EDGE:-EDGE]  # type: ignore[no-untyped-call]


def intervals(
    confusions: Sequence[np.ndarray], resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the measures in `OVERALL`, by a bootstrap over images.

    Images are drawn with replacement, their pixels taken together, and the measures computed; 2.5 %
    of the resamples lie below the interval and 2.5 % above.
    """
    stack = np.stack(confusions)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(stack), np.full(len(stack), 1 / len(stack)), size=resamples)
    drawn = np.tensordot(times, stack, axes=1)  # (resamples,K,K+1)
    found = measures_of(drawn)
    result = {}
    for name in OVERALL:
        values = np.asarray(found[name])
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.percentile(values, [2.5, 97.5])
            result[name] = float(low), float(high)
    return result


def interval_of_mean(
    values: Sequence[float], resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean over images of what each has, by the bootstrap of `intervals`."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)
    low, high = np.percentile(times @ np.asarray(values) / len(values), [2.5, 97.5])
    return float(low), float(high)


def constant(confusion: np.ndarray) -> tuple[int, Measures]:
    """Give the most frequent class, and the measures of masks that are all of it."""
    best = int(confusion.sum(1).argmax())
    same = np.zeros_like(confusion)
    same[:, best] = confusion.sum(1)
    return best, measures_of(same)
