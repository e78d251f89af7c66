"""Whole pictures as `.npy`, written as scoring goes, so that memory stays flat."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import BinaryIO

import numpy as np

from unetpred.errors import InputError, reason_of, some_of
from unetpred.io.files import writing


class Arrays:
    """The `.npy` files of whole images. Until they are finished they are FILE.part.

    Parameters
    ----------
    targets : mapping of str to str or None
        The file of each kind of picture, if it is wanted.
    count : int
        Number of images; those that fail stay NaN.
    sizes : iterable of (H, W)
        Of the images.

    Raises
    ------
    InputError
        If there is more than one size.
    """

    def __init__(
        self,
        targets: Mapping[str, str | None],
        count: int,
        sizes: Iterable[tuple[int, int]],
    ):
        self._targets = {name: path for name, path in targets.items() if path}
        sizes = list(dict.fromkeys(sizes))
        if self._targets and len(sizes) > 1:
            names = some_of(f"{w}x{h}" for h, w in sizes)
            raise InputError(
                f"images of several sizes ({names}) do not fit into one .npy; use --save_images"
            )
        self._shape = (count, *sizes[0], 3)
        self._bytes = math.prod(self._shape[1:]) * 4  # of one image
        self._open: dict[str, tuple[BinaryIO, int]] = {}  # and where the numbers begin
        self._there: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._targets)

    def resume(self, sums: Mapping[int, Mapping[str, int]]) -> list[int]:
        """Go on with the files of an interrupted run.

        Parameters
        ----------
        sums : mapping of int to mapping of str to int
            Of the images that they hold, by position, what `put` gave.

        Returns
        -------
        list of int
            Those whose numbers are not as they were written; they are to be put again.

        Raises
        ------
        InputError
            If a file is not there, or not of the same images.
        """
        for name, path in self._targets.items():
            try:
                file = open(f"{path}.part", "r+b")  # noqa: SIM115 - closed by finish or drop
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"{path}.part: cannot be gone on with ({reason_of(error)}); leave `resume` "
                    "away to start afresh"
                ) from None
            if (shape, dtype) != (self._shape, np.dtype("float32")):
                raise InputError(
                    f"{path}.part: has shape {shape}, where {self._shape} is right; leave "
                    "`resume` away to start afresh"
                )
            self._open[name] = file, file.tell()
        damaged = [at for at, known in sums.items() if self._sums(at) != known]
        self._there = set(sums) - set(damaged)
        return damaged

    def _sums(self, position: int) -> dict[str, int]:
        sums = {}
        for name, (file, start) in self._open.items():
            file.seek(start + position * self._bytes)
            sums[name] = zlib.crc32(file.read(self._bytes))
        return sums

    def put(self, position: int, images: dict[str, np.ndarray]) -> dict[str, int]:
        """Keep one image's arrays, by the names of the targets; give their check sums, CRC-32.

        Raises
        ------
        WriteError
            If the disk is full, say; also of `flush` and `finish`.
        """
        self._begin()
        self._there.add(position)
        return {
            name: self._write(name, position, np.ascontiguousarray(images[name], "float32"))
            for name in self._open
        }

    def flush(self) -> None:
        """Hand everything over to the system, which keeps it if this process is killed."""
        for name, (file, _) in self._open.items():
            with writing(f"{self._targets[name]}.part"):
                file.flush()

    def finish(self) -> None:
        """Make the files what they are called."""
        if not self._there:
            return
        nothing = np.full(self._shape[1:], np.nan, "float32")
        for name, (file, _) in self._open.items():
            for position in set(range(self._shape[0])) - self._there:
                self._write(name, position, nothing)
            with writing(f"{self._targets[name]}.part"):
                file.close()
            os.replace(f"{self._targets[name]}.part", self._targets[name])
        self._open.clear()

    def drop(self, keep: bool) -> None:
        """End without finishing; `keep` what there is to go on with."""
        for name, (file, _) in self._open.items():
            with suppress(OSError):  # what a full disk has not taken, it does not take now
                file.close()
            if not keep:
                os.unlink(f"{self._targets[name]}.part")
        self._open.clear()

    def _begin(self) -> None:
        if self._open:
            return
        header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
        for name, path in self._targets.items():
            with writing(f"{path}.part"):
                file = open(f"{path}.part", "w+b")  # noqa: SIM115
                np.lib.format.write_array_header_1_0(file, header)
                self._open[name] = file, file.tell()
                file.truncate(file.tell() + self._shape[0] * self._bytes)

    def _write(self, name: str, position: int, image: np.ndarray) -> int:
        file, start = self._open[name]
        content = image.astype("<f4", copy=False).data
        with writing(f"{self._targets[name]}.part"):
            file.seek(start + position * self._bytes)
            file.write(content)
        return zlib.crc32(content)
