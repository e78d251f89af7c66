"""Which pixels are missing and how much around them is seen, by the command line's arguments."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, surroundings
from unetpred.holes.masks import (
    DEFAULT_HOLE,
    MaskStack,
    check_mask,
    hole_box,
    hole_mask,
    load_mask,
)
from unetpred.images.arrays import MIN_SIDE
from unetpred.io.registry import sha256


def whole_pixel(value: float) -> int:
    """The nearest whole pixel of a position or a size, px; halves go up.

    One rule for all numbers of users. What lies within 1e-9 px below a half, as 0.7 times 45 does,
    is taken for it.
    """
    return math.floor(round(value, 9) + 0.5)


@dataclass(frozen=True)
class Place:
    """A hole of its own for one job: centre (x,y), column and row, and size, px."""

    x: int
    y: int
    size: int


@dataclass(frozen=True)
class Scene:
    """What the network is given of one image, and what it is scored on.

    Attributes
    ----------
    pixels : numpy.ndarray, (h,w,3) float32
        RGB 0..255; zero beyond the image's border.
    hole : numpy.ndarray, (h,w) float32
        0 = to be filled in and scored.
    visible : numpy.ndarray, (h,w) float32
        1 = given to the network: neither in the hole nor beyond the image's border.
    top, left : int
        Row and column of the image at which the scene begins; negative beyond its border.
    """

    pixels: np.ndarray
    hole: np.ndarray
    visible: np.ndarray
    top: int = 0
    left: int = 0

    def paste(self, values: np.ndarray, image: np.ndarray) -> None:
        """Put values (h,w,...) of the scene where they belong in an image (H,W,...)."""
        top, left = max(self.top, 0), max(self.left, 0)
        target = image[
            top : self.top + values.shape[0],
            left : self.left + values.shape[1],
        ]  # slicing ends at the image's border by itself
        rows, columns = target.shape[:2]
        target[:] = values[
            top - self.top : top - self.top + rows, left - self.left : left - self.left + columns
        ]


class Holes:
    """Which pixels are missing, and what surrounds them.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.

    Raises
    ------
    InputError
        If arguments are out of range or contradict each other.
    """

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.own = None
        self.sites = args.sites is not None
        if self.sites and (args.mask or args.mask_center):
            raise InputError("--sites says where holes are; leave --mask and --mask_center away")
        if args.mask:
            if args.mask_size or args.mask_center or args.mask_shape != "square":
                raise InputError("--mask gives the whole hole; leave the other --mask_* away")
            self.own = load_mask(args.mask)
            if self.shared:
                check_mask(self.own, self.own.shape, args.mask)
        per_degree = args.pixels_per_degree
        if per_degree is not None and not 0 < per_degree < math.inf:
            raise InputError(f"--pixels_per_degree {per_degree}: a number above 0 is right")
        if args.units == "deg" and per_degree is None:
            raise InputError("--units deg needs --pixels_per_degree")
        given = args.mask_size or []
        if len(given) > 1 and not self.sites:
            raise InputError(f"--mask_size: one size is right without --sites, not {len(given)}")
        self.sizes = [self.pixels(size, "--mask_size") for size in given] or [DEFAULT_HOLE]
        self.context = self._context()

    def pixels(self, size: float, name: str) -> int:
        """A size in the units of the command line, in whole px.

        Raises
        ------
        InputError
            If it is no number above 0, or in px and not whole; `name` says which one it is.
        """
        if not 0 < size < math.inf:
            raise InputError(f"{name} {size:g}: a number above 0 is right")
        if self.args.units == "deg":
            size = max(1, whole_pixel(size * self.args.pixels_per_degree))
        if size != int(size):
            raise InputError(f"{name} {size:g}: whole pixels are right")
        return int(size)

    def _context(self) -> int | None:
        given = self.args.context
        if given is None:
            return DEFAULT_CONTEXT if self.sites else None
        if given == "full":
            return None
        try:
            side = int(given)
        except ValueError:
            raise InputError(f"--context {given}: whole pixels, or full, is right") from None
        if side < MIN_SIDE:
            raise InputError(f"--context {side}: at least {MIN_SIDE} px are needed")
        return side

    @property
    def shared(self) -> bool:
        """Whether all images of one size have the same mask."""
        return not isinstance(self.own, MaskStack)

    def check_count(self, count: int) -> None:
        """Raise InputError for a stack of masks of another length than the number of images."""
        if not self.shared and len(self.own) != count:
            raise InputError(
                f"{self.args.mask}: holds {len(self.own)} masks for {count} image(s); "
                "one mask, or one for each, is right"
            )

    def scene_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h,w) of the scene that an image of this size gives."""
        return size if self.context is None else (self.context, self.context)

    def check(self, size: tuple[int, int], position: int, place: Place | None = None) -> None:
        """Raise InputError if the hole cannot be used for the image of this size and position."""
        if self.own is not None:
            mask = self._own(position, size)
            self._own_center(mask)
        else:
            hole_box(size, self._size(place), self._center(place))
            self._check_fits(self._size(place))

    def scene(self, pixels: np.ndarray, position: int, place: Place | None = None) -> Scene:
        """What the network is given of an image, and what it is scored on.

        Parameters
        ----------
        pixels : numpy.ndarray, (H,W,3)
            The whole image.
        position : int
            Among the images, for a stack of masks with one for each.
        place : Place, optional
            The hole, where the job has one of its own.

        Returns
        -------
        Scene

        Raises
        ------
        InputError
            If the hole does not fit into the image or the context, or leaves nothing visible.
        """
        size = pixels.shape[:2]
        if self.own is not None:
            mask = self._own(position, size)
            if self.context is None:
                return Scene(pixels, mask, mask)
            x, y = self._own_center(mask)
            hole, inside = surroundings(mask[..., None], (x, y), self.context)
            hole = np.where(inside == 0, np.float32(1), hole[..., 0])
        else:
            hole_px, center = self._size(place), self._center(place)
            top, left, *_ = hole_box(size, hole_px, center)
            self._check_fits(hole_px)
            x, y = left + hole_px // 2, top + hole_px // 2
            shape = self.args.mask_shape
            if self.context is None:
                hole = hole_mask(size, hole_px, shape, center)
                check_mask(hole, size, "the hole")
                return Scene(pixels, hole, hole)
            middle = (self.context // 2, self.context // 2)
            hole = hole_mask((self.context, self.context), hole_px, shape, middle)
        crop, inside = surroundings(pixels, (x, y), self.context)
        visible = hole * inside
        check_mask(visible, visible.shape, "the hole")
        return Scene(crop, hole, visible, y - self.context // 2, x - self.context // 2)

    def _own(self, position: int, size: tuple[int, int]) -> np.ndarray:
        if self.shared:
            check_mask(self.own, size, f"mask {self.args.mask}")
            return self.own
        mask = self.own[position]
        check_mask(mask, size, self.own.name(position))
        return mask

    def _own_center(self, mask: np.ndarray) -> tuple[int, int]:
        """Centre (x,y) of the box around all missing pixels, checked to fit into the context."""
        rows, columns = (np.flatnonzero((mask == 0).any(axis=axis)) for axis in (1, 0))
        height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
        self._check_fits(max(height, width))
        return int(columns[0] + width // 2), int(rows[0] + height // 2)

    def _check_fits(self, hole: int) -> None:
        if self.context is not None and hole > self.context:
            raise InputError(
                f"a hole of {hole} px does not fit into --context {self.context}; "
                "give a larger one, or full"
            )

    def _size(self, place: Place | None) -> int:
        return place.size if place else self.sizes[0]

    def _center(self, place: Place | None) -> tuple[int, int] | None:
        if place:
            return place.x, place.y
        return tuple(self.args.mask_center) if self.args.mask_center else None

    def __str__(self) -> str:
        args = self.args
        if args.mask:
            return f"mask {args.mask} (sha256 {sha256(args.mask)})"
        if self.sites:
            sizes = ", ".join(str(size) for size in self.sizes)
            what = f"{args.mask_shape} of {sizes} px, where there is no column size,"
            scale = f", {args.pixels_per_degree:g} px per degree" if args.pixels_per_degree else ""
            return f"{what} at the sites of {args.sites} (sha256 {sha256(args.sites)}){scale}"
        where = "centred" if args.mask_center is None else "at ({}, {})".format(*args.mask_center)
        return f"{self.form}, {where}"

    @property
    def form(self) -> str:
        """Shape and size of the hole, in words."""
        size, per_degree = self.sizes[0], self.args.pixels_per_degree
        degrees = f" ({size / per_degree:g} deg)" if per_degree else ""
        return f"{self.args.mask_shape} of {size} px{degrees}"

    @property
    def around(self) -> str:
        """The context, in words."""
        if self.context is None:
            return "full image"
        return (
            f"crop of {self.context}x{self.context} px around the hole's centre; "
            "beyond the image's border is missing"
        )
