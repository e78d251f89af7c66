"""Decoding of single image files, at the depth they were stored with."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from unetpred.errors import InputError
from unetpred.images.formats.jpeg import check_jpeg, read_frame
from unetpred.images.formats.png import SIGNATURE, check_chunks, check_png, png_header
from unetpred.images.formats.tiff import check_page, is_tiff, read_tiff, tiff_size
from unetpred.images.formats.tiff_directory import read_directory
from unetpred.io.limits import check_size, max_pixels
from unetpred.io.reading import check_regular, reading

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_ORIENTATION = 0x0112
_BITS = 258  # TIFF tag
# Pillow's modes of 8 bits a channel, and what each is converted to.
_EIGHT_BIT = {
    "1": "1",
    "L": "L",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "LA": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
    "P": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}


# sizes are checked here, with a message that says what to do
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Decoded(NamedTuple):
    """What an image file holds.

    Attributes
    ----------
    pixels : numpy.ndarray
        (H,W) grey or (H,W,3) RGB, without alpha, upright by its EXIF orientation. The type tells
        the range: bool, uint8 (0..255), uint16 (0..65535), float (0..1); other integers are not
        scaled.
    notes : list of str
        What was left out (alpha, further pages), for a warning.
    """

    pixels: np.ndarray
    notes: list[str]


def drop_alpha(pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """Split the fourth channel off, if there is one.

    Parameters
    ----------
    pixels : numpy.ndarray
        (H,W), (H,W,1), (H,W,3) or (H,W,4).

    Returns
    -------
    pixels : numpy.ndarray
        (H,W), (H,W,1) or (H,W,3).
    opaque : bool
        Whether alpha was absent or at its maximum everywhere.
    """
    if pixels.ndim != 3 or pixels.shape[-1] != 4:
        return pixels, True
    alpha = pixels[..., 3]
    white = {"f": (1, 255), "b": (1,)}.get(pixels.dtype.kind, (255,))
    if pixels.dtype.itemsize == 2 and pixels.dtype.kind == "u":
        white = (255, 65535)
    return pixels[..., :3], bool(alpha.min() == alpha.max() and alpha.max() in white)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Read the height and width of an image file from its header.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, TIFF, BMP or WebP, whatever its ending.

    Returns
    -------
    tuple of int
        (H, W) after the EXIF orientation has been applied.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no such image.
    """
    return _guarded(path, _pillow_size, _tiff_size)


def decode_image(path: str | os.PathLike[str]) -> Decoded:
    """Read an image file.

    Of several pages or frames the first is taken. Colour profiles are not applied: pixels are
    the stored numbers, as other image libraries give them. Alpha is left away; colours that a
    TIFF has multiplied by alpha are divided by it.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, TIFF, BMP or WebP, whatever its ending.

    Returns
    -------
    Decoded

    Raises
    ------
    InputError
        If the file is missing, damaged (also if only its end is missing), or no such image.
    """
    return _guarded(path, _pillow_pixels, _tiff_pixels)


def _guarded(path, with_pillow, with_tiff):
    """Call a reader with the open file and its name; the one of TIFF may leave it to Pillow."""
    path = os.fspath(path)
    with reading(path, "damaged or unreadable image"):
        if not check_regular(path):
            raise InputError(f"{path}: is an empty file, not an image")
        # by an open file and not by its name, or Pillow maps pixels into memory as rows of the
        # length that a turned picture has
        with open(path, "rb") as file:
            start = file.read(4)
            found = with_tiff(file, path) if is_tiff(start) else None
            file.seek(0)
            try:
                return with_pillow(file, path) if found is None else found
            except UnidentifiedImageError:
                if is_tiff(start):
                    raise InputError(
                        f"{path}: is a TIFF of a kind or compression that cannot be read, or "
                        "damaged; save it uncompressed, or with LZW or Deflate"
                    ) from None
                raise InputError(
                    f"{path}: is not an image, or damaged; PNG, JPEG, TIFF, BMP and WebP can be "
                    "read"
                ) from None


def _tiff_size(file: BinaryIO, path: str) -> tuple[int, int]:
    return tiff_size(file, path)


def _tiff_pixels(file: BinaryIO, path: str) -> Decoded | None:
    read = read_tiff(file, path)
    return read and Decoded(*read)


def _pillow_size(file: BinaryIO, path: str) -> tuple[int, int]:
    with _opened(file, path) as image:
        width, height = image.size
        if image.format == "PNG":
            # In a PNG the orientation may follow the pixels, and Pillow decodes them to look.
            data = Path(path).read_bytes()
            if not any(mark in data for mark in (b"eXIf", b"exif", b"com.adobe.xmp")):
                return height, width
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (width, height) if turned else (height, width)


def opened_whole(file: BinaryIO, path: str, formats: Sequence[str] = _FORMATS) -> Image.Image:
    """Open an image with Pillow, of which no pixels are missing; nothing is decoded for good.

    Parameters
    ----------
    file : binary file
    path : str
        What messages call it.
    formats : sequence of str
        Of Pillow; of a TIFF the first page.

    Raises
    ------
    InputError, ValueError, OSError
        As `unetpred.images.formats.tiff.check_page`.
    """
    file.seek(0)
    if is_tiff(file.read(4)):
        check_page(file, read_directory(file), path)
    file.seek(0)
    image = _opened(file, path, formats)
    _check_complete(image, file)
    return image


