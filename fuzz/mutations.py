"""Ways in which the bytes of a file go wrong."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

_VALUES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 10**6, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one to four ways.

    Parameters
    ----------
    data : bytes
        Its content.
    other : bytes
        That of another file, to take parts of.
    rng : numpy.random.Generator
        What goes wrong comes from it alone.
    """
    for _ in range(rng.integers(1, 5)):
        if not data:
            return data
        data = _WAYS[rng.integers(len(_WAYS))](data, other, rng)
    if data[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.5:
        data = _with_check_sums(data)
    return data


def _place(data: bytes, rng: np.random.Generator) -> int:
    """Anywhere, half of the time near the beginning, where headers are."""
    end = min(len(data), 512) if rng.random() < 0.5 else len(data)
    return int(rng.integers(end))


def _put(data: bytes, place: int, new: bytes) -> bytes:
    return (data[:place] + new + data[place + len(new) :])[: len(data)]


def _bit(data, other, rng):
    place = _place(data, rng)
    return _put(data, place, bytes([data[place] ^ 1 << int(rng.integers(8))]))


def _byte(data, other, rng):
    return _put(data, _place(data, rng), rng.bytes(1))


def _number(data, other, rng):
    form = ("<H", ">H", "<I", ">I", "<Q", ">Q")[rng.integers(6)]
    value = _VALUES[rng.integers(len(_VALUES))]
    size = 8 * struct.calcsize(form)
    return _put(data, _place(data, rng), struct.pack(form, value & ((1 << size) - 1)))


def _block(data, other, rng):
    size = int(rng.integers(1, 400))
    fill = (bytes(size), b"\xff" * size, rng.bytes(size))[rng.integers(3)]
    return _put(data, _place(data, rng), fill)


def _cut(data, other, rng):
    return data[: int(rng.integers(len(data)))]


def _without(data, other, rng):
    place = _place(data, rng)
    return data[:place] + data[place + int(rng.integers(1, 100)) :]


def _twice(data, other, rng):
    place = _place(data, rng)
    return data[:place] + data[place : place + int(rng.integers(1, 100))] + data[place:]


def _inserted(data, other, rng):
    place = _place(data, rng)
    return data[:place] + rng.bytes(int(rng.integers(1, 20))) + data[place:]


def _crossed(data, other, rng):
    return data[: _place(data, rng)] + other[_place(other, rng) :] if other else data


_WAYS: tuple[Callable, ...] = (_bit, _bit, _byte, _number, _number, _block, _cut, _without, _twice)
_WAYS += (_inserted, _crossed)


def _with_check_sums(data: bytes) -> bytes:
    """Make the check sums of a PNG right again, so that the damage gets further."""
    result, place = data[:8], 8
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        body = data[place + 4 : place + 8 + length]
        result += data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return result
