"""What the network is made of: blocks, filters, names. Light: it imports no Keras."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # an array of the backend, or a symbolic one of Keras, which has no types
ENCODER = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, convolutions: VGG-16
DECODER = ((512, 6), (512, 7), (256, 8), (128, 9), (64, 10))  # filters, number of the block
SCALE = 64.0  # image values are divided by this inside the training network
VARIANTS = ("paper", "released")


@dataclass(frozen=True)
class Config:
    """What determines the graph; kept beside every weights file.

    Attributes
    ----------
    variant : {"paper", "released"}
        "paper" pools after all five encoder blocks and has five decoder blocks; "released", the
        original's code and weights, pools after four and has four.
    width : float
        Factor on every number of filters but the three of the output.
    """

    variant: str = "paper"
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {VARIANTS}, got {self.variant!r}")
        if not 0 < self.width < math.inf:
            raise ValueError(f"width must be positive and finite, got {self.width!r}")

    @property
    def levels(self) -> int:
        """Number of poolings."""
        return 5 if self.variant == "paper" else 4

    @property
    def multiple(self) -> int:
        """What both sides are padded to a multiple of, inside the network."""
        return 1 << self.levels

    def filters(self, full: int) -> int:
        """Filters of a layer that has `full` of them at width 1."""
        return max(1, round(full * self.width))

    def as_dict(self) -> dict[str, object]:
        """The configuration as plain values."""
        return asdict(self)


def config_with(variant: str, filters: list[int]) -> Config:
    """The configuration of a network whose encoder blocks, from the first, have so many filters."""
    blocks = [(count, full) for count, (full, _) in zip(filters, ENCODER, strict=False)]
    low = max((n - 0.5) / full for n, full in blocks if n > 1 or full == blocks[-1][1])
    high = min((n + 0.5) / full for n, full in blocks)
    # several widths round to the same filters; a plain fraction is likelier than the middle
    for width in (*(n / full for n, full in reversed(blocks)), (low + high) / 2):
        if width > 0 and [Config(variant, width).filters(f) for _, f in blocks] == [*filters]:
            return Config(variant, width)
    return Config(variant, filters[0] / ENCODER[0][0])


def layer_names(variant: str) -> list[str]:
    """The names of all partial convolutions, from input to output."""
    levels = Config(variant).levels
    encoder = [
        f"vblock{b}_conv_{i}" for b, (_, n) in enumerate(ENCODER, 1) for i in range(1, n + 1)
    ]
    decoder = [f"vblock{b}_conv_{i}" for _, b in DECODER[-levels:] for i in (1, 2)]
    return [*encoder, *decoder, "block10"]
