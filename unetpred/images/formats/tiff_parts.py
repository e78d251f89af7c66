"""The strips and tiles of a TIFF page: whether all of their bytes are there, and what these are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from unetpred.images.formats.jpeg import check_jpeg, read_frame
from unetpred.images.formats.tiff_codecs import CHUNK, COMPRESSIONS, RAW, decompressed
from unetpred.images.formats.tiff_directory import Directory, Tag

JPEG = 7  # a compression
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BLOCK = 16  # px of a JPEG's blocks, by which strips may be larger than they say
_HEADER = 8  # bytes
_SHARED = 8  # times that strips or tiles may claim the bytes of a file: some may be the same
_MOST_PARTS = 1 << 17  # no image needs as many
_YCBCR = 6  # a photometric interpretation, of which colours may have fewer samples


class Parts:
    """Where the strips or tiles of a page are.

    Parameters
    ----------
    page : Directory

    Attributes
    ----------
    rows, columns : int
        Of a strip or a tile.
    planes : int
        How many times the page is stored, with other samples.
    per : int
        Samples of a pixel that lie side by side.
    row_bytes : int
        Of a row of a part, with what fills its last byte up.
    places : list of (int, int)
        Row and column of the first pixel of the parts of a plane.
    used : list of int
        How many rows the parts of a plane have.

    Raises
    ------
    ValueError
        If there are fewer parts than the page needs, or more than any does.
    """

    def __init__(self, page: Directory):
        height, width = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
        count, tiled = page.number(Tag.SAMPLES, 1), page.numbers(Tag.TILE_OFFSETS) != ()
        self._page = page
        self.rows, self.columns = rows, columns = _part_size(page)
        self.planes = count if page.number(Tag.PLANAR, 1) == 2 else 1
        self.per = count // self.planes
        bits = max(page.numbers(Tag.BITS, (1,)))
        self.row_bytes = -(-columns * self.per * bits // 8)
        offsets, lengths = page.segments(tiled)
        if not lengths and page.number(Tag.COMPRESSION, 1) == RAW:  # some software leaves them away
            lengths = (rows * self.row_bytes,) * len(offsets)
        needed = self.planes * -(-height // rows) * -(-width // columns)
        if len(offsets) < needed or len(lengths) != len(offsets):
            raise ValueError(f"{len(offsets)} parts, {needed} are needed")
        if needed > _MOST_PARTS:
            raise ValueError(f"{needed} strips or tiles, of which no image needs as many")
        self._bytes = list(zip(offsets, lengths, strict=True))[:needed]
        self.places = [(y, x) for y in range(0, height, rows) for x in range(0, width, columns)]
        self.used = [rows if tiled else min(rows, height - y) for y, _ in self.places]

    def blocks(self, file: BinaryIO, plane: int) -> Iterator[tuple[int, np.ndarray]]:
        """Give the bytes of some parts at once: the first one's number, and (rows,row_bytes).

        Raises
        ------
        ValueError, OSError
            If some are missing or damaged.
        """
        page, first = self._page, plane * len(self.places)
        parts = self._bytes[first : first + len(self.places)]
        compression = page.number(Tag.COMPRESSION, 1)
        if compression == RAW:  # what follows the pixels is of no use
            sizes = (height * self.row_bytes for height in self.used)
            parts = [(start, min(n, size)) for (start, n), size in zip(parts, sizes, strict=True)]
            _check_places(parts)
        _check_shared(file, parts)
        step = max(1, CHUNK // (max(self.used) * self.row_bytes))
        start, end = 0, file.seek(0, 2)
        while start < len(parts):
            data: list[bytes] = []
            held = 0
            for offset, length in parts[start : start + step]:
                if data and held + length > CHUNK:
                    break
                data.append(_part(file, offset, length, end))
                held += length
            if page.number(Tag.FILL_ORDER, 1) == 2:
                data = [one.translate(_TURNED) for one in data]
            rows = self.used[start : start + len(data)]
            block = decompressed(data, compression, rows, self.row_bytes)
            yield start, np.frombuffer(block, np.uint8).reshape(-1, self.row_bytes)
            start += len(data)

    def check_jpegs(self, file: BinaryIO) -> None:
        """Raise ValueError if pixels are missing of parts that are JPEGs themselves."""
        tables = bytes(self._page.numbers(Tag.JPEG_TABLES))[:-2]  # without the marker of its end
        _check_shared(file, self._bytes)
        for (offset, length), height in zip(self._bytes, self.used * self.planes, strict=True):
            data = _part(file, offset, length, file.seek(0, 2))
            if len(data) < length:
                raise ValueError("fewer pixels than its size says")
            data = tables + data[2:] if tables else data
            frame = read_frame(data)
            if frame.height < height or frame.width < self.columns:
                raise ValueError("fewer pixels than its size says")
            if frame.height >= self.rows + _BLOCK or frame.width >= self.columns + _BLOCK:
                raise ValueError("more pixels than its size says")
            check_jpeg(data)


def check_parts(file: BinaryIO, page: Directory) -> None:
    """Refuse a page of which pixels are missing.

    Fax compression, of one bit, is not looked at: nothing tells how many rows it has.

    Raises
    ------
    ValueError, OSError
        If some are missing or damaged.
    """
    compression = page.number(Tag.COMPRESSION, 1)
    if compression == JPEG:
        Parts(page).check_jpegs(file)
    elif compression in COMPRESSIONS and page.number(Tag.PHOTOMETRIC, 1) != _YCBCR:
        parts = Parts(page)
        for plane in range(parts.planes):
            for _ in parts.blocks(file, plane):
                pass


def _part_size(page: Directory) -> tuple[int, int]:
    """Rows and columns of a strip or a tile."""
    height, width = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
    if page.numbers(Tag.TILE_OFFSETS):
        rows, columns = page.number(Tag.TILE_HEIGHT), page.number(Tag.TILE_WIDTH)
    else:
        rows, columns = min(page.number(Tag.ROWS_PER_STRIP, height), height), width
    if min(height, width, page.number(Tag.SAMPLES, 1), rows, columns) < 1:
        raise ValueError("a size of 0")
    # a tile may reach beyond the image, but no further than it needs
    if rows * columns > 4 * max(height, 1024) * max(width, 1024):
        raise ValueError(f"tiles of {columns}x{rows} px, of which no image needs one")
    return rows, columns


def _check_shared(file: BinaryIO, parts: Sequence[tuple[int, int]]) -> None:
    """Raise ValueError if parts claim the same bytes again and again."""
    if sum(length for _, length in parts) > max(4 * CHUNK, _SHARED * file.seek(0, 2)):
        raise ValueError("its parts claim more bytes than are there")


def _check_places(parts: Sequence[tuple[int, int]]) -> None:
    """Raise ValueError if parts begin in the header, or within another; equal ones may be one."""
    end = _HEADER
    for start, length in sorted({part for part in parts if part[1]}):
        if start < end:
            raise ValueError("a strip or tile begins within the header or another one")
        end = start + length


def _part(file: BinaryIO, offset: int, length: int, end: int) -> bytes:
    """Bytes of a strip or tile; fewer where the file ends, and memory for no more."""
    file.seek(offset)
    return file.read(max(0, min(length, end - offset)))
