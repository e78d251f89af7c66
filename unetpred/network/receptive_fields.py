"""What the units of every layer look at: sizes, strides and receptive fields, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

from unetpred.network.model import DECODER, ENCODER, Config, layer_names
from unetpred.network.padding import margins


@dataclass(frozen=True)
class LayerInfo:
    """A layer of the network for images of one size.

    Attributes
    ----------
    name : str
        As in the network.
    shape : (h, w, c)
        Of its activations for one image: rows, columns, channels. The grid covers the image and
        what it is padded with to a multiple of 32 px (16 for "released"), see
        `unetpred.build_unetpred`.
    stride : int
        Pixels of the image from one unit to the next.
    receptive_field : int
        Side of the square of the image that a unit depends on, px. In the decoder it depends on
        the unit's place; the largest is given.
    first : (y, x)
        Row and column, px, at which the first unit is centred; unit (i, j) is at
        ``(y + i * stride, x + j * stride)``. Negative where the image is padded.
    """

    name: str
    shape: tuple[int, int, int]
    stride: int
    receptive_field: int
    first: tuple[float, float]


def list_layers(config: Config, size: tuple[int, int] = (224, 224)) -> list[LayerInfo]:
    """Describe all layers, from input to output.

    Parameters
    ----------
    config : Config
        Of the network.
    size : (height, width)
        Of the images, px.

    Returns
    -------
    list of LayerInfo

    Examples
    --------
    >>> list_layers(Config())[1]
    LayerInfo(name='vblock1_conv_2', shape=(224, 224, 64), stride=1, receptive_field=5, first=(0.0, 0.0))
    """  # noqa: E501
    padding = [margins(side, config.multiple) for side in size]  # before and after
    known = []
    for name in layer_names(config.variant):
        filters, level = _place(name)
        stride = 2**level
        grid = [(side + sum(extra)) // stride for side, extra in zip(size, padding, strict=True)]
        channels = 3 if filters is None else config.filters(filters)
        first = tuple((stride - 1) / 2 - before for before, _ in padding)
        known.append(
            LayerInfo(name, (*grid, channels), stride, receptive_field(name, config), first)
        )
    return known


def receptive_field(name: str, config: Config) -> int:
    """Side of the square of the image that a unit depends on, px; the largest of all units."""
    _, level = _place(name)
    # nearest-neighbour upsampling makes units differ, with the period of the coarsest grid
    period = config.multiple // 2**level
    fields = (receptive_span(name, unit, unit, config) for unit in range(period))
    return max(last - first + 1 for first, last in fields)


def receptive_span(name: str, first: int, last: int, config: Config) -> tuple[int, int]:
    """Rows (or columns) of the image that some rows of a layer depend on.

    Followed back from the layer to the image, as if neither had a border: a 3x3 convolution needs
    one unit more on either side, a pooling doubles the range, an upsampling halves it (outwards),
    and a decoder block needs what either of its two inputs needs.

    Parameters
    ----------
    name : str
        Of the layer.
    first, last : int
        The range of its rows, both included.
    config : Config
        Of the network.

    Returns
    -------
    (first, last)
        Of the padded image's rows, both included.
    """
    if name == "block10":
        decoder = receptive_span("vblock10_conv_2", first - 1, last + 1, config)
        return decoder  # wider than the image itself, the layer's other input
    block, convolutions = (int(part) for part in name.removeprefix("vblock").split("_conv_"))
    first, last = first - convolutions, last + convolutions
    if block <= len(ENCODER):
        return _below_encoder_block(block, first, last, config)
    _, level = _place(name)
    source = (first // 2, last // 2)
    if level + 1 < config.levels:
        deeper = receptive_span(f"vblock{block - 1}_conv_2", *source, config)
    else:  # the bottom: the last pooling, or in "released" what follows it
        deeper = _below_encoder_block(6, *source, config)
    # the skip: the encoder block of the same size
    skip = receptive_span(f"vblock{level + 1}_conv_{ENCODER[level][1]}", first, last, config)
    return min(deeper[0], skip[0]), max(deeper[1], skip[1])


def _below_encoder_block(block: int, first: int, last: int, config: Config) -> tuple[int, int]:
    """Rows of the image behind rows of what goes into an encoder block (6: out of the last)."""
    for before in reversed(range(1, block)):
        if before <= config.levels:
            first, last = 2 * first, 2 * last + 1
        count = ENCODER[before - 1][1]
        first, last = first - count, last + count
    return first, last


def _place(name: str) -> tuple[int | None, int]:
    """Filters at width 1 (None for the output) and how often the layer's grid was halved."""
    if name == "block10":
        return None, 0
    block = int(name.removeprefix("vblock").split("_")[0])
    if block <= len(ENCODER):
        return ENCODER[block - 1][0], block - 1
    return {number: filters for filters, number in DECODER}[block], DECODER[-1][1] - block
