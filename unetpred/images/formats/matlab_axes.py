"""Which axis of a MATLAB variable is what: rows, columns, channels, images."""

from __future__ import annotations

from unetpred.errors import InputError
from unetpred.images.arrays import MIN_SIDE

CHANNELS = (1, 3, 4)
#: What is looked for where the user does not say: images along the last axis or the first.
LAYOUTS = ("HW", "HWC", "HWN", "NHW", "HWCN", "NHWC")


def told_axes(shape: tuple[int, ...], axes: str | None, name: str) -> tuple[str, str]:
    """Tell which axis of a variable is what.

    Parameters
    ----------
    shape : tuple of int
        In MATLAB's order.
    axes : str or None
        What the user says.
    name : str
        What messages call it.

    Returns
    -------
    letters : str
        Of H, W, C and N, one for each axis and, where the user says so, for axes of length 1 that
        MATLAB has dropped from the end.
    said : str
        The same in words.

    Raises
    ------
    InputError
        If `axes` does not fit, or there is no or more than one possibility.
    """
    sizes = "x".join(map(str, shape))
    if axes is not None:
        letters = axes.upper()
        if len(set(letters)) < len(letters) or not {"H", "W"} <= set(letters) <= set("HWCN"):
            raise InputError(
                f"`axes` {axes!r}: H and W are needed, C and N possible, each once, such as HWCN"
            )
        if len(letters) < len(shape):
            raise InputError(f"`axes` {axes!r}: {name} is {sizes}, which is {len(shape)} axes")
        return letters, _in_words(shape, letters)
    ways = [letters for letters in LAYOUTS if _fits(letters, shape)]
    if "HWC" in ways:  # three or four channels: no stack of grey images is so small
        ways = ["HWC"]
    if len(ways) == 2:  # images are more often square than stacks are as long as images are wide
        square = [letters for letters in ways
                  if shape[letters.index("H")] == shape[letters.index("W")]]  # fmt: skip
        ways = square if len(square) == 1 else ways
    if not ways:
        raise InputError(
            f"{name} is {sizes}; images of at least {MIN_SIDE}x{MIN_SIDE} px along its last or "
            "first axis are looked for: HxW, HxWxC, HxWxN, NxHxW, HxWxCxN or NxHxWxC, with C 1, 3 "
            "or 4; if they are others, state them by `axes` (such as CHWN)"
        )
    if len(ways) > 1:
        readings = " or ".join(f"{letters} ({_in_words(shape, letters)})" for letters in ways)
        raise InputError(f"{name} is {sizes}, which can be {readings}; state them by `axes`")
    return ways[0], _in_words(shape, ways[0])


def _fits(letters: str, shape: tuple[int, ...]) -> bool:
    if len(letters) != len(shape):
        return False
    sizes = dict(zip(letters, shape, strict=True))
    return min(sizes["H"], sizes["W"]) >= MIN_SIDE and sizes.get("C", 3) in CHANNELS


def _in_words(shape: tuple[int, ...], letters: str) -> str:
    sizes = dict(zip(letters, (*shape, *[1] * len(letters)), strict=False))
    count = f"{sizes['N']} image(s) of " if "N" in sizes else "one image of "
    channels = f", {sizes['C']} channel(s)" if "C" in sizes else ", grey"
    return f"{count}{sizes['W']}x{sizes['H']} px (width x height){channels}; axes {letters}"
