"""Losses against sums written out."""

import numpy as np
import pytest
from keras import ops

from unetpred.segmentation.data.classes import IGNORED
from unetpred.segmentation.training.losses import balanced, segmentation_loss, target


def reference(labels, logits, class_weights, weights, dice):
    """Pixel by pixel, in float64."""
    count = logits.shape[-1]
    above = below = 0.0
    both, either = np.zeros(count), np.zeros(count)
    for place in np.ndindex(labels.shape):
        label, z = labels[place], logits[place].astype("float64")
        if label == IGNORED:
            continue
        if count == 1:
            shares, answers = 1 / (1 + np.exp(-z)), np.array([float(label)])
            likelihood = shares[0] if label else 1 - shares[0]
        else:
            shares, answers = np.exp(z) / np.exp(z).sum(), np.eye(count)[label]
            likelihood = shares[label]
        weight = class_weights[label] * (1 if weights is None else weights[place])
        above, below = above - weight * np.log(likelihood), below + weight
        both, either = both + shares * answers, either + shares + answers
    return above / below + dice * (1 - np.mean((2 * both + 1) / (either + 1)))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("dice", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_sums(rng, classes, dice, weighted):
    labels = rng.integers(0, classes, (2, 6, 5)).astype("uint8")
    labels[0, :2] = IGNORED
    logits = rng.normal(0, 2, (2, 6, 5, 1 if classes == 2 else classes)).astype("float32")
    class_weights = list(rng.uniform(0.5, 2, classes)) if weighted else [1.0] * classes
    weights = rng.uniform(1, 5, labels.shape).astype("float32") if weighted else None
    found = segmentation_loss(target(labels, class_weights, weights), logits, dice)
    expected = reference(labels, logits, class_weights, weights, dice)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_extremes_are_finite(channels):
    labels = np.array([[[0, 1], [IGNORED, 1]]], "uint8")
    logits = np.full((1, 2, 2, channels), -300.0, "float32")
    logits[0, 0, 0] = 300
    assert np.isfinite(float(segmentation_loss(target(labels, [1.0] * 3), logits, 1.0)))
    nothing = np.full((1, 2, 2), IGNORED, "uint8")
    assert float(segmentation_loss(target(nothing, [1.0] * 3), logits)) == 0


def test_void_changes_nothing(rng):
    labels = rng.integers(0, 3, (1, 8, 8)).astype("uint8")
    labels[0, 3:5] = IGNORED
    logits = rng.normal(0, 1, (1, 8, 8, 3)).astype("float32")
    other = logits.copy()
    other[0, 3:5] = rng.normal(0, 9, (2, 8, 3))
    a, b = (
        ops.convert_to_numpy(segmentation_loss(target(labels, [1.0] * 3), x, 1.0))
        for x in (logits, other)
    )
    assert a == b


def test_balanced_weights():
    np.testing.assert_allclose(balanced(np.array([100, 10, 0, 1])), [0.1, 1, 0, 10])
