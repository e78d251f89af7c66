"""Structure of luminance: by hand, against structure of grey images, and where colours mislead."""

import math

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.fillings.simple import harmonic_fill, mean_fill
from unetpred.holes.masks import hole_mask
from unetpred.scoring.covariates import rms_contrast
from unetpred.scoring.luminance import structure_luminance
from unetpred.scoring.scores import structure


def by_hand(prediction, original, missing) -> float:
    """Pearson's r by loops and sums of Python's numbers."""
    pairs = []
    for row, column in zip(*np.nonzero(missing), strict=True):
        values = []
        for image in (prediction, original):
            red, green, blue = (float(value) for value in image[row, column])
            values.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
        pairs.append(values)
    count = len(pairs)
    means = [sum(pair[i] for pair in pairs) / count for i in (0, 1)]
    products = sum((a - means[0]) * (b - means[1]) for a, b in pairs)
    squares = [sum((pair[i] - means[i]) ** 2 for pair in pairs) for i in (0, 1)]
    return products / math.sqrt(squares[0] * squares[1])


def pair(seed: int = 0):
    rng = np.random.default_rng(seed)
    original = rng.uniform(0, 255, (20, 30, 3)).astype("float32")
    noise = rng.uniform(0, 255, (20, 30, 3)).astype("float32")
    mask = (rng.random((20, 30)) < 0.4).astype("float32")
    return 0.6 * original + 0.4 * noise, original, mask


@pytest.mark.parametrize("tail", ["", "one channel"])
def test_it_is_pearsons_r_of_luminance_by_hand(tail):
    prediction, original, mask = pair()
    score = structure_luminance(prediction, original, mask[..., None] if tail else mask)
    assert score.value == pytest.approx(by_hand(prediction, original, mask == 0), abs=1e-9)
    assert score.reason == ""
    assert score.value != pytest.approx(structure(prediction, original, mask).value, abs=1e-3)


def test_grey_images_have_their_structure():
    prediction, original, mask = (array if array.ndim == 2 else array[..., :1] for array in pair())
    prediction, original = (image.repeat(3, axis=-1) for image in (prediction, original))
    expected = structure(prediction, original, mask).value
    assert structure_luminance(prediction, original, mask).value == pytest.approx(
        expected, abs=1e-9
    )


def test_gain_and_offset_do_not_matter_and_hue_does_not_either():
    prediction, original, mask = pair()
    score = structure_luminance(prediction, original, mask).value
    assert structure_luminance(0.3 * prediction + 40, original, mask).value == pytest.approx(score)
    shift = np.array([0.7152, -0.2126, 0]) * 30  # another hue of the same luminance
    assert structure_luminance(prediction + shift, original, mask).value == pytest.approx(score)


def test_channels_that_are_visible_are_the_originals():
    prediction, original, _ = pair()
    mask = np.random.default_rng(1).integers(0, 2, (20, 30, 3))
    filled = np.where(mask == 0, prediction, original)
    expected = by_hand(filled, original, (mask == 0).any(axis=-1))
    assert structure_luminance(prediction, original, mask).value == pytest.approx(
        expected, abs=1e-9
    )


def test_a_red_saucer_filled_with_its_colour_has_no_score():
    image, mask = np.load("examples/samples.npy")[0], hole_mask((224, 224))
    mean, harmonic = mean_fill(image, mask), harmonic_fill(image, mask)
    assert structure(mean, image, mask).value == pytest.approx(0.985, abs=0.001)
    score = structure_luminance(mean, image, mask)
    assert np.isnan(score.value) and score.reason == "constant patch (prediction)"
    assert structure(harmonic, image, mask).value == pytest.approx(0.993, abs=0.001)
    value = structure_luminance(harmonic, image, mask).value
    assert value == pytest.approx(by_hand(harmonic, image, mask == 0), abs=1e-9)
    assert value == pytest.approx(0.298, abs=0.001)


def test_what_has_no_contrast_has_no_score():
    prediction, original, mask = pair()
    original = np.zeros_like(original)
    original[..., 0], original[..., 1] = 0.7152 * 100, 0.2126 * 100
    original[::2, :, 0], original[::2, :, 1] = 0, 0.2126 * 200  # two colours of one luminance
    assert rms_contrast(original, mask) < 1e-6
    assert structure(prediction, original, mask).reason == ""
    assert structure_luminance(prediction, original, mask).reason == "constant patch (original)"
    prediction[mask == 0] = np.nan
    assert structure_luminance(prediction, pair()[1], mask).reason.startswith("NaN or infinity")


def test_bad_shapes_are_named():
    prediction, original, mask = pair()
    with pytest.raises(InputError, match=r"must both be \(H,W,3\)"):
        structure_luminance(prediction[:-1], original, mask)
    with pytest.raises(InputError, match="must both be"):
        structure_luminance(prediction[..., 0], original[..., 0], mask)
    with pytest.raises(InputError, match=r"mask \(19, 30\) does not fit"):
        structure_luminance(prediction, original, mask[:-1])
    with pytest.raises(InputError, match="no missing pixel"):
        structure_luminance(prediction, original, np.ones((20, 30)))
