"""Scenes: which pixels of an image are missing, and how much around them is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.contexts import Context, surroundings
from unetpred.holes.hole import Hole, check_pixels_per_degree
from unetpred.holes.masks import check_mask, hole_box, hole_mask
from unetpred.holes.own_masks import Masks
from unetpred.holes.sites import Sites


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


@dataclass(frozen=True)
class Scenes:
    """Makes scenes of images: what is missing of each, and what surrounds it.

    Parameters
    ----------
    hole : Hole, optional
        The hole of all images, or at all sites; the published one if not given.
    masks : Masks, optional
        Own masks, instead of a hole.
    sites : Sites, optional
        Where holes are, if they have places of their own.
    context : Context
        What surrounds the hole.
    pixels_per_degree : float, optional
        Of visual angle.

    Raises
    ------
    InputError
        If they contradict each other.
    """

    hole: Hole | None = None
    masks: Masks | None = None
    sites: Sites | None = None
    context: Context = field(default_factory=Context)
    pixels_per_degree: float | None = None

    def __post_init__(self) -> None:
        if self.sites and (self.masks or (self.hole and self.hole.center)):
            raise InputError("`sites` says where holes are; leave `mask` and `center` away")
        if self.masks and self.hole:
            raise InputError("`mask` gives the whole hole; leave `size`, `shape` and `center` away")
        check_pixels_per_degree(self.pixels_per_degree)
        if self.sites and self.sites.units == "deg" and self.pixels_per_degree is None:
            raise InputError("`units` deg needs `pixels_per_degree`")
        count = len(self._hole.sizes)
        if count > 1 and not self.sites:
            raise InputError(f"`size`: one size is right without `sites`, not {count}")

    @cached_property
    def _hole(self) -> Hole:
        """The hole in px."""
        return (self.hole or Hole()).in_pixels(self.pixels_per_degree)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the hole, px."""
        return tuple(int(size) for size in self._hole.sizes)

    @property
    def shape(self) -> Literal["square", "disc"]:
        """Of the hole, "square" or "disc"."""
        return self._hole.shape

    def check_count(self, count: int) -> None:
        """Raise InputError for a stack of masks of another length than the number of images."""
        if self.masks:
            self.masks.check_count(count)

    def scene_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h,w) of the scene that an image of this size gives."""
        side = self.context.side
        return size if side is None else (side, side)

    def check(
        self, size: tuple[int, int], position: int, place: Place | None = None, path: str = ""
    ) -> None:
        """Raise InputError if the hole cannot be used for an image; all as for `scene`."""
        if self.masks is not None:
            self._own_center(self.masks.of(path, position, size))
        else:
            hole_box(size, self._size(place), self._center(place))
            self._check_fits(self._size(place))

    def scene(
        self, image: np.ndarray, position: int, place: Place | None = None, path: str = ""
    ) -> Scene:
        """What the network is given of an image, and what it is scored on.

        Parameters
        ----------
        image : numpy.ndarray, (H,W,3)
            The whole image.
        position : int
            Among the images, for a stack of masks with one for each.
        place : Place, optional
            The hole, where the job has one of its own.
        path : str
            Of the image, for a folder of masks.

        Returns
        -------
        Scene

        Raises
        ------
        InputError
            If the hole does not fit into the image or the context, or leaves nothing visible.
        """
        size, side = image.shape[:2], self.context.side
        if self.masks is not None:
            mask = self.masks.of(path, position, size)
            if side is None:
                return Scene(image, mask, mask)
            x, y = self._own_center(mask)
            hole, inside = surroundings(mask[..., None], (x, y), side)
            hole = np.where(inside == 0, np.float32(1), hole[..., 0])
        else:
            hole_px, center = self._size(place), self._center(place)
            top, left, *_ = hole_box(size, hole_px, center)
            self._check_fits(hole_px)
            x, y = left + hole_px // 2, top + hole_px // 2
            shape = self._hole.shape
            if side is None:
                hole = hole_mask(size, hole_px, shape, center)
                check_mask(hole, size, "the hole")
                return Scene(image, hole, hole)
            hole = hole_mask((side, side), hole_px, shape, (side // 2, side // 2))
        crop, inside = surroundings(image, (x, y), side)
        visible = hole * inside
        check_mask(visible, visible.shape, "the hole")
        return Scene(crop, hole, visible, y - side // 2, x - side // 2)

    @property
    def together(self) -> bool:
        """Whether there may be many holes in one picture, all of which surrounds each of them."""
        return self.sites is not None and self.context.side is None

    def patch(self, image: np.ndarray, place: Place) -> Scene:
        """The hole of a place alone, without what surrounds it.

        Parameters
        ----------
        image : numpy.ndarray, (H,W,3)
            The whole image.
        place : Place
            Where the hole fits into it, see `check`.
        """
        side = place.size
        top, left, bottom, right = hole_box(image.shape[:2], side, (place.x, place.y))
        hole = hole_mask((side, side), side, self.shape, (side // 2, side // 2))
        return Scene(image[top:bottom, left:right], hole, hole, top, left)

    def _own_center(self, mask: np.ndarray) -> tuple[int, int]:
        """Centre (x,y) of the box around all missing pixels, checked to fit into the context."""
        rows, columns = (np.flatnonzero((mask == 0).any(axis=axis)) for axis in (1, 0))
        height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
        self._check_fits(max(height, width))
        return int(columns[0] + width // 2), int(rows[0] + height // 2)

    def _check_fits(self, hole: int) -> None:
        side = self.context.side
        if side is not None and hole > side:
            raise InputError(
                f"a hole of {hole} px does not fit into `context` {side}; give a larger one, or "
                "full"
            )

    def _size(self, place: Place | None) -> int:
        return place.size if place else self.sizes[0]

    def _center(self, place: Place | None) -> tuple[int, int] | None:
        return (place.x, place.y) if place else self._hole.center

    def __str__(self) -> str:
        if self.masks:
            return str(self.masks)
        if self.sites:
            per_degree = self.pixels_per_degree
            scale = f", {per_degree:g} px per degree" if per_degree else ""
            return f"{self._hole.form()}, where there is no column size, at {self.sites}{scale}"
        return f"{self.form}, {self._hole.where}"

    @property
    def shared(self) -> str:
        """What all holes have in common, in words; see `own`."""
        if self.masks:
            return self.masks.shared
        return f"a {self.shape} at each site" if self.sites else str(self)

    def own(self, path: str, position: int) -> str:
        """What tells the hole of an image from what it was before; empty where `shared` does.

        Parameters
        ----------
        path, position
            As for `scene`. What a site has of its own is its place.
        """
        return self.masks.own(path, position) if self.masks else ""

    @property
    def form(self) -> str:
        """Shape and size of the hole, in words."""
        return self._hole.form(self.pixels_per_degree)


class Uncovered:
    """In place of `Scenes`, where nothing is hidden."""

    def check(
        self, size: tuple[int, int], position: int, place: Place | None = None, path: str = ""
    ) -> None:
        """Nothing can fail to fit."""

    def check_count(self, count: int) -> None:
        """Any number of images is right."""

    def scene_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The whole image."""
        return size

    def scene(
        self, image: np.ndarray, position: int, place: Place | None = None, path: str = ""
    ) -> Scene:
        """The whole image, all of it visible."""
        ones = np.ones(image.shape[:2], "float32")
        return Scene(image, ones, ones)

    def __str__(self) -> str:
        return "none, everything is visible"


@dataclass(frozen=True)
class Covered(Uncovered):
    """In place of `Scenes`, where masks may hide anything, or nothing; for what is not scored.

    Parameters
    ----------
    masks : Masks, or what has its `of` and `one_for_all`
        Of the images.
    """

    masks: Any

    def scene(
        self, image: np.ndarray, position: int, place: Place | None = None, path: str = ""
    ) -> Scene:
        """The whole image, and what of it is visible."""
        mask = self.masks.of(path, position, image.shape[:2])
        return Scene(image, mask, mask)
