"""What a .mat file of version 5 says of itself, before SciPy believes it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from unetpred.errors import InputError
from unetpred.io.limits import FREE_STACK, MAX_PIXELS, RATIO, max_pixels

#: How many bytes one byte of a file may stand for: no more than 1032 come out of deflate.
MOST_PACKED = 1032
#: Bytes of a variable in a file of version 5, whose sizes have 32 bits.
MOST_BYTES = 2**32
_HEADER, _COMPRESSED = 128, 15  # bytes before the first variable; a type of element
_HEAD = 1 << 12  # bytes that sizes and name of a variable need at most
_COMPLEX = 0x08  # a bit of the second byte of a variable's flags
_MOST_KIND = 5000  # of a variable of version 4: thousands tell the byte order, tens the type
_SIZES_4 = (8, 4, 4, 2, 2, 1)  # of numbers of each type there
_OPAQUE = 17  # a class that has another head
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}  # types of elements: integers and floats
_STEP = 1 << 20  # bytes that are unpacked at once


def check_packed(path: str, size: int) -> None:
    """Refuse a file that unpacks to more than one of its size may.

    Parameters
    ----------
    path : str
        The file.
    size : int
        Bytes of it.

    Raises
    ------
    InputError
        If it does.
    zlib.error
        If it is damaged.
    """
    most = max(FREE_STACK, RATIO * size)
    room = 4 * most  # of all variables together
    with open(path, "rb") as file:
        if 0 in file.read(4):
            _check_version_4(file, size)
            return
        for kind, order, length in _elements(file):
            place = file.tell()
            _head(file, kind, order, length)
            if max_pixels() or MOST_PACKED * size <= most or kind != _COMPRESSED:
                continue
            file.seek(place)
            held = _held(file, min(most, room))
            room -= held
            if held > most or room < 0:
                raise InputError(
                    f"{path}: has variables of more than {most} bytes, but is of {size} only; "
                    f"--max_pixels {MAX_PIXELS} lets it be read"
                )


def _check_version_4(file: BinaryIO, size: int) -> None:
    """Raise ValueError where variables of an old file are larger than it is."""
    file.seek(0)
    start = file.read(4)
    kinds = [(order, *struct.unpack(f"{order}i", start)) for order in "<>"]
    order = next((order for order, kind in kinds if 0 <= kind < _MOST_KIND), "<")
    file.seek(0)
    while len(head := file.read(20)) == 20:
        kind, rows, columns, is_complex, name = struct.unpack(f"{order}5i", head)
        item = _SIZES_4[kind // 10 % 10 % len(_SIZES_4)] * (2 if is_complex else 1)
        end = file.tell() + name + rows * columns * item
        if min(rows, columns, name) < 0 or name > _HEAD or end > size:
            raise ValueError("its variables claim more bytes than are there")
        file.seek(end)


def check_numbers_of(path: str, key: str) -> None:
    """Refuse a variable whose numbers are of a type that there is not: SciPy crashes of it.

    Raises
    ------
    InputError
        If it is complex.
    ValueError
        If its numbers are of no type, or more than there are bytes, or it is not there.
    """
    with open(path, "rb") as file:
        if 0 in file.read(4):  # of version 4, which SciPy reads with NumPy alone
            return
        for element in _elements(file):
            found = _head(file, *element)
            if found is None or found.name != key:
                continue
            if found.is_complex:
                raise InputError(f"{path}: {key} is complex; real numbers are needed")
            if found.number not in _NUMBERS:
                raise ValueError(f"its numbers are of type {found.number}, which there is not")
            if found.size > (MOST_PACKED if element[0] == _COMPRESSED else 1) * element[2]:
                raise ValueError(f"it says that it has {found.size} bytes, which are not there")
            return
    raise ValueError(f"{key} is not there")


class _Head(NamedTuple):
    """What stands before the numbers of a variable."""

    name: str
    is_complex: bool
    number: int  # type of the numbers
    size: int  # bytes of them


def _head(file: BinaryIO, kind: int, order: str, length: int) -> _Head | None:
    """Read what stands before the numbers; None for what is no array."""
    data = file.read(min(length, _HEAD))
    if kind == _COMPRESSED:
        data = zlib.decompressobj().decompress(data, _HEAD)[8:]
    if len(data) < 16:  # an empty one
        return None
    flags, data = _element(data, order)
    if order == ">":
        flags = flags[3::-1]
    if flags[0] == _OPAQUE:
        return None
    _, data = _element(data, order)  # its sizes
    name, data = _element(data, order)
    number, size = struct.unpack_from(f"{order}II", data.ljust(8, b"\0"))
    if number >> 16:
        number, size = number & 0xFFFF, number >> 16
    return _Head(name.decode("latin1"), bool(flags[1] & _COMPLEX), number, size)


def _elements(file: BinaryIO) -> Iterator[tuple[int, str, int]]:
    """Type, byte order and length of each element of a file; what it holds is to be read next."""
    file.seek(0)
    start = file.read(_HEADER)
    order = {b"IM": "<", b"MI": ">"}.get(start[-2:])
    if not order:
        return
    while len(tag := file.read(8)) == 8:
        kind, length = struct.unpack(f"{order}II", tag)
        end = file.tell() + length
        yield kind, order, length
        file.seek(end)


def _element(data: bytes, order: str) -> tuple[bytes, bytes]:
    """What a short element holds, and what follows it."""
    (kind,) = struct.unpack_from(f"{order}I", data)
    if kind >> 16:  # four bytes at most, in the tag itself
        return data[4 : 4 + (kind >> 16)], data[8:]
    (size,) = struct.unpack_from(f"{order}I", data, 4)
    end = 8 + -(-size // 8) * 8
    if end > len(data):
        raise ValueError("its header is damaged")
    return data[8 : 8 + size], data[end:]


def _held(file: BinaryIO, most: int) -> int:
    """How many bytes come out of what is packed from here on; it is left where it is too much."""
    stream, data, held = zlib.decompressobj(), b"", 0
    while held <= most and not stream.eof and (data := data or file.read(_STEP)):
        held += len(stream.decompress(data, _STEP))
        data = stream.unconsumed_tail
    return held
