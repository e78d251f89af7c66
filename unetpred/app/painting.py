"""The hole that was painted over a picture."""

from __future__ import annotations

import numpy as np

from unetpred.errors import InputError

PAINTED = 128  # of 255, the opacity from which on a pixel is painted


def painted_mask(editor: dict | None, size: tuple[int, int]) -> np.ndarray:
    """The mask (H,W) uint8, 0 = hidden, of what was painted over a picture of this size.

    Raises
    ------
    InputError
        If nothing is painted.
    """
    painted: np.ndarray | None = None
    for layer in (editor or {}).get("layers") or ():
        pixels = np.asarray(layer)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            here = pixels[..., 3] >= PAINTED
            same = painted is not None and painted.shape == here.shape
            painted = painted | here if painted is not None and same else here
    if painted is None or not painted.any():
        raise InputError("nothing is painted; paint over what shall be hidden")
    height, width = size
    rows = ((np.arange(height) + 0.5) * painted.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * painted.shape[1] / width).astype(int)
    return np.where(painted[rows][:, columns], 0, 1).astype("uint8")
