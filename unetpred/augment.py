"""Changes of colour to train under, each an affine map of RGB values."""

from __future__ import annotations

import numpy as np

# RGB -> YIQ: luma weights of ITU-R BT.601, and the two axes of colour that a change of hue rotates
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], "float64")


def colour_matrix(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw an affine map of colours, ``rgb @ matrix.T + offset`` for values 0..255.

    Each with probability 0.5, as in the original's training: contrast by a factor U(0, 1), about
    mid-grey; hue by up to 0.1 turns, a rotation of the colour plane of YIQ; saturation by a factor
    U(0, 1); grey; brightness. That is U(-32, 32) levels here; the original added a range meant for
    0..1 to values 0..255, by mistake, so that it did nothing.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    matrix : numpy.ndarray, (3, 3)
    offset : numpy.ndarray, (3,)
    """
    brightness, contrast, hue, saturation, grey = rng.random(5) < 0.5
    offset = rng.uniform(-32, 32) if brightness else 0.0
    factor = rng.uniform(0, 1) if contrast else 1.0
    turns = rng.uniform(-0.1, 0.1) if hue else 0.0
    vividness = rng.uniform(0, 1) if saturation else 1.0
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