def _opened(file: BinaryIO, path: str, formats: Sequence[str] = _FORMATS) -> Image.Image:
    """Open an image with Pillow; what it says of its size is checked, nothing decoded."""
    present, depth = os.fstat(file.fileno()).st_size, 0
    start = file.read(len(SIGNATURE))
    if start == SIGNATURE:
        header = png_header(file)
        depth = header.pixel_bytes
        check_chunks(file)
        check_size((header.height, header.width), present, path, depth)
    file.seek(0)
    given = max_pixels()
    if given and Image.MAX_IMAGE_PIXELS and given > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = given  # or Pillow would refuse what was asked for
    try:
        image = Image.open(file, formats=list(formats))
    except Image.DecompressionBombError as error:  # whose size is not to be had of it
        (pixels,) = re.findall(r"\((\d+) pixels\)", str(error)) or (0,)
        check_size((1, int(pixels)), present, path)
        raise
    width, height = image.size
    if not all(isinstance(side, int) for side in image.size):
        raise ValueError("its size is damaged")
    check_size((height, width), present, path, depth or len(image.getbands()))
    return image


def _check_complete(image: Image.Image, file: BinaryIO) -> None:
    """Raise ValueError where pixels are missing that Pillow fills up in silence."""
    place = file.tell()
    if image.format == "PNG":
        check_png(file)
    elif image.format in ("JPEG", "MPO"):
        file.seek(0)
        data = file.read()
        frame = read_frame(data)
        if (frame.width, frame.height) != image.size:
            raise ValueError("its size is damaged")
        check_jpeg(data)
    file.seek(place)


def _check_palette(image: Image.Image) -> None:
    """Raise ValueError where pixels name colours that are not there: Pillow makes them up."""
    if image.mode != "P":
        return
    palette = image.palette
    colours = len(palette.palette) // len(palette.mode) if palette else 0
    _, highest = cast(tuple[int, int], image.getextrema())
    if highest >= colours:
        raise ValueError(f"pixels of colour {highest} of a palette that has {colours} colours")


def _pillow_pixels(file: BinaryIO, path: str) -> Decoded:
    with _opened(file, path) as image:
        mode = image.mode
        # Cameras put previews behind a JPEG; those are no pages.
        pages = 1 if image.format in ("JPEG", "MPO") else _page_count(image, file)
        raw_modes = _deep_raw_modes(image)
        tags: Any = getattr(image, "tag_v2", {})  # of a TIFF
        depth = max(tags.get(_BITS, (8,))) if image.format == "TIFF" else 8
        if depth > 8 or (mode not in _EIGHT_BIT and image.format != "PNG"):
            raise InputError(
                f"{path}: colour mode {mode} with {depth} bits is not supported; save it as RGB"
            )
        _check_complete(image, file)
        image.load()
        _check_palette(image)
        upright = _turned(image)
        colour_key = "transparency" in image.info
        if raw_modes:
            pixels = _deep_pixels(path, upright, raw_modes)
        elif mode.startswith("I"):
            pixels = np.asarray(upright).astype(np.uint16)
        else:
            target = "RGBA" if colour_key else _EIGHT_BIT[mode]
            colour_key = False
            pixels = np.asarray(upright if target == mode else upright.convert(target))
    pixels, opaque = drop_alpha(pixels)
    notes = [f"holds {pages} pages; the first is used"] if pages > 1 else []
    if not opaque or colour_key:
        notes.append("is partly transparent; alpha is ignored")
    return Decoded(pixels, notes)


def _page_count(image: Image.Image, file: BinaryIO) -> int:
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1)
    place = file.tell()  # Pillow would read all that it is told of every page
    pages = read_directory(file).pages
    file.seek(place)
    return pages


def _deep_pixels(path: str, upright: Image.Image, raw_modes: list[str]) -> np.ndarray:
    """Read 16-bit colours, of which Pillow keeps the high bytes only; (H,W,3|4) uint16."""
    if "LA;16B" in raw_modes:
        parts = _redecoded(path, ["RGBA"] * len(raw_modes)).astype(np.uint16)  # high, low, ...
        grey, alpha = parts[..., 0] << 8 | parts[..., 1], parts[..., 2] << 8 | parts[..., 3]
        return np.stack([grey, grey, grey, alpha], axis=-1)
    low = _redecoded(path, [f"{raw[:-1]}L" for raw in raw_modes])  # the other byte order's high
    return np.asarray(upright).astype(np.uint16) << 8 | low


def _raw_mode(tile: Any) -> str:
    return tile[3] if isinstance(tile[3], str) else str(tile[3][0])


def _deep_raw_modes(image: Any) -> list[str]:
    """Name the raw modes of a PNG whose colours have 16 bits, if all can be redecoded."""
    raws = [_raw_mode(tile) for tile in image.tile] if image.format == "PNG" else []
    return raws if raws and set(raws) <= {"RGB;16B", "RGBA;16B", "LA;16B"} else []


def _redecoded(path: str, raw_modes: list[str]) -> np.ndarray:
    """Decode once more as if the file's tiles had these raw modes; (H,W,3|4) uint8."""
    with Image.open(path, formats=_FORMATS) as image:
        tiles: list[Any] = []
        for tile, raw in zip(image.tile, raw_modes, strict=True):
            args = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
            plain = (*tile[:3], args)
            tiles.append(type(tile)(*plain) if hasattr(tile, "_fields") else plain)
        image.tile = tiles
        image.load()
        return np.asarray(_turned(image))


def _turned(image: Image.Image) -> Image.Image:
    """Turn an image upright, without a copy if it is."""
    ImageOps.exif_transpose(image, in_place=True)
    return image
