"""The output of images too large to be computed at once, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unetpred.holes.masks import Box
from unetpred.network.forward import forward

if TYPE_CHECKING:
    import keras

TILE = 512  # px; with what its output depends on some 900 px a side, 3 GiB at width 1
#: Pixels of output from which on tiles are worth computing their surroundings several times.
LARGE = 1 << 21


def tiled_output(
    network: keras.Model,
    image: np.ndarray,
    mask: np.ndarray,
    boxes: Sequence[Box],
    side: int = TILE,
) -> np.ndarray:
    """The output of a network in some boxes, computed in square tiles.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.network.model.build_unetpred`.
    image : numpy.ndarray, (1,H,W,3)
        As the network takes it.
    mask : numpy.ndarray, (1,H,W,1 or 3)
        1 = visible, 0 = missing.
    boxes : sequence of (top, left, bottom, right)
        Where the output is wanted.
    side : int
        Of a tile, px, a multiple of 32.

    Returns
    -------
    numpy.ndarray, (1,H,W,3)
        As the network gives it, up to rounding, since a tile is computed from all that it depends
        on; zero where no tile reaches into a box.
    """
    from unetpred.network.model import aligned_field, build_hole_model, config_of
    from unetpred.network.padding import margins
    from unetpred.network.windows import Window

    config = config_of(network)
    (above, below), (left, right) = (margins(n, config.multiple) for n in image.shape[1:3])
    rim = ((0, 0), (above, below), (left, right), (0, 0))
    image, mask = np.pad(image, rim), np.pad(mask, rim)
    height, width = image.shape[1:3]
    tiles = sorted(
        {
            (y, x)
            for box in boxes
            for y in range((box[0] + above) // side * side, box[2] + above, side)
            for x in range((box[1] + left) // side * side, box[3] + left, side)
        }
    )
    raw = np.zeros((*image.shape[:3], 3), "float32")
    models: dict[Window, keras.Model] = {}  # tiles in the middle of the image share one
    for y, x in tiles:
        tile = Window(y, x, min(y + side, height), min(x + side, width), height, width)
        region = aligned_field(tile, config)
        inner = tile.within(region)
        if inner not in models:
            box = inner.top, inner.left, inner.bottom, inner.right
            models[inner] = build_hole_model(network, inner.height, inner.width, box)
            models[inner].jit_compile = False
        inputs = [region.cut(array, region.whole()) for array in (image, mask)]
        raw[:, tile.top : tile.bottom, tile.left : tile.right] = forward(models[inner], inputs)[0]
    return raw[:, above : height - below, left : width - right]
