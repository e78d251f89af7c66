"""The directory of a TIFF file: its numbers by tag. Classic TIFF and BigTIFF."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, BinaryIO

_MOST_PAGES = 1 << 20  # of more, the chain of directories runs in a circle
_MOST_NUMBERS = 1 << 26
_TYPES = {1: "B", 7: "B", 3: "H", 4: "I", 16: "Q", 18: "Q"}  # whole numbers; no others are needed


class Tag(IntEnum):
    """Tags of TIFF 6.0 by what they say."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_LENGTHS = 279
    PLANAR = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_LENGTHS = 325
    EXTRA = 338
    FORMAT = 339
    JPEG_TABLES = 347


_NEEDED = frozenset(Tag)


@dataclass(frozen=True)
class Directory:
    """What the directory of the first page says.

    Attributes
    ----------
    order : {"<", ">"}
        Byte order.
    tags : dict of int to tuple of int
        Those of `Tag` that are there.
    pages : int
        Number of pages in the file.
    """

    order: str
    tags: dict[int, tuple[int, ...]]
    pages: int

    def numbers(self, tag: Tag, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """All numbers of a tag."""
        return self.tags.get(tag) or default

    def number(self, tag: Tag, default: int | None = None) -> int:
        """The only number of a tag; ValueError if it is missing and has no default."""
        values = self.tags.get(tag, ())
        if values:
            return values[0]
        if default is None:
            raise ValueError(f"no {tag.name.lower()}")
        return default

    @property
    def orientation(self) -> int:
        """1..8, as in EXIF; 1 is upright, and whatever is none of them."""
        value = self.number(Tag.ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    def segments(self, tiled: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Offsets and lengths, in bytes, of all tiles or strips."""
        if tiled:
            return self.numbers(Tag.TILE_OFFSETS), self.numbers(Tag.TILE_LENGTHS)
        return self.numbers(Tag.STRIP_OFFSETS), self.numbers(Tag.STRIP_LENGTHS)


def read_directory(file: BinaryIO) -> Directory:
    """Read the directory of the first page, and count the others.

    Parameters
    ----------
    file : binary file
        At any position.

    Raises
    ------
    ValueError
        If it is damaged, or no TIFF.
    """
    file.seek(0)
    start = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
    version = struct.unpack(f"{order}H", start[2:])[0] if order and len(start) == 4 else 0
    if version not in (42, 43):
        raise ValueError("no TIFF")
    big = version == 43
    if big:
        file.seek(8)
    # of an entry, and of the count and the offset that stand before and behind all entries
    entry, count, word = ("HHQ8s", "Q", "Q") if big else ("HHI4s", "H", "I")
    (offset,) = _unpacked(file, order + word)
    tags: dict[int, tuple[Any, ...]] | None = None
    pages, seen = 0, set()
    while offset and offset not in seen and pages < _MOST_PAGES:
        seen.add(offset)
        file.seek(offset)
        try:
            (entries,) = _unpacked(file, order + count)
            if tags is None:
                read = [_unpacked(file, order + entry) for _ in range(entries)]
                tags = dict(filter(None, (_entry(file, order, one) for one in read)))
            file.seek(offset + struct.calcsize(count) + entries * struct.calcsize(f"={entry}"))
            pages += 1
            (offset,) = _unpacked(file, order + word)
        except ValueError:
            if tags is None:
                raise
            break  # what follows the first page is of no use anyway
    if tags is None:
        raise ValueError("no page")
    return Directory(order, tags, pages)


def _unpacked(file: BinaryIO, form: str) -> tuple[Any, ...]:
    size, place = struct.calcsize(form), file.tell()
    if size > 64 and size > file.seek(0, 2) - place:  # before memory is taken for it
        raise ValueError("the file ends early")
    file.seek(place)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("the file ends early")
    return struct.unpack(form, data)


def _entry(
    file: BinaryIO, order: str, entry: tuple[Any, ...]
) -> tuple[int, tuple[Any, ...]] | None:
    """Tag and numbers of an entry of the directory; None if they are not needed."""
    tag, kind, count, value = entry
    if tag not in _NEEDED or kind not in _TYPES or not 0 < count < _MOST_NUMBERS:
        return None
    form = f"{order}{count}{_TYPES[kind]}"
    if struct.calcsize(form) <= len(value):
        return tag, struct.unpack_from(form, value)
    file.seek(struct.unpack(f"{order}{'Q' if len(value) == 8 else 'I'}", value)[0])
    return tag, _unpacked(file, form)
