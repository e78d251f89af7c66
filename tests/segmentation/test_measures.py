"""Measures against other code: loops, scikit-image."""

import numpy as np
import pytest
from cells import cells
from scipy import ndimage
from skimage.metrics import adapted_rand_error

import unetpred
from unetpred.errors import InputError
from unetpred.segmentation.data.classes import IGNORED
from unetpred.segmentation.measures import (
    confusion_matrix,
    constant,
    evaluate,
    intervals,
    measures_of,
    thinned,
    v_rand,
)
from unetpred.segmentation.scores import steady


@pytest.fixture
def pair(rng):
    """A label of 4 classes with void, and a mask; class 3 is in neither."""
    truth = rng.integers(0, 3, (3, 20, 24))
    predicted = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, 3, truth.shape))
    truth[:, :2] = 255
    return truth, predicted


def test_measures_against_loops(pair):
    truth, predicted = pair
    found = evaluate(truth, predicted, void=255, classes=4)
    counted = truth != 255
    for value in range(3):
        t, p = (truth == value) & counted, (predicted == value) & counted
        both = (t & p).sum()
        assert found.iou[value] == pytest.approx(both / (t | p).sum())
        assert found.precision[value] == pytest.approx(both / p.sum())
        assert found.recall[value] == pytest.approx(both / t.sum())
        assert found.f1[value] == pytest.approx(2 * both / (t.sum() + p.sum()))
        assert found.share[value] == pytest.approx(t.sum() / counted.sum())
    assert np.isnan(found.iou[3])
    assert found["mean_iou"] == found.mean_iou == pytest.approx(found.iou[:3].mean())
    assert found.mean_iou_without_background == pytest.approx(found.iou[1:3].mean())
    assert found.mean_class_accuracy == pytest.approx(found.recall[:3].mean())
    assert found.pixel_accuracy == pytest.approx((truth == predicted)[counted].mean())
    with pytest.raises(KeyError):
        found["nothing"]


def test_void_never_counts(pair, rng):
    truth, predicted = pair
    other = np.where(truth == 255, rng.integers(0, 3, truth.shape), predicted)
    a, b = (evaluate(truth, p, void=255) for p in (predicted, other))
    np.testing.assert_array_equal(a.confusion, b.confusion)
    # void in a mask is wrong
    predicted[0, 5] = 255
    assert evaluate(truth, predicted, void=255).confusion[:, -1].sum() == 24


def test_two_classes_may_be_0_and_255(rng):
    truth = rng.integers(0, 2, (2, 30, 30))
    predicted = rng.integers(0, 2, (2, 30, 30))
    a = evaluate(truth, predicted)
    bits = truth.astype(bool), predicted.astype(bool)
    for t, p in (
        (truth * 255, predicted * 255),
        bits,
        (truth * 255, bits[1]),
        (bits[0], predicted * 255),
        (truth, bits[1]),
    ):
        b = evaluate(t, p)
        assert a.mean_iou == b.mean_iou and a.v_rand == b.v_rand
    lists = evaluate([t for t in truth], [p[:, :] for p in predicted])
    assert lists.mean_iou == a.mean_iou


def test_what_cannot_be_compared(pair):
    truth, predicted = pair
    with pytest.raises(InputError, match="each mask has the size of its label"):
        evaluate(truth, predicted[:, 1:])
    with pytest.raises(InputError, match="no pixel of truth counts"):
        evaluate([], [])
    with pytest.raises(InputError, match="void=255"):
        evaluate(truth, predicted, classes=3)
    with pytest.raises(InputError, match="no pixel of truth counts"):
        evaluate(np.full((4, 4), 255), np.zeros((4, 4), int), void=255)
    with pytest.raises(InputError, match="integers are needed"):
        evaluate(truth / 2, predicted)


def test_the_package_has_it():
    assert unetpred.segmentation.evaluate([[0, 0], [1, 1]], [[0, 1], [1, 1]]).pixel_accuracy == 0.75


def noisy(seed):
    """A label of cells that fill the image, and a mask with gaps and mergers."""
    rng = np.random.default_rng(seed)
    _, label = cells(seed, 90, 90, 14)
    mask = ndimage.binary_opening(label == 1, iterations=2) ^ (rng.random(label.shape) < 0.002)
    return label, mask.astype("uint8")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("thin", [True, False])
def test_v_rand_is_that_of_scikit_image(seed, thin):
    truth, mask = noisy(seed)
    parts = ndimage.label(thinned(mask == 1) if thin else mask)[0]
    error, _, _ = adapted_rand_error(ndimage.label(truth)[0], parts, ignore_labels=(0,))
    assert v_rand(truth, mask, thin) == pytest.approx(1 - error, abs=1e-12)


def test_v_rand_of_the_same_parts_is_1():
    truth, _ = noisy(0)
    assert v_rand(truth, truth) == pytest.approx(1, abs=0.01)
    two = np.ones((20, 21), np.uint8)
    two[:, 10] = 0
    assert v_rand(two, two) == 1
    # thicker borders are thinned
    thick = two.copy()
    thick[:, 8:13] = 0
    assert v_rand(two, thick) > v_rand(two, thick, thin=False)
    assert v_rand(two, thick) == pytest.approx(1, abs=0.06)
    # one part where there are two, and none at all
    pairs, merged = 2 * 200 * 199, 400 * 399
    assert v_rand(two, np.ones_like(two)) == pytest.approx(2 * pairs / (pairs + merged))
    assert np.isnan(v_rand(np.zeros((4, 4)), two[:4, :4]))
    # what does not count is no part
    half = two.copy()
    half[:, 11:] = IGNORED
    assert v_rand(half, np.ones_like(two)) == 1


def test_thinned_borders_are_one_pixel_wide():
    cells_of = np.ones((30, 30), bool)
    cells_of[12:17] = False
    found = thinned(cells_of)
    assert ((~found).sum(0)[3:-3] == 1).all()
    assert ndimage.label(found)[1] == 2


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ([0.1, 0.5, 0.98, 0.975, 0.972, 0.6, 0.975], 3),  # the last one is beyond a fall
        ([0.98, 0.98, 0.2], 0),
        ([0.2, 0.5, 0.9], 2),
        ([float("nan"), 0.9, float("nan")], 1),
        ([0.5, 0.895, 0.89, 0.9], 2),
    ],
)
def test_steady(values, place):
    assert steady(values) == place


def test_all_one_class(pair):
    truth, predicted = pair
    found = evaluate(truth, predicted, void=255)
    best, same = constant(found.confusion)
    again = evaluate(truth, np.full_like(truth, best), void=255)
    assert best == found.share.argmax()
    for name in ("pixel_accuracy", "mean_iou", "mean_class_accuracy"):
        assert same[name] == pytest.approx(again[name])


def test_intervals(rng):
    confusions = []
    for _ in range(30):
        truth = rng.integers(0, 2, (10, 10))
        wrong = rng.random((10, 10)) < rng.uniform(0, 0.4)
        confusions.append(confusion_matrix(truth, np.where(wrong, 1 - truth, truth), 2))
    found = intervals(confusions, seed=1)
    assert found == intervals(confusions, seed=1)
    whole = measures_of(np.sum(confusions, axis=0))
    for name, (low, high) in found.items():
        assert low < whole[name] < high
    # against means of images, which all have as many pixels
    shares = np.array([np.diagonal(c[:, :2]).sum() / 100 for c in confusions])
    error = shares.std() / np.sqrt(len(shares))
    low, high = found["pixel_accuracy"]
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
