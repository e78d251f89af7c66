"""How far a hole reaches: the features that it changes, and which of them its filling needs.

A hole changes the encoder's features near it alone, and of these only some decide what it is filled
with. Both grow by a position with every convolution and are halved by every pooling. Rows and
columns are alike, so everything here is in one dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from unetpred.network.architecture import DECODER, ENCODER, Config
from unetpred.network.windows import Window, needed

Span: TypeAlias = tuple[int, int]  # half-open
Ints: TypeAlias = npt.NDArray[np.integer]

#: Blocks of the encoder whose inner features are kept for the whole image. In the blocks before
#: them it takes less to compute a few more positions than to keep so many features.
KEPT_WITHIN = (3, 4, 5)


class Extent(NamedTuple):
    """What is computed of a layer for a hole, by where it begins in the poolings' grid."""

    level: int  # how often the layer's grid was halved
    spans: Ints  # (multiple,2): for a hole that begins at row 0, 1, ...

    @property
    def size(self) -> int:
        """Positions that are computed wherever the hole is, at least those of its span."""
        return int((self.spans[:, 1] - self.spans[:, 0]).max())


class Link(NamedTuple):
    """How the input of a convolution is found."""

    kind: Literal["patch", "inside", "up", "skip"]
    target: str  # the convolution
    source: str = ""  # the layer whose window has it


@dataclass(frozen=True)
class Reach:
    """The windows that are computed for a hole; their sizes are the same wherever it is.

    Parameters
    ----------
    side : int
        Of the hole's bounding box, px.
    config : Config
        Of the network.
    """

    side: int
    config: Config

    @cached_property
    def extents(self) -> dict[str, Extent]:
        """By name of the layer; "pool1" is what is pooled of block 1."""
        rows = [_spans(row, self.side, self.config) for row in range(self.config.multiple)]
        return {
            name: Extent(level, np.array([spans[name][1] for spans in rows]))
            for name, (level, _) in rows[0].items()
        }

    @cached_property
    def links(self) -> list[Link]:
        """In the order of the convolutions."""
        links, last = [], "image"
        for block, (_, count) in enumerate(ENCODER, start=1):
            for i in range(1, count + 1):
                name = f"vblock{block}_conv_{i}"
                if block > 1 and (i == 1 or block in KEPT_WITHIN):
                    links.append(Link("patch", name, last))
                elif i > 1:
                    links.append(Link("inside", name))
                last = name
            last = f"pool{block}" if block <= self.config.levels else last
        for level, block in _decoder(self.config):
            name = f"vblock{block}_conv_1"
            links.append(Link("up", name, last))
            links.append(Link("skip", name, f"vblock{level + 1}_conv_{ENCODER[level][1]}"))
            last = f"vblock{block}_conv_2"
            links.append(Link("inside", last))
        return [*links, Link("inside", "block10")]

    @cached_property
    def patched(self) -> list[str]:
        """The convolutions that see features of the whole image, but for a patch."""
        return [link.target for link in self.links if link.kind == "patch"]

    @cached_property
    def slots(self) -> dict[Link, slice]:
        """Which columns of `indices` are whose."""
        sizes = [self.extents[link.target].size + 2 for link in self.links]
        ends = np.cumsum([0, *sizes]).tolist()
        return {link: slice(ends[i], ends[i + 1]) for i, link in enumerate(self.links)}

    def inputs(self, name: str, firsts: Ints, length: int) -> Ints:
        """The positions (N,n) that go into a convolution; -1 beyond the grid's border.

        Parameters
        ----------
        name : str
            Of the convolution.
        firsts : numpy.ndarray, (N,) int
            Rows (or columns) of the padded image at which the holes begin.
        length : int
            Rows (or columns) of the padded image.
        """
        at = self.first(name, firsts)[:, None] + np.arange(-1, self.extents[name].size + 1)
        return np.where((at >= 0) & (at < length >> self.extents[name].level), at, -1)

    def indices(self, firsts: Ints, length: int) -> Ints:
        """Where the inputs of the convolutions are in the windows that were computed before.

        Parameters
        ----------
        firsts, length
            As for `inputs`.

        Returns
        -------
        numpy.ndarray, (N,n) int32
            By `slots`; -1 for what is beyond the grid's border, and in a "patch" for what the hole
            does not change, or what does not matter.
        """
        parts = []
        for kind, target, source in self.links:
            at = self.inputs(target, firsts, length)
            if source:
                extent, (begin, end) = self.extents[source], self.span(source, firsts)[..., None]
                found = (at >> 1 if kind == "up" else at) - begin
                known = (found >= 0) & (found < end - begin) if kind == "patch" else True
                # what a window has beyond its span is never needed, whatever it is
                at = np.where((at >= 0) & known, np.clip(found, 0, extent.size - 1), -1)
            parts.append(at)
        return np.concatenate(parts, axis=1).astype("int32")

    def first(self, name: str, firsts: Ints) -> Ints:
        """The first position (N,) that is computed of a layer; all as for `inputs`."""
        begin, _ = self.span(name, firsts)
        return np.asarray(begin)

    def span(self, name: str, firsts: Ints) -> Ints:
        """First position and the one after the last, (2,N), of what is computed of a layer."""
        extent, multiple = self.extents[name], self.config.multiple
        cells = firsts // multiple * multiple >> extent.level
        ends: Ints = np.transpose(extent.spans[firsts % multiple] + cells[:, None])
        return ends

    def multiply_adds(self) -> int:
        """Of the encoder's convolutions for one hole."""
        counts = layer_work(self.config)
        return sum(counts[name] * self.extents[name].size ** 2 for name in counts)


