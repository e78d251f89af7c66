"""What a patch is like by itself: luminance, contrast, spectrum; and what simple fillings reach.

Scores of predictability go along with all of these, so who relates scores to something else has
to control for them.

Luminance here is a weighted mean of the channels of an image of 0..255, with the weights of [1]_::

    Y = (0.2126 R + 0.7152 G + 0.0722 B) / 255                                        (0..1)

taken from the values as they are in the file, without undoing a gamma: it is proportional to the
luminance of a screen that has been linearised, as screens of experiments are. For other screens,
linearise the images first.

References
----------
.. [1] ITU-R Recommendation BT.709-6 (2015), item 3.2.
"""

from __future__ import annotations

import math

import numpy as np

from unetpred.fillings.simple import harmonic_fill, mean_fill, telea_fill
from unetpred.scoring.scores import CONSTANT_STD, structure

WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in luminance
MIN_SLOPE_SIDE = 8  # px; below it fewer than three frequencies are left to fit

ROUNDING = 2.0**-24  # of luminance in float32: at most half of this, from 0.5 to 1
LEAKAGE = 0.03
"""Share of power that a window which leaks less sees at least, if it is of that frequency.

Near a loud frequency what leaks is always more; a fit is one to leakage if most of them are."""

COVARIATES = (
    "rms_contrast",
    "mean_luminance",
    "spectral_slope",
    "structure_harmonic",
    "structure_telea",
    "structure_mean_fill",
)
#: The simple fillings among the covariates, by the end of their columns' names.
FILLINGS = {"harmonic": harmonic_fill, "telea": telea_fill, "mean_fill": mean_fill}
#: Further covariates where content is asked for.
CONTENT_COVARIATES = tuple(f"content_{name}" for name in FILLINGS)


def luminance(image: np.ndarray) -> np.ndarray:
    """Luminance Y of RGB values, see above.

    Parameters
    ----------
    image : array_like, (...,3)
        RGB, 0..255.

    Returns
    -------
    numpy.ndarray, (...) float64
        0..1.
    """
    return np.asarray(image, "float64") @ np.array(WEIGHTS) / 255


def mean_luminance(patch: np.ndarray, hole: np.ndarray | None = None) -> float:
    """Mean luminance of a patch, 0..1.

    Parameters
    ----------
    patch : array_like, (h,w,3)
        RGB, 0..255.
    hole : array_like, (h,w), optional
        0 = belongs to the patch; all of it if not given.
    """
    return float(_values(patch, hole).mean())


def rms_contrast(patch: np.ndarray, hole: np.ndarray | None = None) -> float:
    """RMS contrast of a patch: the standard deviation of its luminance, 0..0.5 [1]_.

    It is the root of the mean square difference from the patch's own mean luminance, where
    luminance has the range 0..1. Divided by `mean_luminance` it is the contrast relative to
    the mean, which others use [2]_.

    Parameters
    ----------
    patch : array_like, (h,w,3)
        RGB, 0..255.
    hole : array_like, (h,w), optional
        0 = belongs to the patch; all of it if not given.

    References
    ----------
    .. [1] E. Peli, "Contrast in complex images", J. Opt. Soc. Am. A 7(10), 1990, 2032-2040, eq. 2.
    .. [2] R. A. Frazor and W. S. Geisler, "Local luminance and contrast in natural images", Vision
       Research 46(10), 2006, 1585-1598.
    """
    return float(_values(patch, hole).std())


def spectral_slope(patch: np.ndarray) -> float:
    """Slope of log power against log spatial frequency; about -2 in natural images [1]_, [2]_.

    The luminance of the patch, minus its mean, is multiplied by a Hann window in both directions,
    lest its edges count as structure; the squared magnitude of its Fourier transform is averaged
    over orientation in rings one cycle per patch wide; a line is fitted by least squares to the
    logarithms at 2 cycles per patch (below which the window mixes frequencies) to half the
    patch's side (the highest frequency there is in all orientations). A power of 1/f**a gives
    -a; the slope of amplitudes is half of it.

    Parameters
    ----------
    patch : array_like, (h,w,3)
        RGB, 0..255. What is beyond its largest centred square is not used.

    Returns
    -------
    float
        NaN for patches of one luminance, for sides below `MIN_SLOPE_SIDE`, and where there is no
        more power at some frequency than rounding to float32 makes, or at most of them than leaks
        there through the window from others, as in a grating or a ramp without noise.

    References
    ----------
    .. [1] D. J. Field, "Relations between the statistics of natural images and the response
       properties of cortical cells", J. Opt. Soc. Am. A 4(12), 1987, 2379-2394.
    .. [2] A. van der Schaaf and J. H. van Hateren, "Modelling the power spectra of natural images:
       statistics and information", Vision Research 36(17), 1996, 2759-2770.
    """
    return _slope(patch)[0]


