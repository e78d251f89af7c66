"""TIFF files of grey levels and RGB at any depth, as TIFF 6.0 [1]_ says.

Pillow has modes for some of the kinds only, and its modes hide what the numbers mean. It is used
here to undo compressions alone.

References
----------
.. [1] Adobe, "TIFF Revision 6.0", 1992; the predictor of floats: "TIFF Technical Note 3", 2005.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.images.formats.tiff_codecs import COMPRESSIONS
from unetpred.images.formats.tiff_directory import Directory, Tag, read_directory
from unetpred.images.formats.tiff_parts import Parts, check_parts
from unetpred.io.limits import check_size

_UINT, _INT, _FLOAT = 1, 2, 3  # sample formats
_ASSOCIATED = 1  # kind of an extra sample: alpha that the colours are multiplied by


class Tiff(NamedTuple):
    """The first page of a TIFF file.

    Attributes
    ----------
    pixels : numpy.ndarray
        (H,W) or (H,W,3), upright, 0 = black. bool, uint8 and uint16 where the samples have 1, up
        to 8 or 16 bits; float 0..1 for other depths up to 16 bits and for floats; other integers
        as they are.
    notes : list of str
        What was left out.
    """

    pixels: np.ndarray
    notes: list[str]


def is_tiff(start: bytes) -> bool:
    """Whether a file that starts so (4 bytes) is a TIFF."""
    return start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def tiff_size(file: BinaryIO, name: str) -> tuple[int, int]:
    """(H, W) of the first page, upright. Raises as `read_tiff`."""
    page = read_directory(file)
    size = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
    check_size(size, _length(file), name, _pixel_bytes(page))
    return size[::-1] if page.orientation >= 5 else size


def read_tiff(file: BinaryIO, name: str) -> Tiff | None:
    """Read the first page.

    Colours that are multiplied by alpha are divided by it again, so that leaving alpha away gives
    the same picture whichever way it was stored.

    Parameters
    ----------
    file : binary file
        At any position.
    name : str
        What messages call it.

    Returns
    -------
    Tiff or None
        None for what is no grey or RGB by numbers (a palette, YCbCr, CMYK), or is compressed as
        pictures are (JPEG, fax).

    Raises
    ------
    InputError
        If the samples are of a kind that cannot be used.
    ValueError
        If the file is damaged.
    """
    page = read_directory(file)
    compression, photometric = page.number(Tag.COMPRESSION, 1), page.number(Tag.PHOTOMETRIC, 1)
    if photometric > 2 or compression not in COMPRESSIONS:
        check_page(file, page, name)
        return None
    size = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
    check_size(size, _length(file), name, _pixel_bytes(page))
    samples = _samples(file, page, _checked_bits(page, name))
    colours, notes = _colours(samples, page, name)
    if page.pages > 1:
        notes.insert(0, f"holds {page.pages} pages; the first is used")
    return Tiff(np.ascontiguousarray(upright(colours, page.orientation)), notes)


def check_page(file: BinaryIO, page: Directory, name: str) -> None:
    """Refuse a page before Pillow reads it: its size, its tags, and pixels that are missing.

    Raises
    ------
    InputError
        If it has more pixels than allowed.
    ValueError, OSError
        If it is damaged.
    """
    size = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
    check_size(size, _length(file), name, _pixel_bytes(page))
    if not page.plausible:
        raise ValueError("its tags claim more bytes than are there")
    check_parts(file, page)


def _length(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _pixel_bytes(page: Directory) -> int:
    """Bytes that a pixel takes as it is decoded."""
    return page.number(Tag.SAMPLES, 1) * max(1, max(page.numbers(Tag.BITS, (1,))) // 8)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an orientation of TIFF or EXIF; (H,W[,C]) -> (H',W'[,C])."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _checked_bits(page: Directory, name: str) -> int:
    """Bits of a sample, all alike and of a kind that can be decoded, of one to four channels."""
    count = page.number(Tag.SAMPLES, 1)
    if count > 4 or (count < 3 and page.number(Tag.PHOTOMETRIC, 1) == 2):
        raise InputError(
            f"{name}: has {count} channels; 1 (grey), 3 (RGB), or these and alpha can be used"
        )
    bits = set(page.numbers(Tag.BITS, (1,)))
    kinds = set(page.numbers(Tag.FORMAT, (_UINT,)))
    kind, depth = min(kinds), min(bits)
    whole = depth in (8, 16, 32, 64)
    right = {_UINT: whole or 1 <= depth <= 16, _INT: whole, _FLOAT: whole and depth > 8}
    if len(bits) > 1 or len(kinds) > 1 or not right.get(kind, False):
        texts = (", ".join(map(str, sorted(values))) for values in (bits, kinds))
        raise InputError(
            "{}: has samples of {} bits and format {}, which is not supported; save it as 8 or 16 "
            "bits, or floats".format(name, *texts)
        )
    return depth


def _samples(file: BinaryIO, page: Directory, bits: int) -> np.ndarray:
    """All samples as they are stored, in this machine's byte order; (H,W,S)."""
    height, width = page.number(Tag.HEIGHT), page.number(Tag.WIDTH)
    count, parts = page.number(Tag.SAMPLES, 1), Parts(page)
    per, places, used = parts.per, parts.places, parts.used
    result: np.ndarray | None = None
    for plane in range(parts.planes):
        for start, block in parts.blocks(file, plane):
            # (rows of several parts,w,per)
            values = _values(block, page, bits, (parts.columns, per))
            if result is None:
                result = np.empty((height, width, count), values.dtype)
            row = 0
            for (y, x), have in zip(places[start:], used[start:], strict=True):
                if row == len(values):
                    break
                channels = slice(plane * per, (plane + 1) * per)
                target = result[y : y + have, x : x + parts.columns, channels]
                target[:] = values[row : row + target.shape[0], : target.shape[1]]
                row += have
    if result is None:
        raise ValueError("no pixels")
    return result