def layer_work(config: Config) -> dict[str, int]:
    """Multiply-adds of the encoder's convolutions for one position, by name."""
    work, channels = {}, 3
    for block, (full, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            work[f"vblock{block}_conv_{i}"] = 9 * channels * config.filters(full)
            channels = config.filters(full)
    return work


def _decoder(config: Config) -> list[tuple[int, int]]:
    """Level and number of the decoder's blocks, in their order."""
    blocks = [block for _, block in DECODER[-config.levels :]]
    return list(zip(reversed(range(config.levels)), blocks, strict=True))


def _spans(row: int, side: int, config: Config) -> dict[str, tuple[int, Span]]:
    """Level and span of what is computed of each layer, for a hole that begins at a row."""
    levels, far = config.levels, 64 * (side // 16 + 8) * config.multiple
    needs = needed(Window(far + row, 0, far + row + side, 1, 2 * far, 2 * far), levels)
    result: dict[str, tuple[int, Span]] = {}

    def keep(name: str, level: int, span: Span) -> None:
        result[name] = level, (span[0] - (far >> level), span[1] - (far >> level))

    keep("block10", 0, (far + row, far + row + side))
    for level, block in _decoder(config):
        first, second = needs[level].first, needs[level].second
        keep(f"vblock{block}_conv_1", level, (first.top, first.bottom))
        keep(f"vblock{block}_conv_2", level, (second.top, second.bottom))

    changed = _changed(far + row, side, config)
    wanted = needs[-1].source.top, needs[-1].source.bottom  # of what is below
    for level in reversed(range(len(ENCODER))):
        block, count = level + 1, ENCODER[level][1]
        span = wanted
        if level < levels:
            skip = needs[level].first.grown()
            span = min(skip.top, 2 * wanted[0]), max(skip.bottom, 2 * wanted[1])
            span = span[0] // 2 * 2, -(-span[1] // 2) * 2  # as the pooling's grid
            keep(f"pool{block}", level + 1, (span[0] // 2, span[1] // 2))
        for i in range(count, 0, -1):
            keep(f"vblock{block}_conv_{i}", level, span)
            span = span[0] - 1, span[1] + 1
            if i == 1 or block in KEPT_WITHIN:
                hole = changed[block, i - 1]
                span = max(span[0], hole[0]), min(span[1], hole[1])
        wanted = span
    return result


def _changed(first: int, side: int, config: Config) -> dict[tuple[int, int], Span]:
    """What a hole changes, by block and convolution; 0 is what goes into the block."""
    changed, (start, end) = {}, (first, first + side)
    for block, (_, count) in enumerate(ENCODER, start=1):
        changed[block, 0] = start, end
        for i in range(1, count + 1):
            start, end = start - 1, end + 1
            changed[block, i] = start, end
        if block <= config.levels:
            start, end = start // 2, -(-end // 2)
    return changed