def _slope(patch: np.ndarray) -> tuple[float, str]:
    """The spectral slope; where it is NaN, why."""
    values = luminance(patch)
    side = min(values.shape)
    if side < MIN_SLOPE_SIDE:
        return math.nan, f"below {MIN_SLOPE_SIDE} px a side"
    top, left = ((size - side) // 2 for size in values.shape)
    values = values[top : top + side, left : left + side]
    if values.std() < CONSTANT_STD / 255:
        return math.nan, "constant patch"
    taper = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    window = np.outer(taper, taper)
    frequency = np.arange(2, side // 2 + 1)
    power = _ring_power(values, window)[frequency]
    if not (power > ROUNDING**2).all():
        return math.nan, "no power at some frequencies"
    # the window's square hardly leaks; it may see less of all, as where only edges have power
    inner = _ring_power(values, window**2)[frequency]
    if np.median(inner / power) <= LEAKAGE * inner.sum() / power.sum():
        return math.nan, "no power at some frequencies"
    return float(np.polyfit(np.log(frequency), np.log(power), 1)[0]), ""


def _ring_power(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Mean power at whole cycles per patch; of white noise it is the variance, in any window."""
    side = len(values)
    tapered = (values - np.sum(values * window) / np.sum(window)) * window
    power = np.abs(np.fft.fft2(tapered)) ** 2
    cycles = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(cycles[:, None], cycles[None, :])).astype(int).ravel()
    return np.bincount(ring, power.ravel()) / np.bincount(ring) / np.sum(window**2)


def box_of(hole: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of all that is 0 in a hole (h,w)."""
    rows, columns = (np.flatnonzero((hole == 0).any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def covariates(
    pixels: np.ndarray,
    hole: np.ndarray,
    visible: np.ndarray,
    keep: dict[str, np.ndarray] | None = None,
) -> dict[str, float | str]:
    """All covariates of one hole but those of content, which VGG-16 is needed for.

    Parameters
    ----------
    pixels : numpy.ndarray, (h,w,3)
        What surrounds the hole, and what is hidden in it; RGB, 0..255.
    hole : numpy.ndarray, (h,w)
        0 = hidden and scored.
    visible : numpy.ndarray, (h,w)
        1 = what a filling may look at; 0 in the hole and beyond the border of the image.
    keep : dict, optional
        Takes what the simple fillings put into the hole's bounding box, (b,c,3), by the names in
        `FILLINGS`, for whoever measures more of them.

    Returns
    -------
    dict of str to float or str
        By the names in `COVARIATES`: `rms_contrast` and `mean_luminance` of the hidden pixels,
        `spectral_slope` of the hole's bounding box, and the structure scores of the harmonic and
        Telea's filling and of the mean colour, from the same surroundings that the network has.
        NaN where one is undefined; `reason` says why where it is the slope.
    """
    box = box_of(hole)
    filled = {
        name: fill(pixels, _near(hole, visible) if fill is harmonic_fill else visible)
        for name, fill in FILLINGS.items()
    }
    if keep is not None:
        keep |= {name: image[box].copy() for name, image in filled.items()}
    slope, why = _slope(pixels[box])
    values = (
        rms_contrast(pixels[box], hole[box]),
        mean_luminance(pixels[box], hole[box]),
        slope,
        *(structure(image, pixels, hole).value for image in filled.values()),
    )
    reason = {"reason": f"spectral_slope: {why}"} if why else {}
    return dict(zip(COVARIATES, values, strict=True)) | reason


def _near(hole: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """What is visible, as if that were all but the hole and what hangs together with it.

    Beyond the border of an image there is another film, which takes long and nobody asks for.
    """
    from scipy.ndimage import label

    missing = visible == 0
    if np.count_nonzero(missing) == np.count_nonzero(hole == 0):
        return visible
    parts, count = label(missing)
    asked = np.zeros(count + 1, bool)
    asked[parts[hole == 0]] = True
    asked[0] = False
    return np.where(asked[parts], np.float32(0), np.float32(1))


def _values(patch: np.ndarray, hole: np.ndarray | None) -> np.ndarray:
    values = luminance(patch)
    return values if hole is None else values[np.asarray(hole) == 0]
