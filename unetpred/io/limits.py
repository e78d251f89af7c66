"""How large an image may be: what a file says of itself is checked before memory is taken for it.

A few bytes can claim any size. So the number of pixels has a limit, and what is large has to be
backed by bytes that are there. Whoever sets the limit knows the files, and only it holds then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unetpred.errors import InputError

MAX_PIXELS = 89_478_485
"""Pixels of an image, unless told otherwise: Pillow's limit, a quarter of a gigabyte as RGB."""

FREE_PIXELS = 24_000_000
"""Up to here a file may be compressed as much as it likes: a drawing, or a flat background."""
BYTES_PER_PIXEL = 3  # of 8-bit RGB, decoded
RATIO = 8
"""Bytes that one byte of a larger file may be decoded to: 3 bits of the file for a pixel in RGB."""

FREE_STACK = 1 << 28
STACK_RATIO = 200
"""Likewise of a whole array of images, which is read one by one; above `FREE_STACK` bytes."""
FREE_COUNT = 1 << 17
"""Up to so many images an array may be written in part: each takes memory by being listed."""

_given: int | None = None


def set_max_pixels(count: int | None) -> None:
    """Set the number of pixels that an image may have, in this process.

    Parameters
    ----------
    count : int or None
        Larger images are refused; smaller ones may be compressed by any ratio. None for the
        default.

    Raises
    ------
    InputError
        If it is no number of pixels.
    """
    global _given
    if count is not None and count < 1:
        raise InputError(f"--max_pixels {count}: a number of at least 1 is right")
    _given = count


def max_pixels() -> int | None:
    """Give what `set_max_pixels` was given last."""
    return _given


def check_size(size: Sequence[int], present: int, name: str, pixel_bytes: int = 3) -> None:
    """Refuse an image by what its file says, before it is decoded.

    Parameters
    ----------
    size : (H, W)
        px.
    present : int
        Size of the file, bytes.
    name : str
        What the message calls it.
    pixel_bytes : int
        What a pixel takes as it is decoded.

    Raises
    ------
    InputError
        If it has more pixels than allowed, or than so few bytes hold of a photograph.
    """
    height, width = size
    if min(height, width) < 1:
        raise InputError(f"{name}: says that it is {width}x{height} px; it is damaged")
    pixels = height * width
    limit = _given or MAX_PIXELS
    if pixels > limit:
        raise InputError(
            f"{name}: is {width}x{height} px by its header, more than {limit} pixels; "
            f"--max_pixels {pixels} lets it be read"
        )
    decoded = pixels * max(pixel_bytes, BYTES_PER_PIXEL)
    if _given is None and decoded > max(FREE_PIXELS * BYTES_PER_PIXEL, RATIO * present):
        raise InputError(
            f"{name}: is {width}x{height} px by its header, but its file has {present} bytes only; "
            f"--max_pixels {pixels} lets it be read"
        )


def check_stack(
    shape: Sequence[int], itemsize: int, present: int, name: str, ratio: int = STACK_RATIO
) -> None:
    """Refuse an array by what its file says, before anything of it is read.

    Parameters
    ----------
    shape : sequence of int
        Of the array.
    itemsize : int
        Bytes of a value.
    present : int
        Size of the file, bytes.
    name : str
        What the message calls it.
    ratio : int
        Bytes of the array for each of the file; `RATIO` for what is unpacked at once.

    Raises
    ------
    InputError
        If so few bytes hold no such array.
    """
    declared = math.prod(shape) * itemsize
    if _given is None and declared > max(FREE_STACK, ratio * present):
        raise InputError(
            f"{name}: has shape {tuple(shape)} by its header, {declared} bytes, but its file has "
            f"{present} only; --max_pixels {MAX_PIXELS} lets it be read"
        )
