"""Whether all pixels of a PNG are there, by the PNG specification (third edition, 2025) [1]_.

Pillow neither looks at the check sums of the pixels nor minds when rows are missing.

References
----------
.. [1] W3C, "Portable Network Graphics (PNG) Specification", https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
_MOST_CHUNKS = 100_000  # of others than pixels, which Pillow looks at one by one, slowly
_STEP = 1 << 16  # bytes that are read and inflated at once
# of the seven passes of interlacing: first column and row, and how far the next ones are
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)


class Header(NamedTuple):
    """What the first chunk says."""

    width: int
    height: int
    bits: int  # of a sample
    samples: int  # of a pixel
    interlaced: bool

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel as it is decoded."""
        return max(1, self.samples * self.bits // 8)

    @property
    def rows(self) -> list[int]:
        """Bytes of all rows as they are stored, each with that of its filter."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        rows = []
        for left, top, across, down in passes:
            columns = -(-(self.width - left) // across)
            if columns > 0:
                size = 1 + -(-columns * self.samples * self.bits // 8)
                rows += [size] * max(0, -(-(self.height - top) // down))
        return rows


def png_header(file: BinaryIO) -> Header:
    """Read the first chunk of a PNG.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    file.seek(0)
    start = file.read(8 + 8 + 13 + 4)
    if len(start) < 33 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise ValueError("no PNG header")
    if zlib.crc32(start[12:29]) != struct.unpack(">I", start[29:])[0]:
        raise ValueError("its header does not match its check sum")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", start[16:29])
    if colour not in _SAMPLES or bits not in (1, 2, 4, 8, 16):
        raise ValueError("its header names no kind of PNG")
    return Header(width, height, bits, _SAMPLES[colour], bool(interlaced))


def check_chunks(file: BinaryIO) -> None:
    """Raise ValueError for a PNG of more chunks, beside those of pixels, than anybody writes."""
    file.seek(len(SIGNATURE))
    count = 0
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        count += kind != b"IDAT"
        if count > _MOST_CHUNKS:
            raise ValueError(f"it has more than {_MOST_CHUNKS} chunks beside those of its pixels")
        file.seek(length + 4, 1)


def check_png(file: BinaryIO) -> None:
    """Refuse a PNG of which rows are missing, or whose pixels do not match their check sums.

    Parameters
    ----------
    file : binary file
        At any position.

    Raises
    ------
    ValueError
        If it is damaged; says how many of its rows are there.
    """
    header = png_header(file)
    rows = header.rows
    needed, found = sum(rows), 0
    stream = zlib.decompressobj()
    problem = ""
    try:
        for data in _pixel_data(file):
            while data and not stream.eof:
                found += len(stream.decompress(data, _STEP))
                data = stream.unconsumed_tail
                if found > needed + _STEP:  # a bomb: no software fills up by so much
                    raise ValueError("it holds more pixels than its size says")
        if not stream.eof:
            problem = "its compressed pixels end early"
    except zlib.error as error:
        if "data check" in str(error):  # after the last of them
            raise ValueError("its pixels do not match their check sum") from None
        problem = str(error)
    except ValueError as error:
        problem = str(error)
    if found < needed:
        whole = 0
        for size in rows:
            found -= size
            whole += found >= 0
        problem = problem or "its compressed pixels end early"
        # rows of all passes of an interlaced one
        missing = len(rows) - whole
        raise ValueError(f"{missing} of its {len(rows)} rows of pixels are missing: {problem}")
    if problem:
        raise ValueError(problem)


def _pixel_data(file: BinaryIO) -> Iterator[bytes]:
    """Give the content of all chunks of pixels; ValueError if a check sum does not match."""
    size = file.seek(0, 2)
    file.seek(8)
    while True:
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        if file.tell() + length > size:  # Pillow would take memory for all of it
            raise ValueError("it ends within a chunk")
        if kind != b"IDAT":
            if kind == b"IEND":
                return
            file.seek(length + 4, 1)
            continue
        check = zlib.crc32(kind)
        while length:
            data = file.read(min(length, _STEP))
            if not data:
                return
            check = zlib.crc32(data, check)
            length -= len(data)
            yield data
        if file.read(4) != struct.pack(">I", check):
            raise ValueError("its pixels do not match their check sum")
