"""Parts of the output, and what the decoder must compute for them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import NamedTuple


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

    def whole(self) -> Window:
        """The window that is the whole grid."""
        return Window(0, 0, self.height, self.width, self.height, self.width)

    def cut(self, x, have: Window):
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

    source: Window | None  # of the features below, before upsampling
    first: Window | None  # of the first convolution's output
    second: Window | None  # of the second convolution's output


NO_NEED = Need(None, None, None)


def needed(window: Window, levels: int) -> list[Need]:
    """What the decoder blocks must compute for a window, the one at full size first."""
    needs, second = [], window.grown()
    for _ in range(levels):
        first = second.grown()
        source = first.grown().halved()
        needs.append(Need(source, first, second))
        second = source
    return needs
