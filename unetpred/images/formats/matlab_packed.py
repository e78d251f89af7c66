"""What a .mat file of version 5 unpacks to, before SciPy takes memory for it."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from unetpred.errors import InputError
from unetpred.io.limits import FREE_STACK, MAX_PIXELS, RATIO, max_pixels

#: How many bytes one byte of a file may stand for: no more than 1032 come out of deflate.
MOST_PACKED = 1032
#: Bytes of a variable in a file of version 5, whose sizes have 32 bits.
MOST_BYTES = 2**32
_HEADER, _COMPRESSED = 128, 15  # bytes before the first variable; a type of element
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
    free = max(FREE_STACK, RATIO * size)
    most, room = free, 4 * free  # of a variable, and of all together
    with open(path, "rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(_HEADER)[-2:])
        while order and not max_pixels() and len(tag := file.read(8)) == 8:
            kind, length = struct.unpack(f"{order}II", tag)
            end = file.tell() + length
            if kind == _COMPRESSED and MOST_PACKED * size > most:
                held = _held(file, min(most, room))
                room -= held
                if held > most or room < 0:
                    raise InputError(
                        f"{path}: has variables of more than {most} bytes, but is of {size} only; "
                        f"--max_pixels {MAX_PIXELS} lets it be read"
                    )
            file.seek(end)


def _held(file: BinaryIO, most: int) -> int:
    """How many bytes come out of what is packed from here on; it is left where it is too much."""
    stream, data, held = zlib.decompressobj(), b"", 0
    while held <= most and not stream.eof and (data := data or file.read(_STEP)):
        held += len(stream.decompress(data, _STEP))
        data = stream.unconsumed_tail
    return held
