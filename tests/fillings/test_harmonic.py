"""The harmonic filling against ramps, and against a dense solution of its definition."""

import numpy as np
import pytest

from unetpred.fillings.harmonic import harmonic
from unetpred.fillings.simple import harmonic_fill


def ramp():
    rows, columns = np.mgrid[:70, :80]
    return np.stack([2.5 * columns + 20, 1.5 * rows + columns + 40, 240 - 3 * rows], axis=-1)


def holes(name):
    """What is visible (H,W)."""
    rng = np.random.default_rng(1)
    visible = np.ones((13, 17), bool)
    if name == "square":
        visible[4:9, 5:11] = False
    elif name == "several":
        visible[1:4, 1:4] = visible[6:11, 9:15] = visible[5, 2] = False
    elif name == "touching by a corner":
        visible[2:5, 2:5] = visible[5:8, 5:8] = False
    elif name == "at the border":
        visible[:5, 3:9] = visible[9:, 12:] = False
    elif name == "whole sides":
        visible[:, :6] = visible[10:] = False
    elif name == "ring":
        visible[2:11, 2:15] = False
        visible[5:8, 7:9] = True
    elif name == "any":
        visible = rng.random((13, 17)) < 0.3
    elif name == "one is visible":
        visible[:] = False
        visible[3, 4] = True
    return visible


def dense(values, visible):
    """Solve for every pixel of one channel at once, with the definition written out."""
    height, width = visible.shape
    matrix, known = np.eye(height * width), np.where(visible, values, 0).ravel().astype(float)
    for y in range(height):
        for x in range(width):
            if visible[y, x]:
                continue
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < height and 0 <= u < width:
                    matrix[y * width + x, v * width + u] = -1
            matrix[y * width + x, y * width + x] = -matrix[y * width + x].sum() + 1
    return np.linalg.solve(matrix, known).reshape(height, width)


@pytest.mark.parametrize("hole", ["square", "disc", "several"])
def test_a_ramp_goes_on(hole):
    visible = np.ones((70, 80), bool)
    rows, columns = np.mgrid[:70, :80]
    if hole == "square":
        visible[9:61, 15:67] = False
    elif hole == "disc":
        visible[(rows - 35) ** 2 + (columns - 40) ** 2 < 30**2] = False
    else:
        visible[5:20, 5:30] = visible[40:65, 50:76] = visible[30, 40] = False
    hidden = ramp()
    hidden[~visible] = np.nan  # whatever is there
    np.testing.assert_allclose(harmonic(hidden, visible), ramp(), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "name",
    ["square", "several", "touching by a corner", "at the border", "whole sides", "ring", "any",
     "one is visible"],
)  # fmt: skip
def test_it_is_the_dense_solution(name):
    visible = holes(name)
    values = np.random.default_rng(0).uniform(0, 255, (*visible.shape, 3))
    filled = harmonic(values, visible)
    for channel in range(3):
        expected = dense(values[..., channel], visible)
        np.testing.assert_allclose(filled[..., channel], expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(filled[visible], values[visible])
    np.testing.assert_allclose(harmonic_fill(values, visible), filled, rtol=1e-6)


def test_it_exceeds_its_rim_nowhere():
    visible = np.ones((40, 50), bool)
    visible[5:35, 10:40] = False
    values = np.random.default_rng(0).uniform(0, 255, (40, 50, 1))
    rim = np.concatenate([values[4, 10:40], values[35, 10:40], values[5:35, 9], values[5:35, 40]])
    inside = harmonic(values, visible)[~visible]
    assert rim.min() < inside.min() and inside.max() < rim.max()


def test_it_is_linear_and_turns_with_the_image():
    visible = holes("several")
    a, b = np.random.default_rng(0).uniform(0, 255, (2, *visible.shape, 2))
    both = harmonic(2 * a - 3 * b, visible)
    np.testing.assert_allclose(
        both, 2 * harmonic(a, visible) - 3 * harmonic(b, visible), rtol=0, atol=1e-9
    )
    turned = harmonic(np.rot90(a), np.rot90(visible))
    np.testing.assert_allclose(turned, np.rot90(harmonic(a, visible)), rtol=0, atol=1e-9)
