"""Parts of the output, and what the decoder must compute for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

from unetpred.network.architecture import Tensor


@dataclass(frozen=True)
class Window:
    """Rows top..bottom-1 and columns left..right-1 of a grid of height x width positions."""

    top: int
    left: int
    bottom: int
    right: int
    height: int
    width: int

    def grown(self, margin: int = 1) -> Window:
        """What a "same" convolution of 2*margin+1 taps needs to give this window."""
        return Window(
            max(self.top - margin, 0),
            max(self.left - margin, 0),
            min(self.bottom + margin, self.height),
            min(self.right + margin, self.width),
            self.height,
            self.width,
        )

    def halved(self) -> Window:
        """The part of the grid one level down whose upsampling covers this window."""
        return Window(
            self.top // 2,
            self.left // 2,
            -(-self.bottom // 2),
            -(-self.right // 2),
            self.height // 2,
            self.width // 2,
        )

    def doubled(self) -> Window:
        """This window after upsampling by two."""
        return Window(*(2 * value for value in astuple(self)))

    def joined(self, other: Window) -> Window:
        """The smallest window of the same grid that holds both."""
        return Window(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
            self.height,
            self.width,
        )

    def aligned(self, multiple: int) -> Window:
        """This window grown until its borders lie at multiples of a number, as the grid's do."""
        return Window(
            self.top // multiple * multiple,
            self.left // multiple * multiple,
            -(-self.bottom // multiple) * multiple,
            -(-self.right // multiple) * multiple,
            self.height,
            self.width,
        )

    def within(self, region: Window) -> Window:
        """The same positions, counted in the grid that a region cut out of this one makes."""
        return Window(
            self.top - region.top,
            self.left - region.left,
            self.bottom - region.top,
            self.right - region.left,
            region.bottom - region.top,
            region.right - region.left,
        )

    @property
    def area(self) -> int:
        """Number of positions."""
        return (self.bottom - self.top) * (self.right - self.left)

    def whole(self) -> Window:
        """The window that is the whole grid."""
        return Window(0, 0, self.height, self.width, self.height, self.width)

    def cut(self, x: Tensor, have: Window) -> Tensor:
        """This window out of an array (N,h,w,C) that covers the window `have`."""
        if self == have:
            return x
        return x[
            :,
            self.top - have.top : self.bottom - have.top,
            self.left - have.left : self.right - have.left,
            :,
        ]

    def rim(self) -> tuple[tuple[int, int], ...]:
        """How many positions a 3x3 window centred in this one reaches beyond the grid."""
        return (
            (0, 0),
            (int(self.top == 0), int(self.bottom == self.height)),
            (int(self.left == 0), int(self.right == self.width)),
            (0, 0),
        )


class Need(NamedTuple):
    """What one decoder block must compute for a window of the output."""

    source: Window  # of the features below, before upsampling
    first: Window  # of the first convolution's output
    second: Window  # of the second convolution's output


def needed(window: Window, levels: int) -> list[Need]:
    """What the decoder blocks must compute for a window, the one at full size first."""
    needs, second = [], window.grown()
    for _ in range(levels):
        first = second.grown()
        source = first.grown().halved()
        needs.append(Need(source, first, second))
        second = source
    return needs


def sources(window: Window, levels: int, convolutions: Sequence[int]) -> Window:
    """The part of the image that a window of the output depends on: its receptive field.

    Parameters
    ----------
    window : Window
        Of the output.
    levels : int
        Number of poolings, one after each of the first blocks of the encoder.
    convolutions : sequence of int
        How many 3x3 convolutions each block of the encoder has.
    """
    needs = needed(window, levels)
    part = needs[-1].source
    for block in reversed(range(len(convolutions))):
        if block < levels:
            part = part.doubled().joined(needs[block].first.grown())  # below the pool, and the skip
        part = part.grown(convolutions[block])
    return part
