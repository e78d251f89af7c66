"""What a network that segments is trained by: cross-entropy of what counts, and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from unetpred.segmentation.data.classes import IGNORED

SMOOTH = 1.0  # px; keeps the overlap of an absent class defined


def target(labels: Any, class_weights: Sequence[float], weights: Any = None) -> Any:
    """Put labels and their weights side by side.

    Parameters
    ----------
    labels : array or tensor, (N,H,W) uint8
        Numbers of classes, `IGNORED` where nothing counts.
    class_weights : sequence of float
        One per class.
    weights : array or tensor, (N,H,W), optional
        Of pixels, on top of those of classes.

    Returns
    -------
    tensor, (N,H,W,2) float32
        Label and weight; 0 and 0 where nothing counts.
    """
    labels = ops.cast(labels, "int32")
    counted = ops.not_equal(labels, IGNORED)
    labels = ops.where(counted, labels, 0)
    weight = ops.cast(counted, "float32")
    if len(set(class_weights)) > 1 or class_weights[0] != 1:
        table = ops.convert_to_tensor(np.asarray(class_weights, "float32"))
        weight = weight * ops.take(table, labels, axis=0)
    if weights is not None:
        weight = weight * ops.cast(weights, "float32")
    return ops.stack([ops.cast(labels, "float32"), weight], axis=-1)


def segmentation_loss(true: Any, logits: Any, dice: float = 0.0) -> Any:
    """Cross-entropy, and one minus the Dice coefficient.

    Parameters
    ----------
    true : tensor, (N,H,W,2)
        From `target`.
    logits : tensor, (N,H,W,K)
        One channel for two classes (binary cross-entropy), else one for each.
    dice : float
        Weight of the second term: one minus the mean over classes of the smoothed Dice
        coefficient [1]_ of all pixels of the batch that count; of two classes, that of class 1.

    Returns
    -------
    tensor ()
        The mean of the cross-entropy weighted by pixel, plus the second term.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016, arXiv:1606.04797.
    """
    label, weight = true[..., 0], true[..., 1]
    logits = ops.cast(logits, "float32")
    if logits.shape[-1] == 1:
        z = logits[..., 0]
        entropy = ops.softplus(z) - label * z
        answers, shares = label[..., None], ops.sigmoid(logits)
    else:
        answers = ops.one_hot(ops.cast(label, "int32"), logits.shape[-1], dtype="float32")
        logs = ops.log_softmax(logits, axis=-1)
        entropy = -ops.sum(answers * logs, axis=-1)
        shares = ops.exp(logs)
    total = ops.sum(weight * entropy) / ops.maximum(ops.sum(weight), 1.0)
    if not dice:
        return total
    counted = ops.cast(weight > 0, "float32")[..., None]
    axes = (0, 1, 2)
    both = ops.sum(counted * answers * shares, axes)
    either = ops.sum(counted * (answers + shares), axes)
    return total + dice * (1 - ops.mean((2 * both + SMOOTH) / (either + SMOOTH)))


def balanced(counts: np.ndarray) -> list[float]:
    """Weights of classes by their pixels: median frequency over frequency [1]_; 0 for none.

    Parameters
    ----------
    counts : numpy.ndarray, (K,)
        Pixels of each class.

    References
    ----------
    .. [1] D. Eigen, R. Fergus, "Predicting depth, surface normals and semantic labels with a
       common multi-scale convolutional architecture", ICCV 2015, arXiv:1411.4734, section 6.
    """
    counts = np.asarray(counts, "float64")
    median = np.median(counts[counts > 0])
    return [float(median / count) if count else 0.0 for count in counts]
