"""Simple fillings of a hole, to compare a network's filling with.

All take an image (H,W,3), RGB 0..255, and a mask (H,W), 1 = visible and 0 = missing (anything
but 0 is visible), and return a float32 image (H,W,3), 0..255, in which the visible pixels are
exactly the given ones. None is trained. So what a network scores above the best of them, which on
photographs is `harmonic_fill`, is what it has learnt.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unetpred.errors import InputError
from unetpred.fillings.harmonic import harmonic


def _checked(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give `image` as float32 (H,W,3) and what is visible as bool (H,W)."""
    image, mask = np.asarray(image, "float32"), np.asarray(mask)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"image: shape {image.shape} cannot be filled in; give (H,W,3)")
    if mask.shape != image.shape[:2]:
        raise InputError(
            f"mask: shape {mask.shape} does not fit the image {image.shape[:2]}; give one (H,W)"
        )
    if not np.isfinite(image).all():
        raise InputError("image: has values that are NaN or infinite; give numbers in 0..255")
    visible = mask != 0
    if not visible.any():
        raise InputError("mask: nothing is visible (all 0), so there is nothing to fill in from")
    return image, visible


def _insert(image: np.ndarray, visible: np.ndarray, filling: np.ndarray) -> np.ndarray:
    """Put `filling`, clipped to 0..255, where `image` is missing."""
    filling = np.clip(filling, 0, 255).astype("float32")
    return np.where(visible[..., None], image, filling)  # (H,W,3)


def mean_fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill every hole with the mean colour of the visible pixels.

    The mean is taken per channel over all visible pixels of the image, not only those beside
    the hole. On a grey image the filling is constant, so its `structure` is undefined. On a
    colour image its score shows how much the mean colour alone achieves; on a saturated surface
    that is a lot.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255; what it holds in the hole is not used.
    mask : array (H,W)
        1 = visible, 0 = missing.

    Returns
    -------
    array (H,W,3)
        float32, 0..255, visible pixels unchanged.

    Raises
    ------
    InputError
        If the shapes do not fit, a value is not finite, or nothing is visible.
    """
    image, visible = _checked(image, mask)
    return _insert(image, visible, image[visible].mean(axis=0, dtype="float64"))


def biharmonic_fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill holes with the smoothest surface that continues values and slopes at their border.

    Solves the biharmonic equation, the Laplacian of the Laplacian is zero, inside the holes
    with `skimage.restoration.inpaint_biharmonic` [1]_, which keeps to the range of the visible
    values.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255; what it holds in the hole is not used.
    mask : array (H,W)
        1 = visible, 0 = missing.

    Returns
    -------
    array (H,W,3)
        float32, clipped to 0..255, visible pixels unchanged.

    Raises
    ------
    InputError
        If the shapes do not fit, a value is not finite, or nothing is visible.

    References
    ----------
    .. [1] S. B. Damelin and N. S. Hoang, "On surface completion and image inpainting by
       biharmonic functions: numerical aspects", Int. J. Math. Math. Sci. 2018, 3950312.
    """
    from skimage.restoration import inpaint_biharmonic

    image, visible = _checked(image, mask)
    if visible.all():
        return image.copy()
    scaled = np.where(visible[..., None], image / 255.0, 0.0)
    filling = inpaint_biharmonic(scaled, ~visible, channel_axis=-1)
    return _insert(image, visible, filling * 255.0)


def telea_fill(image: np.ndarray, mask: np.ndarray, radius: float = 3) -> np.ndarray:
    """Fill holes inwards from their border by fast marching (Telea).

    Every missing pixel becomes a weighted mean of first-order guesses from the known pixels
    within `radius`, with `cv2.inpaint` [1]_. It works on whole grey levels: the visible pixels
    are rounded to 8 bits for it, and given back unrounded. OpenCV scales the slopes it follows
    to length 1, however small they are, so even a constant image is off by a few levels.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255; what it holds in the hole is not used.
    mask : array (H,W)
        1 = visible, 0 = missing.
    radius : float
        Neighbourhood of a pixel, in pixels.

    Returns
    -------
    array (H,W,3)
        float32, 0..255, visible pixels unchanged.

    Raises
    ------
    InputError
        If OpenCV is not installed, the shapes do not fit, a value is not finite, or nothing is
        visible.

    References
    ----------
    .. [1] A. Telea, "An image inpainting technique based on the fast marching method",
       J. Graphics Tools 9(1), 2004, 23-34.
    """
    try:
        import cv2
    except ImportError:
        raise InputError(
            "Telea filling needs OpenCV, which is not installed: pip install opencv-python-headless"
        ) from None

    image, visible = _checked(image, mask)
    # At the image's border OpenCV reads a few missing pixels: they must not hold the answer.
    known = mean_fill(image, visible)
    levels = np.clip(np.rint(known), 0, 255).astype("uint8")
    filling = cv2.inpaint(levels, (~visible).astype("uint8"), float(radius), cv2.INPAINT_TELEA)
    return _insert(image, visible, filling)


def harmonic_fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill holes with a soap film: every missing pixel is the mean of its four neighbours.

    That is Laplace's equation with the visible pixels around each hole as its boundary; at the
    image's border, where a pixel has fewer neighbours, the film is free. See
    `unetpred.fillings.harmonic.harmonic`. Only the mean is simpler, and on
    photographs this filling is the best of them: compare a network with it.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255; what it holds in the hole is not used.
    mask : array (H,W)
        1 = visible, 0 = missing.

    Returns
    -------
    array (H,W,3)
        float32, 0..255, visible pixels unchanged; no missing one exceeds those around its hole.

    Raises
    ------
    InputError
        If the shapes do not fit, a value is not finite, or nothing is visible.
    """
    image, visible = _checked(image, mask)
    return _insert(image, visible, harmonic(image, visible))


#: The fillings by name, from the weakest to the strongest on photographs with a 52 px hole.
#:
#: :meta hide-value:
BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": mean_fill,
    "biharmonic": biharmonic_fill,
    "telea": telea_fill,
    "harmonic": harmonic_fill,
}
