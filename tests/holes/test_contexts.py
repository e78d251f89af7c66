"""Crops against a loop over their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from unetpred.holes.contexts import surroundings


@pytest.mark.parametrize("side", [1, 6, 7, 40])
@pytest.mark.parametrize("center", [(0, 0), (10, 4), (12, 8), (-9, 30), (6, 4)])
def test_surroundings_against_a_loop(side, center):
    rng = np.random.default_rng(0)
    image = rng.uniform(1, 255, (9, 13, 3)).astype("float32")
    crop, inside = surroundings(image, center, side)
    assert crop.shape == (side, side, 3)
    assert inside.shape == (side, side)
    assert inside.dtype == np.float32
    for i in range(side):
        for j in range(side):
            y, x = center[1] - side // 2 + i, center[0] - side // 2 + j
            if 0 <= y < 9 and 0 <= x < 13:
                np.testing.assert_array_equal(crop[i, j], image[y, x])
                assert inside[i, j] == 1
            else:
                assert not crop[i, j].any()
                assert inside[i, j] == 0


def test_of_the_whole_image_is_the_image():
    image = np.arange(5 * 5 * 3).reshape(5, 5, 3)
    crop, inside = surroundings(image, (2, 2), 5)
    np.testing.assert_array_equal(crop, image)
    assert inside.all()
