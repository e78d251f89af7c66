"""Pictures in arrays, and the checks that pictures of every origin share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.images.decoding import drop_alpha
from unetpred.io.limits import check_size
from unetpred.io.reading import reading

logger = logging.getLogger(__name__)

MIN_SIDE = 84
"""Smallest height and width, px, that the network takes."""

ROUNDING = 1e-3  # what float arithmetic may overshoot 0..255 by; clipped


class Warner:
    """Says each thing once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            logger.warning("%s", message)


def check_side(size: tuple[int, int], name: str, smallest: int = MIN_SIDE) -> None:
    """Raise InputError if a side of (H, W), px, is below the smallest one."""
    if min(size) < smallest:
        raise InputError(
            f"{name}: is {size[1]}x{size[0]} px (width x height); "
            f"at least {smallest}x{smallest} is needed"
        )


def check_finite(pixels: np.ndarray, name: str) -> None:
    """Raise InputError if any value is NaN or infinite."""
    if not np.isfinite(pixels).all():
        count = int((~np.isfinite(pixels)).sum())
        raise InputError(f"{name}: has {count} values that are NaN or infinite; remove them")


def rgb255(pixels: np.ndarray) -> np.ndarray:
    """(H,W), (H,W,1) or (H,W,3) -> (H,W,3) float32, within 0..255."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return np.clip(pixels, 0, 255, dtype=np.float32, order="C", casting="unsafe")


def array_layout(shape: tuple[int, ...], name: str) -> tuple[int | None, tuple[int, int]]:
    """Tell a stack of pictures from a single one.

    Parameters
    ----------
    shape : tuple of int
        Of an array as described in `list_sources`.
    name : str
        What messages call it.

    Returns
    -------
    count : int or None
        Number of pictures of a stack; None for a single picture.
    size : tuple of int
        (H, W).

    Raises
    ------
    InputError
        If the rank or the number of channels is none of a picture's, or there is no picture.
    """
    if len(shape) not in (2, 3, 4):
        raise InputError(
            f"{name}: has shape {shape}; (N,H,W,3), (N,H,W), (H,W,3) or (H,W) is needed"
        )
    # No stack of grey pictures is so narrow: a short last axis was meant as channels.
    has_channels = len(shape) == 4 or (len(shape) == 3 and shape[-1] < 16)
    if has_channels and shape[-1] not in (1, 3, 4):
        raise InputError(
            f"{name}: has shape {shape}, which is {shape[-1]} channels; "
            "1, 3 or 4 are needed, on the last axis"
        )
    if 0 in shape:
        raise InputError(f"{name}: has shape {shape}, which is no picture at all")
    picture = shape[:-1] if has_channels else shape
    return (picture[0] if len(picture) == 3 else None), (picture[-2], picture[-1])


class Array:
    """A stack of pictures, or one, of which only shape and type are known so far.

    Parameters
    ----------
    path : str
        What messages call it.
    shape : tuple of int
        As described in `unetpred.images.sources.list_sources`.
    dtype : numpy.dtype
        Of its values.
    opened : callable
        Gives something whose indexing reads the values; called anew for every picture.
    present : int, optional
        Size of the file, bytes.

    Attributes
    ----------
    count : int or None
        Number of pictures of a stack; None for a single picture.
    size : tuple of int
        (H, W), px.

    Raises
    ------
    InputError
        If shape or type is none of pictures.
    """

    def __init__(
        self,
        path: str,
        shape: Sequence[int],
        dtype: np.dtype,
        opened: Callable[[], Any],
        present: int | None = None,
    ) -> None:
        self.path = path
        check_numbers(dtype, path)
        self._dtype = dtype
        self.count, self.size = array_layout(tuple(shape), path)
        if present is not None:
            check_size(self.size, present, path, 3 * dtype.itemsize)
        self._open = opened
        self._warn = Warner()

    def _picture(self, index: int) -> tuple[np.ndarray, bool]:
        with reading(self._name(index)):
            pixels = np.array(self._open()[... if self.count is None else index])
            # in this machine's byte order, or the type of another one's would be no known one
            return drop_alpha(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))

    def _name(self, index: int) -> str:
        return self.path if self.count is None else f"{self.path}: image {index}"

    @cached_property
    def _wide(self) -> bool:
        """Whether any picture exceeds the range in doubt (1, or 255), which ends the doubt."""
        limit = 1 if self._dtype.kind == "f" else 255
        return any((self._picture(i)[0] > limit).any() for i in range(self.count or 1))

    def load(self, index: int) -> np.ndarray:
        """Read one picture, (H,W,3) float32, RGB, 0..255, as `unetpred.images.Source` does."""
        name = self._name(index)
        pixels, opaque = self._picture(index)
        if not opaque:
            self._warn(f"{self.path}: is partly transparent; alpha is ignored")
        kind = pixels.dtype.kind
        if kind == "b":
            return rgb255(pixels * np.float32(255))
        if kind == "f":
            check_finite(pixels, name)
        low, high = pixels.min(), pixels.max()
        if pixels.dtype == np.uint16:  # the type alone says so: a picture's values may be dark
            if high <= 255 and not self._wide:
                self._warn(
                    f"{self.path}: no value is above 255, but arrays of 16-bit integers are taken "
                    "as 0..65535; save them as uint8 if white is 255"
                )
            return rgb255(pixels / np.float32(257))
        slack = ROUNDING if kind == "f" else 0
        if low < -slack or high > 255 + slack:
            raise InputError(f"{name}: has values from {low:g} to {high:g}; 0..255 is needed")
        if kind == "f" and high <= 1 and not self._wide:
            self._warn(
                f"{self.path}: no value is above 1, but arrays of floats are taken as 0..255; "
                "multiply by 255 if white is 1"
            )
        return rgb255(pixels)


def check_numbers(dtype: np.dtype, name: str) -> None:
    """Raise InputError if an array's values are none of pictures."""
    if dtype.hasobject:
        raise InputError(
            f"{name}: is an array of Python objects, which is never unpickled; "
            "save one plain numeric array (images of one size)"
        )
    if dtype.kind not in "buif":
        raise InputError(f"{name}: is an array of type {dtype}; real numbers are needed")
