"""Compressions of bytes in TIFF files, whatever the bytes mean."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from unetpred.images.formats.tiff_directory import Tag

RAW, _DEFLATE = 1, (8, 32946)
_BY_PILLOW = (5, 32773, 34925, 50000)  # LZW, PackBits, LZMA, ZSTD
COMPRESSIONS = (RAW, *_DEFLATE, *_BY_PILLOW)
CHUNK = 1 << 24  # bytes that are decoded at once
_MORE = 1 << 12  # bytes that a strip may have beyond its rows


def decompressed(data: list[bytes], compression: int, rows: list[int], row_bytes: int) -> bytes:
    """Undo the compression of some strips or tiles.

    Parameters
    ----------
    data : list of bytes
        One for each.
    compression : int
        One of `COMPRESSIONS`.
    rows : list of int
        How many each has, all but the last one alike.
    row_bytes : int
        Of a row, with what fills its last byte up.

    Returns
    -------
    bytes
        All rows.

    Raises
    ------
    ValueError, OSError
        If something is damaged or missing.
    """
    if compression in _BY_PILLOW and all(data):
        return _by_pillow(data, compression, rows, row_bytes)
    plain: list[bytes] = []
    for one, height in zip(data, rows, strict=True):
        size = height * row_bytes
        if compression in _DEFLATE:
            stream = zlib.decompressobj()
            # some software fills its last strip up
            more = CHUNK if len(plain) + 1 == len(data) else rows[0] * row_bytes + _MORE
            one = stream.decompress(one, size + more)
            if not stream.eof:  # nor was the check sum looked at
                raise ValueError("its compression is damaged")
        if len(one) < size:
            raise ValueError(
                f"a strip or tile has {len(one) // row_bytes} of its {height} rows of pixels"
            )
        plain.append(one[:size])
    return b"".join(plain)


def _by_pillow(data: list[bytes], compression: int, rows: list[int], row_bytes: int) -> bytes:
    """Have Pillow undo a compression of bytes, told that they are grey levels."""
    lengths = [len(one) for one in data]
    count = len(data)
    begin = 8 + 2 + 12 * 9 + 4  # header and directory
    lists = begin + 8 * count
    starts = np.cumsum([lists, *lengths[:-1]]).tolist()
    entries = (
        (Tag.WIDTH, row_bytes),
        (Tag.HEIGHT, sum(rows)),
        (Tag.BITS, 8),
        (Tag.COMPRESSION, compression),
        (Tag.PHOTOMETRIC, 1),
        (Tag.STRIP_OFFSETS, starts[0] if count == 1 else begin),
        (Tag.SAMPLES, 1),
        (Tag.ROWS_PER_STRIP, rows[0]),
        (Tag.STRIP_LENGTHS, lengths[0] if count == 1 else begin + 4 * count),
    )
    many = (Tag.STRIP_OFFSETS, Tag.STRIP_LENGTHS)
    directory = b"".join(
        struct.pack("<HHII", tag, 4, count if tag in many else 1, value) for tag, value in entries
    )
    whole = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    whole += struct.pack(f"<{2 * count}I", *starts, *lengths) + b"".join(data)
    with Image.open(io.BytesIO(whole), formats=["TIFF"]) as image:
        return image.tobytes()
