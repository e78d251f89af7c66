"""Masks of the user's own: one for all images, one for each, or a folder of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.masks import MaskStack, check_mask, load_mask, mask_array
from unetpred.holes.polarity import Polarity, check_polarity, warn_if_inverted
from unetpred.images.decoding import IMAGE_ENDINGS
from unetpred.io.registry import sha256

ENDINGS = (*IMAGE_ENDINGS, ".npy")


class Masks:
    """Masks that give the whole hole; 0 is missing, anything else visible, unless said otherwise.

    The first one that looks inverted is warned of.

    Parameters
    ----------
    given : path-like, array_like, or sequence of these
        An image or a .npy, or an array: (H,W) for all images, (N,H,W) or a sequence with one for
        each. Or a folder of such files, each of the name of its image but for the ending.
    polarity : {"visible", "missing"}
        What anything but 0 stands for.

    Attributes
    ----------
    name : str
        What messages call them: the path, or "mask".
    path : str or None
        Where they are; None for an array.
    polarity : {"visible", "missing"}
        As given.

    Raises
    ------
    InputError
        If they cannot be read, or hide nothing or all.
    """

    def __init__(self, given: Any, polarity: Polarity = "visible"):
        check_polarity(polarity)
        self.polarity, self._warned = polarity, False
        self.path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        self.name = self.path or "mask"
        self._given = given
        self._files: dict[str, str] = {}
        self._one: np.ndarray | MaskStack | _Each | None = None
        if isinstance(given, list | tuple) and all(
            isinstance(one, str | os.PathLike) or np.ndim(one) >= 2 for one in given
        ):
            self._one = _Each(given)
        elif self.path is None:
            self._one = _in_memory(given, self.name)
        elif os.path.isdir(self.path):
            self._files = _by_stem(self.path)
        else:
            self._one = load_mask(self.path)
        if isinstance(self._one, np.ndarray):
            self._taken(self._one, self._one.shape[:2], self.name)

    @property
    def one_for_all(self) -> bool:
        """Whether all images have the same one."""
        return isinstance(self._one, np.ndarray)

    def check_count(self, count: int) -> None:
        """Raise InputError for a stack of another length than the number of images."""
        if isinstance(self._one, MaskStack | _Each) and len(self._one) != count:
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
        if isinstance(self._one, MaskStack | _Each):
            mask: Any = self._one[position]
            name = self._one.name(position)
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
        return self._taken(mask, size, name)

    def _taken(self, mask: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
        """A mask of a file as one of ours, checked; the first that looks inverted is warned of."""
        taken = mask if self.polarity == "visible" else (mask == 0).astype(np.float32)
        check_mask(taken, size, name, self.polarity == "visible")
        if not self._warned:
            several = not isinstance(self._one, np.ndarray)
            more = "; others like it are not named" if several else ""
            self._warned = warn_if_inverted(taken, name, self.polarity, more)
        return taken

    def __str__(self) -> str:
        return f"{self._what}{self._turned}"

    @property
    def _turned(self) -> str:
        return ", what is not 0 is missing" if self.polarity == "missing" else ""

    @property
    def _what(self) -> str:
        if self.path is None:
            if isinstance(self._one, MaskStack | _Each):
                return f"{len(self._one)} masks in memory (sha256 {self._digest})"
            return f"mask in memory (sha256 {self._digest})"
        if self._files:
            return f"masks of {self.path}, each by its image's name (sha256 {self._digest})"
        return f"mask {self.path} (sha256 {self._digest})"

    @property
    def shared(self) -> str:
        """What the masks of all images have in common, in words."""
        if not self._files:
            return str(self)
        return f"masks of {self.path}, each by its image's name{self._turned}"

    def own(self, path: str, position: int) -> str:
        """What changes when the mask of one image does; empty where all have the same.

        Parameters
        ----------
        path, position
            As for `of`.
        """
        if isinstance(self._one, MaskStack | _Each):
            return str(position)
        file = self._files.get(Path(path).stem)
        return sha256(file) if file else ""

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        if self.path is None:
            for mask in self._given if isinstance(self._one, _Each) else [self._given]:
                if isinstance(mask, str | os.PathLike):
                    digest.update(sha256(mask).encode())
                    continue
                array = np.ascontiguousarray(mask)
                digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
            return digest.hexdigest()
        if not self._files:
            return sha256(self.path)
        for stem, file in sorted(self._files.items()):
            digest.update(f"{stem} {sha256(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


class _Each:
    """One mask for each image, in a sequence."""

    def __init__(self, given: Sequence[Any]):
        self._given = given

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, index: int) -> np.ndarray:
        one = self._given[index]
        path = isinstance(one, str | os.PathLike)
        mask = load_mask(one) if path else _in_memory(one, self.name(index))
        if isinstance(mask, MaskStack):
            raise InputError(f"{self.name(index)}: holds {len(mask)} masks; one is right")
        return mask

    def name(self, index: int) -> str:
        """What messages call a mask."""
        one = self._given[index]
        return os.fspath(one) if isinstance(one, str | os.PathLike) else f"mask {index}"


def _in_memory(given: Any, name: str) -> np.ndarray | MaskStack:
    array = np.asarray(given)
    if array.dtype.kind not in "buif":
        raise InputError(f"{name}: is an array of type {array.dtype}; numbers are needed")
    hidden = array == 0
    if array.shape[-1:] == (3,) and (hidden.any(axis=-1) != hidden.all(axis=-1)).any():
        raise InputError(
            f"{name}: hides some colours of a pixel and not others; (H,W) or (N,H,W) is right "
            "here, and unetpred.Predictor takes a mask per colour"
        )
    return mask_array(array, name)


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
