"""Scores against NumPy's own correlation and the original code's values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.images.colour import VGG_MEAN_BGR, from_network, to_network
from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model
from unetpred.scoring.content import contents
from unetpred.scoring.scores import content, content_of_holes, structure

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def vgg():
    return vgg_model(DATA / "vgg16_notop_random.h5", CONTENT_LAYERS)


@pytest.fixture(scope="module")
def lpips():
    with np.load(DATA / "upstream_lpips.npz") as file:
        return dict(file)


def images(seed, shape=(40, 30, 3)):
    rng = np.random.default_rng(seed)
    original = rng.uniform(0, 255, shape)
    prediction = np.clip(original + rng.normal(0, 80, shape), 0, 255)
    return prediction.astype(np.float32), original.astype(np.float32)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_structure_is_numpys_correlation_of_the_missing_values(channels):
    prediction, original = images(0)
    shape = (40, 30) if channels is None else (40, 30, channels)
    mask = (np.random.default_rng(1).random(shape) < 0.7).astype(np.uint8) * 255
    x, y = [], []
    for row in range(40):
        for column in range(30):
            for channel in range(3):
                cell = mask[row, column]
                if (cell if channels is None else cell[channel % channels]) == 0:
                    x.append(float(prediction[row, column, channel]))
                    y.append(float(original[row, column, channel]))
    score = structure(prediction, original, mask)
    assert score.reason == ""
    assert score.value == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)


def test_structure_does_not_see_the_visible_pixels_nor_linear_change():
    prediction, original = images(2)
    mask = np.ones((40, 30))
    mask[10:20, 5:25] = 0
    value = structure(prediction, original, mask).value
    outside = np.where(mask[..., None] == 1, 0, prediction)
    assert structure(outside, original, mask).value == value
    assert structure(0.5 * prediction + 20, original, mask).value == pytest.approx(value, abs=1e-6)
    assert structure(original, original, mask).value == pytest.approx(1, abs=1e-12)
    assert structure(255 - original, original, mask).value == pytest.approx(-1, abs=1e-12)


def test_structure_of_a_constant_patch_is_undefined():
    prediction, original = images(3)
    mask = np.zeros((40, 30))
    for constant in (0.0, 0.1, 77.7, 255.0):
        flat = np.full_like(original, constant)
        score = structure(prediction, flat, mask)
        assert np.isnan(score.value) and score.reason == "constant patch (original)"
        score = structure(flat, original, mask)
        assert np.isnan(score.value) and score.reason == "constant patch (prediction)"
        # float32 rounding of a network that puts out a constant
        noise = np.random.default_rng(4).integers(-2, 3, flat.shape) * np.spacing(flat)
        assert np.isnan(structure(flat + noise, original, mask).value)
    # one 16-bit step in one pixel of ten is real variation
    faint = np.full(original.shape, 100.0)
    faint.reshape(-1)[::10] += 1 / 257
    assert structure(faint, faint, mask).value == pytest.approx(1)


def test_structure_of_values_that_are_not_finite_is_undefined():
    prediction, original = images(5)
    prediction[0, 0, 0] = np.inf
    score = structure(prediction, original, np.zeros((40, 30)))
    assert np.isnan(score.value) and "prediction" in score.reason


def test_structure_names_what_does_not_fit():
    prediction, original = images(6)
    with pytest.raises(InputError, match="nothing to score"):
        structure(prediction, original, np.ones((40, 30)))
    with pytest.raises(InputError, match=r"\(30, 40\)"):
        structure(prediction, original, np.zeros((30, 40)))
    with pytest.raises(InputError, match=r"\(39, 30, 3\)"):
        structure(prediction[1:], original, np.zeros((40, 30)))


@pytest.mark.parametrize("kind", ["pred", "noisy"])
def test_content_equals_the_original_code(kind, vgg, lpips):
    score = content(lpips[kind], lpips["true"], vgg)
    assert score.reason == ""
    np.testing.assert_allclose(score.layers.T, lpips[f"layers_{kind}"], rtol=1e-4)
    np.testing.assert_allclose(score.total, lpips[f"content_{kind}"], rtol=1e-4)


def test_content_equals_numpy_on_the_features(vgg):
    from keras import ops

    prediction, original = (image[None] for image in images(7, (17, 21, 3)))
    expected = []
    for x, y in zip(vgg(prediction), vgg(original), strict=True):
        x, y = (ops.convert_to_numpy(v)[0].astype(np.float64) for v in (x, y))
        distance = 0.0
        for row in range(x.shape[0]):
            for column in range(x.shape[1]):
                a, b = x[row, column], y[row, column]
                eps = 2.0**-23
                a, b = a / np.sqrt(a @ a + eps), b / np.sqrt(b @ b + eps)
                distance += (a - b) @ (a - b)
        expected.append(distance / (x.shape[0] * x.shape[1]))
    score = content(prediction, original, vgg)
    np.testing.assert_allclose(score.layers[0], expected, rtol=1e-4, atol=1e-7)
    assert score.total[0] == pytest.approx(np.mean(expected), rel=1e-4)


def test_content_does_not_depend_on_the_batch(vgg, lpips):
    whole = content(lpips["pred"], lpips["true"], vgg)
    parts = content(lpips["pred"], lpips["true"], vgg, batch_size=3)
    np.testing.assert_allclose(parts.layers, whole.layers, rtol=1e-5)
    for index in range(4):
        one = slice(index, index + 1)
        alone = content(lpips["pred"][one], lpips["true"][one], vgg)
        np.testing.assert_allclose(alone.layers, whole.layers[one], rtol=1e-5)
    # a broken pair spoils itself alone
    broken = lpips["pred"].copy()
    broken[1] = np.nan
    score = content(broken, lpips["true"], vgg)
    assert np.isnan(score.total[1])
    np.testing.assert_allclose(score.total[[0, 2, 3]], whole.total[[0, 2, 3]], rtol=1e-5)


def test_content_of_equal_patches_is_zero_and_the_mean_can_be_subtracted(vgg, lpips):
    np.testing.assert_array_equal(content(lpips["true"], lpips["true"], vgg).layers, 0)
    score = content(lpips["pred"], lpips["true"], vgg, subtract_mean=True)
    by_hand = content(
        lpips["pred"][..., ::-1] - np.float32(VGG_MEAN_BGR),
        lpips["true"][..., ::-1] - np.float32(VGG_MEAN_BGR),
        vgg,
    )
    np.testing.assert_allclose(score.layers, by_hand.layers, rtol=1e-6)
    assert np.abs(score.total / content(lpips["pred"], lpips["true"], vgg).total - 1).min() > 1e-3


def test_content_of_small_patches_is_undefined(vgg):
    patch = np.zeros((2, 16, 15, 3))
    score = content(patch, patch, vgg)
    assert score.total.shape == (2,) and score.layers.shape == (2, 5)
    assert np.isnan(score.total).all() and np.isnan(score.layers).all()
    assert "15x16" in score.reason and "16 px" in score.reason
    assert content(np.zeros((1, 16, 16, 3)), np.zeros((1, 16, 16, 3)), vgg).reason == ""


def test_content_of_holes_is_the_mean_over_boxes(vgg):
    prediction, original = images(8, (60, 50, 3))
    boxes = [(0, 1, 20, 18), (30, 20, 60, 50)]
    (score,) = content_of_holes(prediction[None], original[None], [boxes], vgg)
    alone = [
        content(prediction[None, t:b, le:r], original[None, t:b, le:r], vgg)
        for t, le, b, r in boxes
    ]
    np.testing.assert_allclose(score.layers, np.mean([a.layers[0] for a in alone], axis=0))
    assert score.total == pytest.approx(np.mean([a.total[0] for a in alone]))
    assert score.reason == ""

    with pytest.raises(InputError, match="outside"):
        content_of_holes(prediction[None], original[None], [[(30, 0, 61, 20)]], vgg)
    with pytest.raises(InputError, match="no hole"):
        content_of_holes(prediction[None], original[None], [[]], vgg)


def test_several_fillings_of_the_same_originals_are_those_of_each(vgg, lpips):
    names = ("pred", "noisy", "true")
    together = contents([lpips[name] for name in names], lpips["true"], vgg, batch_size=3)
    for name, score in zip(names, together, strict=True):
        alone = content(lpips[name], lpips["true"], vgg)
        np.testing.assert_allclose(score.layers, alone.layers, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(score.total, alone.total, rtol=1e-5, atol=1e-7)
    with pytest.raises(InputError, match="must both be"):
        contents([lpips["pred"], lpips["pred"][:1]], lpips["true"], vgg)


def test_features_of_the_originals_are_computed_once(vgg, lpips):
    passed = []

    class Counting:
        outputs = vgg.outputs

        def __call__(self, patches, training):
            passed.append(len(patches))
            return vgg(patches, training=training)

    contents([lpips["pred"], lpips["noisy"]], lpips["true"], Counting())
    assert passed == [4 * 3]  # four originals, and two fillings of each, in one pass


def test_content_of_many_images_is_that_of_each(vgg):
    prediction, original = images(8, (11, 60, 50, 3))
    boxes = [[(i, 5, i + 20, 25)] for i in range(11)]
    boxes[3] += [(30, 20, 60, 50), (30, 0, 50, 20)]
    boxes[5] += [(30, 20, 40, 40)]
    prediction[7, 20, 20] = np.nan
    scores = content_of_holes(prediction, original, boxes, vgg)
    for i, score in enumerate(scores):
        (alone,) = content_of_holes(
            prediction[i : i + 1], original[i : i + 1], boxes[i : i + 1], vgg
        )
        np.testing.assert_allclose(score.layers, alone.layers, rtol=1e-6)
        np.testing.assert_allclose(score.total, alone.total, rtol=1e-6)
        assert score.reason == alone.reason
    assert [i for i, score in enumerate(scores) if score.reason] == [5, 7]
    assert "20x10" in scores[5].reason and np.isnan(scores[5].total)


def test_colours_go_to_the_network_and_back():
    from keras import ops

    rgb = np.random.default_rng(9).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    bgr = to_network(rgb)
    assert bgr.dtype == np.float32
    for channel, mean in enumerate((103.939, 116.779, 123.68)):
        np.testing.assert_allclose(
            bgr[..., channel], rgb[..., 2 - channel].astype(float) - mean, atol=1e-4
        )
    np.testing.assert_allclose(from_network(bgr), rgb, atol=1e-4)
    tensor = to_network(ops.convert_to_tensor(rgb))
    np.testing.assert_array_equal(ops.convert_to_numpy(tensor), bgr)
    np.testing.assert_allclose(ops.convert_to_numpy(from_network(tensor)), rgb, atol=1e-4)
