"""Pictures in whatever form they are given: paths, folders, arrays, PIL images, lists of these."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from unetpred.errors import InputError
from unetpred.images.arrays import Array, check_side
from unetpred.images.sources import Input, Source, list_sources

MEMORY = "images"
"""What rows and messages call pictures that have no file; an index tells them apart."""

_MASKED = "has masked values, which a picture cannot have; use .filled(0), and hide them with mask="


@dataclass(frozen=True)
class MemorySource(Source):
    """A picture in memory.

    Attributes
    ----------
    inner : int or None
        Its position in its own array, where the array holds several.
    """

    inner: int | None = field(default=None, repr=False)

    def load(self) -> np.ndarray:
        """As of `Source`."""
        return self._reader.load(self.inner)

    @cached_property
    def stamp(self) -> str:
        """Changes when the picture does."""
        return hashlib.sha256(self.load().data).hexdigest()


class _Refused:
    """In place of something that is no picture."""

    def __init__(self, error: str):
        self._error = error

    @property
    def size(self) -> tuple[int, int]:
        raise InputError(self._error)

    def load(self, index: int | None) -> np.ndarray:
        raise InputError(self._error)


def list_inputs(
    given: Any, key: str | None = None, recursive: bool = False, axes: str | None = None
) -> list[Input]:
    """Find the pictures in whatever a user gives.

    Parameters
    ----------
    given : path-like, array_like, PIL.Image.Image, or iterable of these
        Paths as for `unetpred.images.sources.list_sources`. Arrays (N,H,W,3), (N,H,W), (H,W,3) or
        (H,W), as in files: RGB or grey, uint8, uint16, bool, or float 0..255. Pictures in memory
        are called `MEMORY` and counted through.
    key, recursive, axes
        As for `list_sources`.

    Returns
    -------
    list of Input
        In the order given. What cannot be used raises when its picture is read.

    Raises
    ------
    InputError
        If nothing is given, or it is no picture and no list of pictures.
    """
    if isinstance(given, str | os.PathLike):
        return list_sources([given], key, recursive, axes)
    found: list[Input] = []
    count = 0
    for item in _items(given):
        if isinstance(item, str | os.PathLike):
            found += list_sources([item], key, recursive, axes)
            continue
        sources = _in_memory(item, count)
        count += sum(source.index is not None for source in sources)
        found.append(Input(sources[0].path, "array", sources))
    if not found:
        raise InputError(f"{MEMORY}: none were given; a path, an array, or a list of them is right")
    return found


def load_all(given: Any, key: str | None = None, recursive: bool = False) -> list[Source]:
    """The pictures in whatever a user gives, all of which must be there.

    Raises
    ------
    InputError
        As `list_inputs`, and if a path cannot be used.
    """
    inputs = list_inputs(given, key, recursive)
    if failed := [one.error for one in inputs if one.error]:
        raise InputError(failed[0])
    return [source for one in inputs for source in one.sources]


def _items(given: Any) -> list:
    """What is given, one by one; an array is one item, of paths it is several."""
    if isinstance(given, Image.Image):
        return [given]
    if hasattr(given, "__array__"):
        if np.ma.is_masked(given):
            raise InputError(f"{MEMORY}: {_MASKED}")
        array = np.asarray(given)
        paths = array.dtype.kind in "OUT" and array.ndim == 1
        return list(array.tolist()) if paths else [array]
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise InputError(
            f"{MEMORY}: {type(given).__name__} is neither a path, an array, a PIL image, nor a "
            "list of them"
        )
    items = list(given)
    if items and all(isinstance(item, list | tuple) for item in items):
        try:
            return [np.asarray(items)]  # numbers in nested lists
        except ValueError:
            raise InputError(f"{MEMORY}: nested lists of several lengths are no picture") from None
    return items


def _in_memory(item: Any, count: int) -> list[Source]:
    """The pictures of an item that is in memory; `count` are known already."""
    path, index = MEMORY, count
    if isinstance(item, Image.Image):
        name = getattr(item, "filename", "")
        if name and isinstance(name, str):
            path = name
        else:
            name = f"{MEMORY}: image {count}"
        try:
            array = pil_pixels(item)
        except (InputError, OSError) as error:
            why = error if isinstance(error, InputError) else f"cannot be read ({error})"
            refused = _Refused(f"{name}: {why}")
            return [MemorySource(path, None if path == name else index, refused)]
        return [MemorySource(path, None if path == name else index, _opened(array, name))]
    name = f"{MEMORY}: image {count}"
    if np.ma.is_masked(item):
        return [MemorySource(path, index, _Refused(f"{name}: {_MASKED}"))]
    try:
        array = np.asarray(item)
    except (TypeError, ValueError, RuntimeError) as error:  # as of tensors on a GPU
        return [MemorySource(path, index, _Refused(f"{name}: is no array ({error})"))]
    several = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] >= 16)
    reader = _opened(array, MEMORY if several else name)
    if isinstance(reader, _Refused) or reader.count is None:
        return [MemorySource(path, index, reader)]
    return [MemorySource(path, count + inner, reader, inner) for inner in range(reader.count)]


def _opened(array: np.ndarray, name: str) -> Array | _Refused:
    try:
        reader = Array(name, array.shape, array.dtype, lambda: array)
        check_side(reader.size, name)
        return reader
    except InputError as error:
        return _Refused(str(error))


def pil_pixels(image: Image.Image) -> np.ndarray:
    """The pixels of a PIL image as a file of it would have them, upright.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    numpy.ndarray, (H,W), (H,W,3) or (H,W,4)
        bool, uint8, uint16 (0..65535) or float32 (0..255).

    Raises
    ------
    InputError
        If values of mode I are no 16-bit ones.
    """
    upright = ImageOps.exif_transpose(image)
    mode = upright.mode
    if mode.startswith("I"):
        deep = np.asarray(upright)
        if deep.min() < 0 or deep.max() > 65535:
            raise InputError(
                f"has values from {deep.min()} to {deep.max()}; 0..65535 is needed of mode {mode}"
            )
        return deep.astype(np.uint16)
    if mode in ("1", "F", "L", "RGB", "RGBA") and "transparency" not in image.info:
        return np.asarray(upright)
    has_alpha = "transparency" in image.info or mode in ("LA", "La", "PA", "RGBa", "RGBA")
    return np.asarray(upright.convert("RGBA" if has_alpha else "RGB"))
