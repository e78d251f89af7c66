"""From paths to pictures: image files, arrays in files, directories; read one at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from unetpred.errors import InputError
from unetpred.images.array_files import ARRAY_ENDINGS, array_file
from unetpred.images.arrays import (
    MIN_SIDE,
    ROUNDING,
    Array,
    Warner,
    check_finite,
    check_side,
    rgb255,
)
from unetpred.images.decoding import IMAGE_ENDINGS, decode_image, image_size
from unetpred.images.folders import image_files
from unetpred.images.formats.matlab import MATLAB_ENDINGS, matlab_file
from unetpred.io.reading import check_regular, reading

__all__ = ["MIN_SIDE", "Input", "Source", "array_sources", "list_sources"]

logger = logging.getLogger(__name__)


Kind: TypeAlias = Literal["image", "array", "directory"]


class _Reader(Protocol):
    """What reads the pictures of one file or array."""

    @property
    def size(self) -> tuple[int, int]: ...

    def load(self, index: Any) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One picture that has not been read yet.

    Attributes
    ----------
    path : str
        The file as the user named it, or a directory joined with the name of a member.
    index : int or None
        None for an image file, else the position within the array (0 for an array that is one
        picture).
    """

    path: str
    index: int | None
    _reader: _Reader = field(repr=False, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) after EXIF orientation, from the header. Raises InputError like `load`."""
        with reading(self.path):
            return self._reader.size

    def load(self) -> np.ndarray:
        """Read the picture.

        Returns
        -------
        numpy.ndarray
            (H,W,3) float32, RGB, 0..255.

        Raises
        ------
        InputError
            One line that names the file (and the image in an array): unreadable, too small, not
            finite, or out of range.
        """
        with reading(self.path):
            return self._reader.load(self.index)


def read_by(source: Source, known: Callable[[Any], Any]) -> Source:
    """The same picture, read by what is `known` in place of its own reader."""
    return replace(source, _reader=known(source._reader))


@dataclass(frozen=True)
class Input:
    """What one path given by the user stands for.

    Attributes
    ----------
    path : str
        As given.
    kind : {"image", "array", "directory"}
        By the ending, or "directory". Also set, as far as known, when `error` is.
    sources : list of Source
        Empty if `error` is set.
    error : str or None
        One line that names the path, why nothing of it can be used.
    note : str
        One line, how it is read, where that is not plain: which axis of a MATLAB variable is what.
    """

    path: str
    kind: Kind | None
    sources: list[Source] = field(default_factory=list)
    error: str | None = None
    note: str = ""

    @cached_property
    def places(self) -> list[Source]:
        """The sources, or in their stead one that raises `error` whatever is asked of it."""
        return [Source(self.path, None, _Unusable(self.error))] if self.error else self.sources


#: A file of floats with a highest value from 1 to here is more likely one of 0..1 that overshoots.
BARELY = 2


class _Unusable:
    """What stands for pictures that could not be found or opened."""

    def __init__(self, error: str):
        self._error = error

    @property
    def size(self) -> tuple[int, int]:
        raise InputError(self._error)

    def load(self, index: int | None) -> np.ndarray:
        raise InputError(self._error)


def list_sources(
    paths: Iterable[str | os.PathLike[str]],
    key: str | None = None,
    recursive: bool = False,
    axes: str | None = None,
    smallest: int = MIN_SIDE,
) -> list[Input]:
    """Find the pictures that paths stand for, reading headers of arrays only.

    Shapes of arrays: (N,H,W,C), (N,H,W), (H,W,C) or (H,W), with C = 1 (grey), 3 (RGB) or 4
    (RGB and alpha). Of three axes, a last one of 1, 3 or 4 is taken for channels, so (H,W,3) is
    one picture and any other a stack of grey ones; (3,H,W) is three grey pictures. The type tells
    the range: uint16 is 0..65535, bool 0..1, and all others 0..255, floats too. Of an image file
    of floats the highest value tells it: 0..1, or 0..255 if that is above 1.

    Parameters
    ----------
    paths : iterable of path-like
        Image files (png, jpg, tif, bmp, webp), arrays (npy, npz, h5, hdf5; mat, see
        `unetpred.images.formats.matlab.matlab_file`), directories. Of a directory the
        image files are taken, sorted by name, those starting with "." left out.
    key : str, optional
        Which array of a .npz, .h5 (`group/name` for nested ones) or .mat. Not needed if there is
        only one.
    recursive : bool
        Whether to descend into directories within directories.
    axes : str, optional
        What the axes of a variable in a .mat are, such as "HWCN", where sizes do not tell.
    smallest : int
        Smallest height and width, px; what fills in needs `MIN_SIDE`, what segments 1.

    Returns
    -------
    list of Input
        One for each path, in order. What is wrong with a path is in its `error`; nothing is
        raised.
    """
    return [_input(os.fspath(path), key, recursive, axes, smallest) for path in paths]


def array_sources(array: np.ndarray, name: str = "images") -> list[Source]:
    """Treat an array in memory like one in a file: same shapes, ranges, checks.

    Parameters
    ----------
    array : numpy.ndarray
        Shapes as in `list_sources`.
    name : str
        What messages call it.

    Returns
    -------
    list of Source

    Raises
    ------
    InputError
        If type or shape is not one of pictures. Values are checked on loading.
    """
    array = np.asarray(array)
    return _sources(Array(name, array.shape, array.dtype, lambda: array), MIN_SIDE)


def _input(path: str, key: str | None, recursive: bool, axes: str | None, smallest: int) -> Input:
    ending = Path(path).suffix.lower()
    kind: Kind | None = None
    try:
        if os.path.isdir(path):
            kind = "directory"
            return Input(path, kind, _directory(path, recursive, smallest))
        if ending in IMAGE_ENDINGS:
            kind = "image"
        elif ending in (*ARRAY_ENDINGS, *MATLAB_ENDINGS):
            kind = "array"
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file or directory")
        if kind:
            check_regular(path)
        if kind == "image":
            return Input(path, kind, [Source(path, None, _ImageFile(path, smallest))])
        if ending in MATLAB_ENDINGS:
            array = matlab_file(path, key, axes)
            logger.info("%s", array.note)
            return Input(path, kind, _sources(array, smallest), note=array.note)
        if kind == "array":
            if axes is not None:
                raise InputError(f"{path}: `axes` is for .mat; (N,H,W,C) is right in all others")
            return Input(path, kind, _sources(array_file(path, ending, key), smallest))
        raise InputError(
            f"{path}: unknown kind of file; images end in {', '.join(IMAGE_ENDINGS)}, "
            f"arrays in {', '.join((*ARRAY_ENDINGS, *MATLAB_ENDINGS))}"
        )
    except InputError as error:
        return Input(path, kind, error=str(error))


def _sources(array: Array, smallest: int) -> list[Source]:
    check_side(array.size, array.path, smallest)
    return [Source(array.path, index, array) for index in range(array.count or 1)]


def _directory(path: str, recursive: bool, smallest: int) -> list[Source]:
    with reading(path):
        found = image_files(path, recursive)
    if not found:
        hint = "" if recursive else " (folders within it are searched only recursively)"
        raise InputError(
            f"{path}: has no images; files ending in {', '.join(IMAGE_ENDINGS)} are looked for"
            f"{hint}"
        )
    return [Source(p, None, _ImageFile(p, smallest)) for p in found]


class _ImageFile:
    """A picture in an image file, read when it is asked for."""

    def __init__(self, path: str, smallest: int) -> None:
        self.path = path
        self._smallest = smallest
        self._warn = Warner()

    @cached_property
    def size(self) -> tuple[int, int]:
        size = image_size(self.path)
        check_side(size, self.path, self._smallest)
        return size

    def load(self, index: None) -> np.ndarray:
        pixels, notes = decode_image(self.path)
        check_side(pixels.shape[:2], self.path, self._smallest)
        for note in notes:
            self._warn(f"{self.path}: {note}")
        return levels(pixels, self.path)


def levels(pixels: np.ndarray, name: str) -> np.ndarray:
    """Bring what an image file holds to 0..255.

    Parameters
    ----------
    pixels : numpy.ndarray
        (H,W) or (H,W,3), from `unetpred.images.decoding.decode_image`.
    name : str
        What messages call it.

    Returns
    -------
    numpy.ndarray
        (H,W,3) float32.

    Raises
    ------
    InputError
        If a value is not finite, or out of the range of the file's type. Floats are 0..1, or
        0..255 if the highest is above 1.
    """
    kind = pixels.dtype.kind
    if kind == "f":
        check_finite(pixels, name)
        low, high = pixels.min(), pixels.max()
        white = 1 if high <= 1 + ROUNDING / 255 else 255
        if low < -ROUNDING * white / 255 or high > 255 + ROUNDING:
            raise InputError(
                f"{name}: has values from {low:g} to {high:g}; "
                "0..1 or 0..255 is needed in an image file of floats"
            )
        if white == 255 and high < BARELY:
            logger.warning(
                "%s: its highest value is %g, so its floats are taken as 0..255, which is nearly "
                "black; limit them to 1 if white is 1",
                name,
                high,
            )
        pixels = pixels.astype(np.float32) * (255 / white)
    elif kind == "b":
        pixels = pixels * np.float32(255)
    elif pixels.dtype == np.uint16:
        pixels = pixels / np.float32(257)
    elif pixels.min() < 0 or pixels.max() > 255:
        raise InputError(
            f"{name}: has {pixels.dtype} values from {pixels.min()} to {pixels.max()}; "
            "0..255 is needed, or 16 bits unsigned"
        )
    return rgb255(pixels)
