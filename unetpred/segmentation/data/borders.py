"""The weight map that makes a network learn the thin borders between cells that touch."""

from __future__ import annotations

import numpy as np

SIGMA = 5.0  # px


def border_weights(label: np.ndarray, weight: float = 10.0, sigma: float = SIGMA) -> np.ndarray:
    r"""Weights of pixels between cells.

    With d1 and d2 the distances to the nearest and the second nearest cell, a pixel of class 0 has
    the weight ``1 + weight * exp(-(d1 + d2)**2 / (2 * sigma**2))``, equation 2 of [1]_; pixels of
    cells have 1. Cells are the parts of class 1 that touch along edges.

    Parameters
    ----------
    label : numpy.ndarray, (H,W)
        0 between cells, 1 in cells; anything else does not count.
    weight : float
        w0 of the equation.
    sigma : float
        Px.

    Returns
    -------
    numpy.ndarray, (H,W) float32

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image
       segmentation", MICCAI 2015, arXiv:1505.04597.
    """
    from scipy import ndimage

    cells, count = ndimage.label(label == 1)
    reach = int(np.ceil(6 * sigma))  # beyond it the weight is 1 to eight digits
    nearest = np.full((2, *label.shape), np.inf, np.float32)
    for number, box in enumerate(ndimage.find_objects(cells), 1):
        part = tuple(
            slice(max(0, one.start - reach), min(size, one.stop + reach))
            for one, size in zip(box, label.shape, strict=True)
        )
        distance = ndimage.distance_transform_edt(cells[part] != number).astype(np.float32)
        first, second = nearest[0][part], nearest[1][part]
        np.copyto(second, np.minimum(second, np.maximum(first, distance)))
        np.copyto(first, np.minimum(first, distance))
    weights = np.ones(label.shape, np.float32)
    if count > 1:
        near = weight * np.exp(-((nearest[0] + nearest[1]) ** 2) / (2 * sigma**2))
        weights += np.where(label == 0, near, 0).astype(np.float32)
    return weights
