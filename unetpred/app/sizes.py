"""Sizes of holes on the page's slider, in px or degrees of visual angle."""

from __future__ import annotations

import math
from typing import NamedTuple

from unetpred.app.tuning import LARGEST, SMALLEST
from unetpred.errors import InputError
from unetpred.holes.hole import Hole

FEWEST, MOST = 0.01, 1e6  # px per degree
FINEST = 0.01  # degrees between two sizes, where that is no more than a pixel


class Scale(NamedTuple):
    """The unit of sizes.

    Attributes
    ----------
    units : {"px", "deg"}
    per_degree : float
        px per degree; 1 for px.
    """

    units: str = "px"
    per_degree: float = 1.0

    def ends(self) -> tuple[float, float, float]:
        """The smallest and the largest size, and what is between two."""
        if self.units == "px":
            return SMALLEST, LARGEST, 1
        step = min(FINEST, 10.0 ** math.floor(-math.log10(self.per_degree)))
        least = math.ceil(round(SMALLEST / self.per_degree / step, 6))
        most = math.floor(round(LARGEST / self.per_degree / step, 6))
        return self._whole(least, step), self._whole(most, step), step

    def nearest(self, size: float) -> float:
        """The size on the slider that is nearest to one in this unit."""
        least, most, step = self.ends()
        return min(max(self._whole(round(size / step), step), least), most)

    @staticmethod
    def _whole(count: int, step: float) -> float:
        """So many steps, without what binary fractions add."""
        return round(count * step, max(0, -math.floor(math.log10(step))))


def scale_of(units: str, per_degree: float | None) -> Scale:
    """The unit of sizes that is chosen.

    Raises
    ------
    InputError
        If what a degree is makes no sense.
    """
    if units == "px":
        return Scale()
    if not per_degree or not FEWEST <= per_degree <= MOST:
        raise InputError(f"{per_degree} pixels per degree: {FEWEST:g}..{MOST:g} is right")
    return Scale("deg", float(per_degree))


def hole_side(size: float, units: str, pixels_per_degree: float | None) -> int:
    """The side of a hole in whole px, as the package rounds it."""
    wanted = Hole(float(size), units="deg" if units == "deg" else "px")
    (side,) = wanted.in_pixels(pixels_per_degree or None).sizes
    return int(side)


def rescaled(size: float, before: Scale, after: Scale) -> float:
    """A size on the slider of another scale: the same px, or the same degrees if both have them."""
    if before.units != after.units:
        size = size * before.per_degree / after.per_degree
    return after.nearest(size)
