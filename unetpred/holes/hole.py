"""A hole as a user describes it: size, shape, place."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from unetpred.errors import InputError
from unetpred.holes.masks import DEFAULT_HOLE

SHAPES = ("square", "disc")
UNITS = ("px", "deg")
LARGEST = 1 << 31  # px; beyond it numbers of users overflow


def whole_pixel(value: float) -> int:
    """The nearest whole pixel of a position or a size, px; halves go up.

    One rule for all numbers of users. What lies within 1e-9 px below a half, as 0.7 times 45 does,
    is taken for it.
    """
    return math.floor(round(value, 9) + 0.5)


def check_pixels_per_degree(value: float | None) -> None:
    """Raise InputError unless pixels per degree of visual angle are None or above 0."""
    if value is not None and not _is_positive(value):
        raise InputError(f"`pixels_per_degree` {value}: a number above 0 is right")


def pixels(size: float, units: str, pixels_per_degree: float | None, name: str) -> int:
    """A size in whole px.

    Parameters
    ----------
    size : float
        Side or diameter.
    units : {"px", "deg"}
        Of the size.
    pixels_per_degree : float or None
        Needed for degrees.
    name : str
        What messages call the size.

    Raises
    ------
    InputError
        If it is no number above 0, is too large, or in px and not whole.
    """
    if not _is_positive(size):
        shown = f"{size:g}" if isinstance(size, (int, float)) else repr(size)
        raise InputError(f"{name} {shown}: a number above 0 is right")
    if units == "deg":
        if pixels_per_degree is None:
            raise InputError("`units` deg needs `pixels_per_degree`")
        size = size * pixels_per_degree
        if size <= LARGEST:
            size = max(1, whole_pixel(size))
    if size > LARGEST:
        raise InputError(f"{name} {size:g} px: larger than any image")
    if size != int(size):
        raise InputError(f"{name} {size:g}: whole pixels are right")
    return int(size)


@dataclass(frozen=True)
class Hole:
    """What is hidden of an image: a square or a disc.

    Parameters
    ----------
    size : float, or sequence of float
        Side or diameter. Several are scored one after the other at every site of a table.
    shape : {"square", "disc"}
        A disc is missing where a pixel's centre lies within size/2 of the hole's centre.
    center : (x, y), optional
        Column and row, px, 0-based. The image's own, (W//2, H//2), if not given.
    units : {"px", "deg"}
        Of the size, and of the sizes in a table of sites. Places are always px.

    Raises
    ------
    InputError
        One line that names the number, if it is out of range.

    Examples
    --------
    >>> str(Hole(40, "disc"))
    'disc of 40 px, centred'
    """

    size: float | Sequence[float] = DEFAULT_HOLE
    shape: Literal["square", "disc"] = "square"
    center: tuple[int, int] | None = None
    units: Literal["px", "deg"] = "px"

    def __post_init__(self) -> None:
        if isinstance(self.size, Sequence) and not isinstance(self.size, str):
            object.__setattr__(self, "size", tuple(self.size))  # a list has no hash
        if not self.sizes:
            raise InputError("`size`: is empty; a number above 0 is right")
        if self.units not in UNITS:
            raise InputError(f"`units` {self.units!r}: px or deg is right")
        for size in self.sizes:
            pixels(size, self.units, 1, "`size`")
        if self.shape not in SHAPES:
            raise InputError(f"`shape` {self.shape!r}: square or disc is right")
        if self.center is not None:
            try:
                x, y = (operator.index(value) for value in self.center)
            except (TypeError, ValueError):
                raise InputError(
                    f"`center` {self.center!r}: two whole numbers, column and row in px, are right"
                ) from None
            if max(abs(x), abs(y)) > LARGEST:
                raise InputError("`center`: lies farther out than any image reaches")
            object.__setattr__(self, "center", (x, y))

    @property
    def sizes(self) -> tuple[float, ...]:
        """The sizes, also where there is one."""
        return self.size if isinstance(self.size, tuple) else (self.size,)

    def in_pixels(self, pixels_per_degree: float | None = None) -> Hole:
        """The same hole in whole px.

        Raises
        ------
        InputError
            If its units are degrees and `pixels_per_degree` is not given.
        """
        found = [pixels(size, self.units, pixels_per_degree, "`size`") for size in self.sizes]
        size = tuple(found) if isinstance(self.size, tuple) else found[0]
        return replace(self, size=size, units="px")

    def form(self, pixels_per_degree: float | None = None) -> str:
        """Shape and size in words; with the size in degrees, where pixels per degree are given."""
        sizes = ", ".join(f"{size:g}" for size in self.sizes)
        degrees = ""
        if self.units == "px" and pixels_per_degree and len(self.sizes) == 1:
            degrees = f" ({self.sizes[0] / pixels_per_degree:g} deg)"
        return f"{self.shape} of {sizes} {self.units}{degrees}"

    @property
    def where(self) -> str:
        """Its place, in words."""
        return "centred" if self.center is None else "at ({}, {})".format(*self.center)

    def __str__(self) -> str:
        return f"{self.form()}, {self.where}"


def _is_positive(value: object) -> bool:
    try:
        return bool(0 < value < math.inf)  # type: ignore[operator]
    except (TypeError, ValueError):
        return False
