"""Changes of colour to train under, each an affine map of RGB values."""

from __future__ import annotations

import numpy as np

# RGB -> YIQ: luma weights of ITU-R BT.601, and the two axes of colour that a change of hue rotates
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], "float64")


AUGMENTATIONS = ("upstream", "vivid", "none")


def colour_matrix(
    rng: np.random.Generator, augmentation: str = "upstream"
) -> tuple[np.ndarray, np.ndarray]:
    """Draw an affine map of colours, ``rgb @ matrix.T + offset`` for values 0..255.

    "upstream": each with probability 0.5, as in the original's training: contrast by a factor
    U(0, 1), about mid-grey; hue by up to 0.1 turns, a rotation of the colour plane of YIQ;
    saturation by a factor U(0, 1); grey; brightness. That is U(-32, 32) levels here; the original
    added a range meant for 0..1 to values 0..255, by mistake, so that it did nothing.

    "vivid": three quarters of the images above are grey or paler than they were, and a network that
    saw little else fills saturated surfaces in too pale. Here contrast (0.3) is by U(0.4, 1.3), hue
    (0.5) by any turn, saturation (0.4) by U(0.3, 1.8), grey has 0.1, and brightness 0.4.

    Parameters
    ----------
    rng : numpy.random.Generator
    augmentation : {"upstream", "vivid", "none"}

    Returns
    -------
    matrix : numpy.ndarray, (3, 3)
    offset : numpy.ndarray, (3,)
    """
    if augmentation == "none":
        return affine_colours()
    upstream = augmentation == "upstream"
    shares = 0.5 if upstream else (0.4, 0.3, 0.5, 0.4, 0.1)
    brightness, contrast, hue, saturation, grey = rng.random(5) < shares
    offset = rng.uniform(-32, 32) if brightness else 0.0
    factor = rng.uniform(*((0, 1) if upstream else (0.4, 1.3))) if contrast else 1.0
    most = 0.1 if upstream else 0.5
    turns = rng.uniform(-most, most) if hue else 0.0
    vividness = rng.uniform(*((0, 1) if upstream else (0.3, 1.8))) if saturation else 1.0
    return affine_colours(offset, factor, turns, 0.0 if grey else vividness)


def affine_colours(
    brightness: float = 0.0, contrast: float = 1.0, turns: float = 0.0, saturation: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Put changes of colour into one affine map; see `colour_matrix` for what it returns.

    Parameters
    ----------
    brightness : float
        Levels to add.
    contrast : float
        Factor on the difference to mid-grey, 127.5.
    turns : float
        By how much of a full turn the hue is rotated; 1/3 leads from red towards blue.
    saturation : float
        Factor on the colour plane of YIQ; 0 leaves the luma of ITU-R BT.601 in all channels.
    """
    angle = 2 * np.pi * turns
    change = np.eye(3)
    change[1:, 1:] = saturation * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    matrix = contrast * (np.linalg.inv(_YIQ) @ change @ _YIQ)
    return matrix, np.full(3, 127.5 * (1 - contrast) + brightness)
