"""Decoded photographs in memory that several processes share, each decoded once."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_HEADER = 4  # int64 per photograph: 1 when it is there, its offset, height and width


class PixelStore:
    """Arrays (H,W,3) uint8 by number, kept until a limit is reached.

    What holds them has no name in any folder: it goes when the last process that has it open ends,
    however that ends.

    Parameters
    ----------
    count : int
        How many there may be; their numbers are 0..count-1.
    limit : int
        Bytes that they may take together. Memory is taken as it is filled.
    descriptor : int, optional
        Open file of the store of another process; a new one is made if not given.
    """

    def __init__(self, count: int, limit: int, descriptor: int | None = None):
        self.count, self.limit = count, limit
        self._start = 8 * (1 + _HEADER * count)
        if descriptor is None:
            descriptor = _anonymous_file()
            os.ftruncate(descriptor, self._start + limit)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, self._start + limit)
        numbers = np.frombuffer(self._memory, "int64", 1 + _HEADER * count)
        self._used, self._index = numbers[:1], numbers[1:].reshape(count, _HEADER)

    def get(self, number: int) -> np.ndarray | None:
        """Give an array, not to be written to, or None if it is not there."""
        there, offset, height, width = map(int, self._index[number])
        if not there:
            return None
        size = height * width * 3
        return np.frombuffer(self._memory, "uint8", size, offset).reshape(height, width, 3)

    def put(self, number: int, pixels: np.ndarray) -> None:
        """Keep an array, if there is room."""
        with self._locked():
            offset = self._start + int(self._used[0])
            if self._index[number, 0] or offset + pixels.nbytes > self._start + self.limit:
                return
            self._used[0] += pixels.nbytes
        height, width, _ = pixels.shape
        self._memory[offset : offset + pixels.nbytes] = np.ascontiguousarray(pixels).tobytes()
        self._index[number, 1:] = offset, height, width
        self._index[number, 0] = 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl

        fcntl.lockf(self.descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("photographs")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
