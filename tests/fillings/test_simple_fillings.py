"""Simple fillings: what they must do on images whose filling is known."""

import sys

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.fillings.simple import BASELINES, biharmonic_fill, mean_fill, telea_fill

ALL = pytest.mark.parametrize("fill", BASELINES.values(), ids=BASELINES)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 255, (40, 50, 3))


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.ones((40, 50))
    mask[12:24, 20:35] = 0
    mask[30:34, 0:5] = 0  # a second hole, at the border
    return mask


def ramp() -> np.ndarray:
    rows, columns = np.mgrid[:40, :50]
    return np.stack([3 * columns + 20, 2 * rows + columns + 40, 200 - 3.5 * rows], axis=-1)


@ALL
def test_visible_pixels_stay_and_the_hole_is_not_looked_at(fill, image, mask):
    filled = fill(image, mask)
    assert filled.shape == image.shape
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[mask == 1], image[mask == 1].astype("float32"))
    assert filled.min() >= 0
    assert filled.max() <= 255

    other = image.copy()
    other[mask == 0] = np.random.default_rng(4).uniform(0, 255, other[mask == 0].shape)
    np.testing.assert_array_equal(fill(other, mask), filled)


@ALL
def test_input_is_left_alone_and_mask_may_be_bool_or_bytes(fill, image, mask):
    before = image.copy(), mask.copy()
    filled = fill(image, mask)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
    np.testing.assert_array_equal(fill(image, mask.astype(bool)), filled)
    np.testing.assert_array_equal(fill(image, (mask * 255).astype("uint8")), filled)


@ALL
def test_constant_image_stays_constant(fill, mask):
    image = np.full((40, 50, 3), (17, 130, 240), "uint8")
    # OpenCV's own Telea wanders by up to 3 levels here.
    levels = 4 if fill is telea_fill else 1e-3
    np.testing.assert_allclose(fill(image, mask), image, atol=levels)


@ALL
def test_nothing_missing_changes_nothing(fill, image):
    np.testing.assert_array_equal(fill(image, np.ones((40, 50))), image.astype("float32"))


@ALL
def test_bad_input_is_named(fill, image, mask):
    with pytest.raises(InputError, match=r"\(40, 50\)"):
        fill(image[..., 0], mask)
    with pytest.raises(InputError, match=r"mask: shape \(50, 40\)"):
        fill(image, mask.T)
    with pytest.raises(InputError, match="nothing is visible"):
        fill(image, np.zeros((40, 50)))
    image[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        fill(image, mask)


def test_mean_is_that_of_all_visible_pixels_per_channel(image, mask):
    total, count = np.zeros(3), 0
    for y in range(40):
        for x in range(50):
            if mask[y, x]:
                total += image[y, x]
                count += 1
    filling = mean_fill(image, mask)[mask == 0]
    np.testing.assert_allclose(filling, np.broadcast_to(total / count, filling.shape), rtol=1e-6)


def test_biharmonic_continues_a_ramp():
    mask = np.ones((40, 50))
    mask[12:24, 20:35] = 0
    np.testing.assert_allclose(biharmonic_fill(ramp(), mask), ramp(), atol=1)


def test_telea_stays_within_the_levels_around_the_hole():
    mask = np.ones((40, 50))
    mask[12:24, 20:35] = 0
    filling = telea_fill(ramp(), mask)[12:24, 20:35]
    around = ramp()[9:27, 17:38]
    for channel in range(3):
        assert filling[..., channel].min() >= around[..., channel].min() - 1
        assert filling[..., channel].max() <= around[..., channel].max() + 1


def test_telea_is_opencv_s_wherever_the_hole_is_inside():
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(5).integers(0, 256, (40, 50, 3)).astype("uint8")
    hole = np.zeros((40, 50), "uint8")
    hole[12:24, 20:35] = 1
    for radius in (3, 7):
        expected = cv2.inpaint(image, hole, radius, cv2.INPAINT_TELEA)
        np.testing.assert_array_equal(telea_fill(image, 1 - hole, radius), expected)


def test_telea_without_opencv_says_what_to_install(monkeypatch, image, mask):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="pip install opencv-python-headless"):
        telea_fill(image, mask)
