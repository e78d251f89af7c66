"""Masks of the user's own: one for all images, one for each, or a folder of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.masks import MaskStack, check_mask, load_mask, mask_array
from unetpred.images.decoding import IMAGE_ENDINGS
from unetpred.io.registry import sha256

ENDINGS = (*IMAGE_ENDINGS, ".npy")


class Masks:
    """Masks that give the whole hole; 0 is missing, anything else visible.

    Parameters
    ----------
    given : path-like or array_like
        An image or a .npy, or an array: (H,W) for all images, (N,H,W) with one for each. Or a
        folder of such files, each of the name of its image but for the ending.

    Attributes
    ----------
    name : str
        What messages call them: the path, or "mask".
    path : str or None
        Where they are; None for an array.

    Raises
    ------
    InputError
        If they cannot be read, or hide nothing or all.
    """

    def __init__(self, given: str | os.PathLike | np.ndarray):
        self.path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        self.name = self.path or "mask"
        self._files: dict[str, str] = {}
        self._one: np.ndarray | MaskStack | None = None
        if self.path is None:
            array = np.asarray(given)
            if array.dtype.kind not in "buif":
                raise InputError(f"mask: is an array of type {array.dtype}; numbers are needed")
            self._array = array
            self._one = mask_array(array, self.name)
        elif os.path.isdir(self.path):
            self._files = _by_stem(self.path)
        else:
            self._one = load_mask(self.path)
        if isinstance(self._one, np.ndarray):
            check_mask(self._one, self._one.shape, self.name)

    def check_count(self, count: int) -> None:
        """Raise InputError for a stack of another length than the number of images."""
        if isinstance(self._one, MaskStack) and len(self._one) != count:
            raise InputError(
                f"{self.name}: holds {len(self._one)} masks for {count} image(s); "
                "one mask, or one for each, is right"
            )

    def of(self, path: str, position: int, size: tuple[int, int]) -> np.ndarray:
        """The mask of one image.

        Parameters
        ----------
        path : str
            Of the image, whose name finds the mask in a folder.
        position : int
            Of the image among all, which finds the mask in a stack.
        size : (H, W)
            Of the image, px.

        Returns
        -------
        numpy.ndarray, (H,W) float32
            1 visible, 0 missing.

        Raises
        ------
        InputError
            If there is none, or it cannot be used for an image of this size.
        """
        if isinstance(self._one, MaskStack):
            mask, name = self._one[position], self._one.name(position)
        elif self._one is not None:
            mask, name = self._one, f"mask {self.path}" if self.path else self.name
        else:
            stem = Path(path).stem
            if stem not in self._files:
                raise InputError(
                    f"{self.name}: has no mask of this image; {stem}.png, or another ending of "
                    f"{', '.join(ENDINGS)}, is right"
                )
            name = self._files[stem]
            mask = load_mask(name)
            if isinstance(mask, MaskStack):
                raise InputError(f"{name}: holds {len(mask)} masks; one is right in a folder")
        check_mask(mask, size, name)
        return mask

    def __str__(self) -> str:
        if self.path is None:
            return f"mask in memory (sha256 {self._digest})"
        if self._files:
            return f"masks of {self.path}, each by its image's name (sha256 {self._digest})"
        return f"mask {self.path} (sha256 {self._digest})"

    @cached_property
    def _digest(self) -> str:
        if self.path is None:
            array = np.ascontiguousarray(self._array)
            return hashlib.sha256(f"{array.shape} {array.dtype}".encode() + array.data).hexdigest()
        if not self._files:
            return sha256(self.path)
        digest = hashlib.sha256()
        for stem, file in sorted(self._files.items()):
            digest.update(f"{stem} {sha256(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


def _by_stem(folder: str) -> dict[str, str]:
    """The masks of a folder, by their names without endings."""
    found: dict[str, str] = {}
    try:
        names: Iterable[str] = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    for name in names:
        if name.startswith(".") or not name.lower().endswith(ENDINGS):
            continue
        stem, file = Path(name).stem, os.path.join(folder, name)
        if stem in found:
            raise InputError(
                f"{folder}: {os.path.basename(found[stem])} and {name} could both be the mask of "
                f"{stem}; remove one"
            )
        found[stem] = file
    if not found:
        raise InputError(f"{folder}: has no masks; files ending in {', '.join(ENDINGS)} are right")
    return found
