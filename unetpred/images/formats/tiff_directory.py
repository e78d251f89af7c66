"""The directory of a TIFF file: its numbers by tag. Classic TIFF and BigTIFF."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, BinaryIO

MOST_PAGES = 1 << 18
"""Pages that are counted; of more, the chain of directories runs in a circle."""
_MOST_NUMBERS = 1 << 26
_CLASSIC, _BIG = ("HHI4s", "H", "I"), ("HHQ8s", "Q", "Q")
_FREE = 1 << 16  # bytes that tags of a small file may claim, although it has fewer
_SHARED = 16  # times that pages may claim the bytes of a file, since several may share some
_TYPES = {1: "B", 7: "B", 3: "H", 4: "I", 16: "Q", 18: "Q"}  # whole numbers; no others are needed
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}


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
    """What the directory of a page says.

    Attributes
    ----------
    order : {"<", ">"}
        Byte order.
    tags : dict of int to tuple of int
        Those of `Tag` that are there.
    pages : int
        Number of pages in the file.
    plausible : bool
        Whether all tags of all pages, known ones or not, claim no more bytes than a file of this
        size may have. Pillow reads them without asking.
    """

    order: str
    tags: dict[int, tuple[int, ...]]
    pages: int
    plausible: bool = True

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


def read_directory(file: BinaryIO, page: int = 0) -> Directory:
    """Read the directory of a page, and count all pages.

    Parameters
    ----------
    file : binary file
        At any position.
    page : int
        Which one, from 0.

    Raises
    ------
    ValueError
        If it is damaged, has no such page, or is no TIFF.
    """
    length = file.seek(0, 2)
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
    entry, count, word = (f"{order}{form}" for form in (_BIG if big else _CLASSIC))
    (offset,) = _unpacked(file, word)
    found: list[tuple[Any, ...]] | None = None
    pages, seen = 0, set()
    left, claimed = length, 0
    while offset and offset not in seen and pages < MOST_PAGES:
        seen.add(offset)
        file.seek(offset)
        try:
            (entries,) = _unpacked(file, count)
            read = list(struct.iter_unpack(entry, _bytes(file, entries * struct.calcsize(entry))))
            (offset,) = _unpacked(file, word)
        except ValueError:
            if pages <= page:
                raise
            break  # what follows is of no use anyway
        if (left := left - entries * struct.calcsize(entry)) < 0:
            raise ValueError("its pages overlap")
        claimed += sum(one[2] * _SIZES.get(one[1], 0) for one in read)
        if pages == page:
            found = read
        pages += 1
    if found is None:
        raise ValueError(f"no page {page}" if pages else "no page")
    tags: dict[int, tuple[Any, ...]] = {}
    left = length + _FREE
    for tag, kind, number, value in found:
        # each once, or a small file has the same numbers read again and again
        if tag not in _NEEDED or kind not in _TYPES or not 0 < number < _MOST_NUMBERS:
            continue
        if tag not in tags and (left := left - number * _SIZES[kind]) >= 0:
            tags[tag] = _numbers(file, f"{order}{number}{_TYPES[kind]}", value)
    return Directory(order, tags, pages, claimed <= _SHARED * length + _FREE)


def _unpacked(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))


def _bytes(file: BinaryIO, size: int) -> bytes:
    if size > 64:  # before memory is taken for it
        place = file.tell()
        if size > file.seek(0, 2) - place:
            raise ValueError("the file ends early")
        file.seek(place)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("the file ends early")
    return data


def _numbers(file: BinaryIO, form: str, value: bytes) -> tuple[Any, ...]:
    """Numbers of an entry of the directory, which are its value or lie where that says."""
    if struct.calcsize(form) <= len(value):
        return struct.unpack_from(form, value)
    file.seek(struct.unpack(f"{form[0]}{'Q' if len(value) == 8 else 'I'}", value)[0])
    return _unpacked(file, form)
