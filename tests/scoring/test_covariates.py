"""Covariates against loops over pixels and against noise of known spectra."""

import math

import numpy as np
import pytest

from unetpred.fillings.simple import harmonic_fill, mean_fill, telea_fill
from unetpred.holes.masks import hole_mask
from unetpred.scoring.covariates import (
    COVARIATES,
    covariates,
    mean_luminance,
    rms_contrast,
    spectral_slope,
)
from unetpred.scoring.scores import structure


def noise(side, exponent, seed):
    """Grey noise (side,side,3) whose power falls as 1/f**exponent, of mean 127, std 20."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) * frequency ** (-exponent / 2)
    values = np.fft.ifft2(spectrum).real
    return np.repeat((127 + 20 * values / values.std())[..., None], 3, axis=-1)


def test_luminance_and_contrast_against_a_loop():
    rng = np.random.default_rng(0)
    patch = rng.uniform(0, 255, (7, 9, 3))
    hole = (rng.random((7, 9)) < 0.5).astype("float32")
    for mask in (None, hole):
        values = [
            (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255
            for i, row in enumerate(patch)
            for j, (r, g, b) in enumerate(row)
            if mask is None or mask[i, j] == 0
        ]
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        assert mean_luminance(patch, mask) == pytest.approx(mean, rel=1e-12)
        assert rms_contrast(patch, mask) == pytest.approx(spread, rel=1e-12)


def test_extremes_of_contrast():
    board = np.indices((8, 8)).sum(axis=0)[..., None] % 2 * np.full(3, 255.0)
    assert rms_contrast(board) == pytest.approx(0.5)
    assert mean_luminance(board) == pytest.approx(0.5)
    assert rms_contrast(np.full((8, 8, 3), 77)) == pytest.approx(0, abs=1e-12)
    assert mean_luminance(np.full((8, 8, 3), 255)) == pytest.approx(1)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
@pytest.mark.parametrize("side", [52, 101])
def test_slope_of_noise(side, exponent):
    # cut out of larger noise: a patch of an image does not go round
    slopes = [
        spectral_slope(noise(256, exponent, seed)[:side, 50 : 50 + side]) for seed in range(8)
    ]
    assert np.mean(slopes) == pytest.approx(-exponent, abs=0.2)


def test_slope_does_not_depend_on_contrast_mean_or_orientation():
    patch = noise(64, 2, 1)
    slope = spectral_slope(patch)
    assert spectral_slope(patch * 0.3 + 40) == pytest.approx(slope, abs=1e-6)
    assert spectral_slope(patch.swapaxes(0, 1)) == pytest.approx(slope, abs=1e-9)
    assert spectral_slope(patch[::-1]) == pytest.approx(slope, abs=1e-9)


def test_slope_that_is_undefined():
    assert math.isnan(spectral_slope(np.full((20, 20, 3), 9)))
    assert math.isnan(spectral_slope(noise(7, 1, 0)))
    ramp = np.arange(52)[None, :, None] * np.ones((52, 1, 3))
    assert math.isnan(spectral_slope(ramp))  # the slope of the window's sidelobes, else
    assert spectral_slope(np.floor(ramp / 26) * 100) == pytest.approx(-3, abs=0.3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cycles", [4, 6.5, 3.25, 2.6])
def test_slope_of_a_grating_needs_noise(dtype, cycles):
    wave = np.sin(2 * np.pi * cycles * np.arange(52) / 52)
    grating = (127 + 100 * np.tile(wave, (52, 1)))[..., None].repeat(3, -1).astype(dtype)
    hole = np.zeros((52, 52))
    visible = np.ones((52, 52))
    visible[20:30, 20:30] = 0
    # of 4 cycles nothing leaks through the window into most frequencies, of others all there is
    assert math.isnan(spectral_slope(grating))
    found = covariates(grating, hole, visible)
    assert math.isnan(found["spectral_slope"])
    assert found["reason"] == "spectral_slope: no power at some frequencies"
    noisy = grating + np.random.default_rng(0).normal(0, 1, grating.shape)
    assert -6 < spectral_slope(noisy) < 0  # near the grating there is leakage still
    assert "reason" not in covariates(noisy, hole, visible)


def test_all_of_one_hole():
    rng = np.random.default_rng(2)
    pixels = np.clip(noise(90, 2, 3) + rng.normal(0, 5, (90, 90, 3)), 0, 255).astype("float32")
    hole = hole_mask((90, 90), 21, "disc")
    visible = hole.copy()
    visible[:, :8] = 0
    found = covariates(pixels, hole, visible)
    assert tuple(found) == COVARIATES
    hidden, box = hole == 0, (slice(35, 56), slice(35, 56))
    fillings = {"harmonic": harmonic_fill, "telea": telea_fill, "mean_fill": mean_fill}
    for name, fill in fillings.items():
        filled = fill(pixels, visible)[hidden].ravel()
        r = np.corrcoef(filled, pixels[hidden].ravel())[0, 1]
        assert found[f"structure_{name}"] == pytest.approx(r, abs=1e-6)
    assert found["spectral_slope"] == spectral_slope(pixels[box])
    assert found["rms_contrast"] == pytest.approx(rms_contrast(pixels[hidden][None]), rel=1e-6)
    assert found["mean_luminance"] == pytest.approx(mean_luminance(pixels[hidden][None]))


@pytest.mark.parametrize("top", [30, 12])  # apart from what is beyond the border, and touching it
def test_the_film_is_that_of_all_that_is_hidden(top):
    pixels = np.random.default_rng(0).uniform(0, 255, (60, 50, 3)).astype("float32")
    hole, inside = np.ones((60, 50), "float32"), np.ones((60, 50), "float32")
    hole[top : top + 15, 20:38] = 0
    hole[top + 17 : top + 20, 20:25] = 0
    inside[:12], inside[:, 45:] = 0, 0
    visible = hole * inside
    kept: dict = {}
    found = covariates(pixels, hole, visible, kept)
    film = harmonic_fill(pixels, visible)
    box = np.s_[top : top + 20, 20:38]
    np.testing.assert_allclose(kept["harmonic"], film[box], rtol=0, atol=1e-4)
    assert found["structure_harmonic"] == pytest.approx(
        structure(film, pixels, hole).value, abs=1e-6
    )
