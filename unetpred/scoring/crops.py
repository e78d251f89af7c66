"""Cutting out what the network must see to fill holes at many places of one image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unetpred.holes.contexts import surroundings
from unetpred.holes.masks import Box, hole_box

if TYPE_CHECKING:
    import keras

FEW = 32  # places for which it is not worthwhile to build one more network


@dataclass
class Cut:
    """What the network sees of the image for one place."""

    pixels: np.ndarray  # (h,w,3)
    mask: np.ndarray  # (h,w)
    corner: tuple[int, int]  # top, left of the hole in the window of the output


@dataclass
class Part:
    """Places that are scored by one network, from pictures of one size."""

    places: list[tuple[int, int]]  # x, y
    size: tuple[int, int]
    box: Box  # the window of the output that holds all of the holes
    cut: Callable[[int, int], Cut]
    same_mask: bool


def crops(
    image: np.ndarray, hole: np.ndarray, places: Sequence[tuple[int, int]], side: int
) -> Iterator[Part]:
    """Crops with the hole in their middle."""
    size = side, side
    box = hole_box(size, len(hole))
    visible = np.ones(size, "float32")
    visible[box[0] : box[2], box[1] : box[3]] = hole

    def cut(x: int, y: int) -> Cut:
        crop, inside = surroundings(image, (x, y), side)
        return Cut(crop, visible * inside, (0, 0))

    def within(x: int, y: int) -> bool:
        height, width = image.shape[:2]
        return 0 <= x - side // 2 <= width - side and 0 <= y - side // 2 <= height - side

    # crops that lie in the image have one mask, of which the network need be told only once
    inner = [place for place in places if within(*place)]
    outer = [place for place in places if not within(*place)]
    yield Part(inner, size, box, cut, same_mask=True)
    yield Part(outer, size, box, cut, same_mask=False)


def fields(
    image: np.ndarray,
    hole: np.ndarray,
    places: Sequence[tuple[int, int]],
    network: keras.Model,
    visible: np.ndarray | None = None,
) -> Iterator[Part]:
    """The receptive field of the hole, cut out of the image: what is beyond it changes nothing.

    The cuts begin at multiples of what the network's poolings divide the image by and end at the
    image's own border, where there is one, so that the network sees the very same grid.
    """
    from unetpred.network.model import aligned_field, config_of
    from unetpred.network.padding import margins
    from unetpred.network.windows import Window

    config, count = config_of(network), len(hole)
    rim = [margins(side, config.multiple) for side in image.shape[:2]]
    padded = np.pad(image, (*rim, (0, 0)))  # (Hp,Wp,3)
    inside = np.pad(np.ones(image.shape[:2], "float32") if visible is None else visible, rim)
    whole = inside.shape

    def corner(x: int, y: int) -> tuple[int, int]:
        return y - count // 2 + rim[0][0], x - count // 2 + rim[1][0]

    def field(top: int, left: int, grid: tuple[int, int]) -> Window:
        return aligned_field(Window(top, left, top + count, left + count, *grid), config)

    # the longest that a field can be, wherever the hole is in the poolings' grid
    far = 64 * config.multiple
    samples = [field(far + i, far, (2 * far, 2 * far)) for i in range(config.multiple)]
    longest = max(one.bottom - one.top for one in samples)
    size = min(longest, whole[0]), min(longest, whole[1])

    def begin(top: int, left: int) -> tuple[int, int]:
        one = field(top, left, whole)
        return min(one.top, whole[0] - size[0]), min(one.left, whole[1] - size[1])

    # in most cuts the hole is near their middle, but not where the image's border is near
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    thirds = 3 if len(places) > 9 * FEW else 1
    holes = {}
    for place in places:
        top, left = corner(*place)
        first = begin(top, left)
        holes[place] = first, (top - first[0], left - first[1])
        key = tuple(thirds * at // side for at, side in zip(holes[place][1], size, strict=True))
        groups.setdefault(key, []).append(place)

    for members in groups.values():
        corners = np.array([holes[place][1] for place in members])
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0) + count

        def cut(x: int, y: int, top: int = top, left: int = left) -> Cut:
            (row, column), (down, across) = holes[x, y]
            rows, columns = slice(row, row + size[0]), slice(column, column + size[1])
            mask = inside[rows, columns].copy()
            mask[down : down + count, across : across + count] *= hole
            return Cut(padded[rows, columns], mask, (down - top, across - left))

        box = int(top), int(left), int(bottom), int(right)
        yield Part(members, size, box, cut, same_mask=False)