def _values(block: np.ndarray, page: Directory, bits: int, shape: tuple[int, int]) -> np.ndarray:
    """Bytes (R,row_bytes) -> samples (R,*shape)."""
    predictor = page.number(Tag.PREDICTOR, 1)
    kind = {_UINT: "u", _INT: "i", _FLOAT: "f"}[page.numbers(Tag.FORMAT, (_UINT,))[0]]
    if bits not in (8, 16, 32, 64):
        if predictor != 1:
            raise ValueError(f"predictor {predictor} for {bits} bits")
        return _unpacked(block, bits, shape)
    size = bits // 8
    if predictor == 3 and kind == "f":
        # differences of bytes; of a row, all first bytes come before all second ones
        whole = np.cumsum(block.reshape(len(block), -1, shape[1]), axis=1, dtype=np.uint8)
        whole = whole.reshape(len(block), size, -1).swapaxes(1, 2)
        values = np.ascontiguousarray(whole).view(f">u{size}")
    else:
        values = block.view(f"{page.order}u{size}")
    values = values.reshape(len(block), *shape).astype(f"u{size}")
    if predictor == 2:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    elif predictor not in (1, 3) or (predictor == 3 and kind != "f"):
        raise ValueError(f"predictor {predictor}")
    return values.view(f"{kind}{size}")


def _unpacked(block: np.ndarray, bits: int, shape: tuple[int, int]) -> np.ndarray:
    """Samples of 1..15 bits, which lie close together, most significant bit first."""
    held = 8 if bits < 8 else 16
    single = np.unpackbits(block, axis=1, count=shape[0] * shape[1] * bits)
    single = single.reshape(len(block), -1, bits)
    padded = np.zeros((*single.shape[:2], held), np.uint8)
    padded[..., held - bits :] = single
    values = np.packbits(padded, axis=-1).view(f">u{held // 8}")
    return values.astype(f"u{held // 8}").reshape(len(block), *shape)


def _colours(samples: np.ndarray, page: Directory, name: str) -> tuple[np.ndarray, list[str]]:
    """Grey (H,W) or RGB (H,W,3) in a type that tells the range, of all samples (H,W,S)."""
    count, kind = samples.shape[-1], samples.dtype.kind
    colours = 3 if count >= 3 else 1
    photometric = page.number(Tag.PHOTOMETRIC, 1)
    bits = page.numbers(Tag.BITS, (1,))[0]
    top = 1 if kind == "f" else (1 << bits) - 1
    values, extra = samples[..., :colours], samples[..., colours:]
    if photometric == 0:  # white is zero
        if kind == "i":
            raise InputError(f"{name}: signed integers whose white is 0 are not supported")
        if bits == 16 and kind == "f":
            values = values.astype("float32")  # has room for the difference
        values = values.dtype.type(top) - values
    notes = []
    if extra.size and (extra != top).any():
        # of software that says nothing of a fourth channel, it is alpha
        (alpha_kind,) = page.numbers(Tag.EXTRA, ())[-1:] or (2,)
        notes.append(
            "is partly transparent; alpha is ignored"
            if alpha_kind
            else "has a further channel of unspecified kind, which is ignored"
        )
        if alpha_kind == _ASSOCIATED:
            values = _divided(values, extra, top)
    values = values[..., 0] if colours == 1 else values
    if bits == 1:
        return values.astype(bool), notes
    if kind == "u" and bits < 16 and bits != 8:
        whole, rest = divmod(255, top)
        return (values / top if rest else values * np.uint8(whole)), notes
    return values, notes


def _divided(values: np.ndarray, alpha: np.ndarray, top: int) -> np.ndarray:
    """Undo the multiplication by alpha (H,W,1); black where alpha is 0."""
    wide = values.astype("float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = np.where(alpha == 0, 0, np.clip(wide * (top / alpha.astype("float64")), 0, top))
    wide = np.where(alpha == top, values, wide)
    return (wide if values.dtype.kind == "f" else np.rint(wide)).astype(values.dtype)
