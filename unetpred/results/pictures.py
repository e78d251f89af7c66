"""Pictures as files, one pixel for each of the image's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetpred.io.files import atomic_path


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Write a picture (H,W,3), RGB 0..255, as a png of 8 bits, whole or not at all."""
    from PIL import Image

    levels = np.clip(np.floor(np.asarray(pixels) + 0.5), 0, 255).astype(np.uint8)
    with atomic_path(path) as temporary:
        Image.fromarray(levels).save(temporary, format="PNG")
