"""Crops of images and labels, deformed alike: labels by their nearest neighbour, always."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from unetpred.segmentation.data.classes import IGNORED

KINDS = ("upright", "turned", "none")
GRID = 3  # points a side that elastic deformation moves


class Crop(NamedTuple):
    """What a network is shown, and what it shall answer."""

    image: np.ndarray  # (S,S,3) uint8
    label: np.ndarray  # (S,S) uint8, IGNORED beyond the border of the image
    weight: np.ndarray | None  # (S,S) float32


@dataclass(frozen=True)
class Augmentation:
    """How images are varied.

    Attributes
    ----------
    kind : {"upright", "turned", "none"}
        "upright": mirrored left to right, for scenes; "turned": mirrored and turned by quarters,
        where there is no up and down; "none": nothing is varied but the place of the crop.
    elastic : float
        Standard deviation, px, of the displacements of a grid of 3 x 3 points over the crop, smooth
        in between [1]_; 0 for none.
    scale : float
        Largest factor of size, at least 1; sizes vary from its inverse to it.
    contrast : float
        Contrast varies by factors 1 - contrast .. 1 + contrast, brightness by as much of 64 levels.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image
       segmentation", MICCAI 2015, arXiv:1505.04597, section 3.1.
    """

    kind: str = "upright"
    elastic: float = 10.0
    scale: float = 1.25
    contrast: float = 0.25

    def places(
        self, rng: np.random.Generator, side: int, shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw from where in the image each pixel of a crop is taken.

        Parameters
        ----------
        rng : numpy.random.Generator
        side : int
            Of the crop.
        shape : (H, W)
            Of the image.

        Returns
        -------
        x, y : numpy.ndarray, (side, side) float32
            Columns and rows, those of the image from 0 to W - 1 and H - 1.
        """
        steps = np.arange(side) - (side - 1) / 2
        x, y = np.meshgrid(steps, steps)
        reach = side
        if self.kind != "none":
            if self.elastic:
                spread = _spline(side)  # (side, GRID)
                moves = rng.normal(0, self.elastic, (2, GRID, GRID))
                dx, dy = spread @ moves[0] @ spread.T, spread @ moves[1] @ spread.T
                x, y = x + dx, y + dy
            if self.scale > 1:
                factor = np.exp(rng.uniform(-1, 1) * np.log(self.scale))
                x, y, reach = x / factor, y / factor, side / factor
            if rng.random() < 0.5:
                x = -x
            if self.kind == "turned":
                if rng.random() < 0.5:
                    y = -y
                if rng.random() < 0.5:
                    x, y = y, x
        for axis, length in ((x, shape[1]), (y, shape[0])):
            middle = (length - 1) / 2
            free = (length - reach) / 2
            place = rng.uniform(-free, free) if free > 0 else 0.0
            if self.kind == "none" or (self.elastic == 0 and self.scale == 1):
                # whole pixels: nothing is interpolated
                start = round(middle + place - (side - 1) / 2)
                place = start + (side - 1) / 2 - middle
            axis += middle + place
        return x.astype(np.float32), y.astype(np.float32)

    def crop(
        self,
        rng: np.random.Generator,
        side: int,
        image: np.ndarray,
        label: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> Crop:
        """Draw a crop.

        Parameters
        ----------
        rng : numpy.random.Generator
        side : int
            Px.
        image : numpy.ndarray, (H,W,3) uint8
            Mirrored beyond its border.
        label : numpy.ndarray, (H,W) uint8
            Beyond the border nothing counts.
        weight : numpy.ndarray, optional, (H,W)
        """
        x, y = self.places(rng, side, image.shape[:2])
        crop = warp(image, label, x, y, weight)
        if self.kind != "none" and self.contrast:
            gain = 1 + rng.uniform(-self.contrast, self.contrast)
            shift = 64 * rng.uniform(-self.contrast, self.contrast)
            mean = crop.image.mean()
            varied = (crop.image - mean) * np.float32(gain) + np.float32(mean + shift)
            crop = crop._replace(image=np.rint(np.clip(varied, 0, 255)).astype(np.uint8))
        return crop


def warp(
    image: np.ndarray,
    label: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
) -> Crop:
    """Take image and label from the same places (columns x, rows y)."""
    import cv2

    height, width = label.shape
    # what is needed alone: OpenCV addresses no more than 32,767 px
    left, right = (int(np.clip(v, 0, width - 1)) for v in (x.min() - 2, x.max() + 3))
    top, bottom = (int(np.clip(v, 0, height - 1)) for v in (y.min() - 2, y.max() + 3))
    part = np.s_[top : bottom + 1, left : right + 1]
    x, y = x - left, y - top
    mirrored = cv2.BORDER_REFLECT_101 if min(right - left, bottom - top) > 0 else cv2.BORDER_REFLECT

    def nearest(values: np.ndarray, beyond: int) -> np.ndarray:
        return cv2.remap(
            np.ascontiguousarray(values), columns, rows, cv2.INTER_NEAREST, borderValue=beyond
        )

    # to the nearest pixel, halves up: OpenCV's own rounding is in steps of 1/32
    columns, rows = np.floor(x + 0.5), np.floor(y + 0.5)
    whole = (x == columns).all() and (y == rows).all()
    return Crop(
        cv2.remap(
            np.ascontiguousarray(image[part]),
            x,
            y,
            cv2.INTER_NEAREST if whole else cv2.INTER_LINEAR,
            borderMode=mirrored,
        ),
        nearest(label[part], IGNORED),
        None if weight is None else nearest(weight[part].astype(np.float32), 1),
    )


@lru_cache(maxsize=8)
def _spline(side: int) -> np.ndarray:
    """What each of the points of the grid adds to each pixel, (side, GRID): cubic in between."""
    from scipy.interpolate import CubicSpline

    points = np.linspace(0, side - 1, GRID)
    return CubicSpline(points, np.eye(GRID), bc_type="natural")(np.arange(side))
