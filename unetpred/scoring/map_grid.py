"""The grid of a map: its places, its scores, and the hole that is at each in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL
from unetpred.holes.masks import DEFAULT_HOLE, hole_mask
from unetpred.images.arrays import MIN_SIDE
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    import pandas
    import xarray

PENDING = "not scored yet"
OUTSIDE = "the hole leaves the image"
HIDDEN = "nothing is visible"


@dataclass
class PredictabilityMap:
    """Scores at the places of a grid.

    Attributes
    ----------
    structure : numpy.ndarray, (rows,cols) float64
        Pearson's r in the hole, -1..1; higher = more predictable. NaN where undefined.
    content : numpy.ndarray, (rows,cols) float64, or None if not asked for
        VGG-16 feature distance in the hole, from 0; higher = LESS predictable. NaN where undefined.
    x : numpy.ndarray, (cols,) int
        Columns of the image at which the holes are centred, 0-based.
    y : numpy.ndarray, (rows,) int
        Rows, likewise.
    reason : numpy.ndarray, (rows,cols) str
        Why a score is undefined; empty where all are defined.
    structure_luminance : numpy.ndarray, (rows,cols) float64, or None if not asked for
        Structure of luminance alone, see `unetpred.scoring.luminance`.
    """

    structure: np.ndarray
    content: np.ndarray | None
    x: np.ndarray
    y: np.ndarray
    reason: np.ndarray
    structure_luminance: np.ndarray | None = None

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores that were asked for, by name."""
        return {name: getattr(self, name) for name in OUTPUTS if getattr(self, name) is not None}

    def to_frame(self) -> pandas.DataFrame:
        """The map as a table, one row per place: `x`, `y`, the scores, `reason`."""
        import pandas

        y, x = np.meshgrid(self.y, self.x, indexing="ij")
        reason = self.reason.ravel().astype(str)
        return pandas.DataFrame(
            {
                "x": x.ravel(),
                "y": y.ravel(),
                **{name: values.ravel() for name, values in self.scores.items()},
                "reason": reason,
            }
        )

    def to_xarray(self) -> xarray.Dataset:
        """The map with named axes: `structure` (y,x), and `content` and `reason` likewise.

        Raises
        ------
        InputError
            If xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise InputError("to_xarray needs xarray (pip install xarray)") from None

        about = {
            "structure": "Pearson's r in the hole, -1..1; higher = more predictable",
            "structure_luminance": "Pearson's r of luminance in the hole, -1..1; higher = more "
            "predictable",
            "content": "VGG-16 feature distance in the hole, from 0; higher = LESS predictable",
        }
        fields: dict[str, np.ndarray] = {**self.scores, "reason": self.reason.astype(str)}
        variables = {
            name: (("y", "x"), values, {"long_name": about[name]} if name in about else {})
            for name, values in fields.items()
        }
        places = {
            "x": ("x", self.x, {"long_name": "column of the image", "units": "px"}),
            "y": ("y", self.y, {"long_name": "row of the image", "units": "px"}),
        }
        return xarray.Dataset(variables, coords=places)


def blank_map(
    size_hw: tuple[int, int],
    stride: int,
    mask_size: int = DEFAULT_HOLE,
    content: bool = False,
    luminance: bool = False,
) -> PredictabilityMap:
    """A map in which all that is known is where the hole leaves the image.

    `content` and `luminance` say whether content and structure of luminance are wanted too.

    Raises
    ------
    InputError
        If the stride is none, or the hole fits at no place.
    """
    if stride != int(stride) or stride < 1:
        raise InputError(f"stride {stride}: a whole number of pixels, at least 1, is right")
    height, width = size_hw
    x, y = np.arange(0, width, int(stride)), np.arange(0, height, int(stride))
    before, after = mask_size // 2, mask_size - mask_size // 2
    fits = [(p >= before) & (p + after <= side) for p, side in ((y, height), (x, width))]
    inside = fits[0][:, None] & fits[1]
    if not inside.any():
        raise InputError(
            f"a hole of {mask_size} px leaves the image of {width}x{height} px (width x height) at "
            f"every place of a grid of {stride} px; a smaller hole or stride is needed"
        )
    empty = np.full(inside.shape, np.nan)
    reason = np.where(inside, PENDING, OUTSIDE).astype(object)
    more = (empty.copy() if wanted else None for wanted in (content, luminance))
    return PredictabilityMap(empty, next(more), x, y, reason, next(more))


def hole_pattern(
    mask_size: int,
    mask_shape: Literal["square", "disc"] = "square",
    context: int | str = DEFAULT_CONTEXT,
) -> np.ndarray:
    """The hole in its bounding box, (S,S) float32, 1 = visible, 0 = missing.

    Raises
    ------
    InputError
        If it leaves nothing of the context visible, or the context is none.
    """
    if context != FULL:
        if context != int(context) or context < MIN_SIDE:
            raise InputError(
                f"context {context}: a whole number of pixels, at least {MIN_SIDE}, is right"
            )
        if mask_size >= context:
            raise InputError(
                f"a hole of {mask_size} px leaves nothing visible of a context of {context} px"
            )
    center = mask_size // 2, mask_size // 2
    return hole_mask((mask_size, mask_size), mask_size, mask_shape, center)
