"""Random holes: where they lie, how large they are, which kinds there are."""

import numpy as np
import pytest
from scipy import ndimage

from unetpred.holes.masks import hole_mask
from unetpred.holes.random_masks import SHARES, random_mask

WINDOWS = [None, (32, 32, 96, 96), (3, 50, 40, 128), (60, 60, 69, 68)]


def boxes(mask):
    labels, count = ndimage.label(mask == 0, structure=np.ones((3, 3)))
    return count, [(r.stop - r.start, c.stop - c.start) for r, c in ndimage.find_objects(labels)]


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize("window", WINDOWS)
def test_holes_lie_in_the_window(kind, window):
    top, left, bottom, right = window or (16, 16, 112, 112)
    for seed in range(60):
        mask = random_mask(seed, (128, 128), window, kind=kind)
        assert mask.shape == (128, 128) and mask.dtype == np.float32
        assert set(np.unique(mask)) == {0, 1}
        assert mask.sum() == mask.size - (mask[top:bottom, left:right] == 0).sum()


def test_same_seed_same_mask_and_none_like_another():
    masks = [random_mask(seed, (96, 128)) for seed in range(40)]
    for seed, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, random_mask(np.random.default_rng(seed), (96, 128)))
    # the hole of the score is always the same
    assert len({mask.tobytes() for mask in masks}) > 20


def test_hole_of_the_score_is_that_of_the_score():
    np.testing.assert_array_equal(
        random_mask(0, (224, 224), kind="score"), hole_mask((224, 224), 52)
    )
    np.testing.assert_array_equal(
        random_mask(0, (97, 131), (10, 10, 90, 120), kind="score"), hole_mask((97, 131), 52)
    )
    assert (random_mask(0, (64, 64), (16, 16, 48, 48), kind="score") == 0).sum() == 32 * 32


def test_sizes_of_squares_discs_and_ellipses():
    sides, diameters, ratios = [], [], []
    for seed in range(200):
        count, [(height, width)] = boxes(random_mask(seed, (224, 224), kind="square"))
        assert count == 1 and height == width
        sides.append(height)
        mask = random_mask(seed, (224, 224), kind="disc")
        _, [(height, width)] = boxes(mask)
        assert abs(height - width) <= 1
        diameters.append(max(height, width))
        area = (mask == 0).sum()
        assert area == pytest.approx(np.pi / 4 * height * width, rel=0.08)
        mask = random_mask(seed, (224, 224), kind="ellipse")
        rows, columns = np.nonzero(mask == 0)
        long, short = np.sqrt(np.linalg.eigvalsh(np.cov(rows, columns))[::-1])
        ratios.append(short / long)
        assert 15 <= 4 * long <= 106
    for measured in (sides, diameters):
        assert 15 <= min(measured) <= 22 and 98 <= max(measured) <= 104
    assert 0.25 < min(ratios) < 0.4 and 0.9 < max(ratios) <= 1


def test_several_holes_and_strokes():
    counts = [boxes(random_mask(seed, (224, 224), kind="several"))[0] for seed in range(100)]
    assert set(counts) == {1, 2, 3, 4} and np.mean(counts) > 1.5
    counts = [boxes(random_mask(seed, (224, 224), kind="strokes"))[0] for seed in range(100)]
    assert min(counts) == 1 and 1 < max(counts) <= 4


def test_kinds_are_drawn_by_their_shares():
    score = hole_mask((128, 128), 52)
    same = sum(np.array_equal(random_mask(seed, (128, 128)), score) for seed in range(1000))
    # the standard deviation of the count is 15.5
    assert abs(same - 1000 * SHARES["score"]) < 60
    assert sum(SHARES.values()) == pytest.approx(1)


def test_small_masks():
    for seed in range(100):
        assert (random_mask(seed, (32, 32), (12, 12, 20, 20)) == 0).any()
        assert (random_mask(seed, (8, 8), (3, 3, 5, 5), sizes=(1, 2), kind="ellipse") == 0).any()


def test_unknown_kind():
    with pytest.raises(ValueError, match="triangle"):
        random_mask(0, (64, 64), kind="triangle")
