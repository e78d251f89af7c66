"""Decoding of single image files, at the depth they were stored with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from unetpred.errors import InputError, reason_of

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262  # TIFF tags
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


class Decoded(NamedTuple):
    """What an image file holds.

    Attributes
    ----------
    pixels : numpy.ndarray
        (H,W) grey or (H,W,3) RGB, without alpha, upright by its EXIF orientation. The type tells
        the range: bool, uint8 (0..255), uint16 (0..65535), float (0..1), int32 (not scaled).
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


def image_size(path: str | os.PathLike) -> tuple[int, int]:
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
    return _guarded(path, _pillow_size, _tifffile_size)


def decode_image(path: str | os.PathLike) -> Decoded:
    """Read an image file.

    Of several pages or frames the first is taken. Colour profiles are not applied: pixels are
    the stored numbers, as other image libraries give them.

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
    return _guarded(path, _pillow_pixels, _tifffile_pixels)


def _guarded(path, with_pillow, with_tifffile):
    """Call a reader; tifffile's, for a TIFF that Pillow has no mode for (float RGB, ...)."""
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        if not start:
            raise InputError(f"{path}: is an empty file, not an image")
        try:
            return with_pillow(path)
        except (UnidentifiedImageError, NotImplementedError):
            if start[:2] in (b"II", b"MM"):
                return with_tifffile(path)
            raise InputError(
                f"{path}: is not an image, or damaged; PNG, JPEG, TIFF, BMP and WebP can be read"
            ) from None
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # decoders of foreign bytes raise anything
        raise InputError(f"{path}: damaged or unreadable image ({reason_of(error)})") from None


def _pillow_size(path: str) -> tuple[int, int]:
    with Image.open(path, formats=_FORMATS) as image:
        width, height = image.size
        if image.format == "TIFF":  # Pillow turns the size of a TIFF, depending on its version
            width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
        if image.format == "PNG":
            # In a PNG the orientation may follow the pixels, and Pillow decodes them to look.
            data = Path(path).read_bytes()
            if not any(mark in data for mark in (b"eXIf", b"exif", b"com.adobe.xmp")):
                return height, width
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (width, height) if turned else (height, width)


def _pillow_pixels(path: str) -> Decoded:
    with Image.open(path, formats=_FORMATS) as image:
        mode = image.mode
        # Cameras put previews behind a JPEG; those are no pages.
        pages = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        tags = image.tag_v2 if image.format == "TIFF" else {}
        raw_modes = _deep_raw_modes(image)
        if mode in _EIGHT_BIT and max(tags.get(_BITS, (8,))) > 8 and not raw_modes:
            raise NotImplementedError  # stored in a way that only tifffile knows
        image.load()
        upright = ImageOps.exif_transpose(image)
        colour_key = "transparency" in image.info
        if raw_modes:
            pixels = _deep_pixels(path, upright, raw_modes)
        elif mode.startswith("I;16") or (mode == "I" and image.format == "PNG"):
            pixels = np.asarray(upright).astype(np.uint16)
            if tags.get(_PHOTOMETRIC) == 0:  # white is zero
                pixels = np.uint16(65535) - pixels
        elif mode in ("F", "I"):
            pixels = np.asarray(upright)
        elif mode in _EIGHT_BIT:
            target = "RGBA" if colour_key else _EIGHT_BIT[mode]
            colour_key = False
            pixels = np.asarray(upright if target == mode else upright.convert(target))
        else:
            raise InputError(f"{path}: colour mode {mode} is not supported; save it as RGB")
    return _decoded(pixels, pages, colour_key)


def _decoded(pixels: np.ndarray, pages: int, colour_key: bool = False) -> Decoded:
    pixels, opaque = drop_alpha(pixels)
    notes = [f"holds {pages} pages; the first is used"] if pages > 1 else []
    if not opaque or colour_key:
        notes.append("is partly transparent; alpha is ignored")
    return Decoded(pixels, notes)


def _deep_pixels(path: str, upright: Image.Image, raw_modes: list[str]) -> np.ndarray:
    """Read 16-bit colours, of which Pillow keeps the high bytes only; (H,W,3|4) uint16."""
    if "LA;16B" in raw_modes:
        parts = _redecoded(path, ["RGBA"] * len(raw_modes)).astype(np.uint16)  # high, low, ...
        grey, alpha = parts[..., 0] << 8 | parts[..., 1], parts[..., 2] << 8 | parts[..., 3]
        return np.stack([grey, grey, grey, alpha], axis=-1)
    low = _redecoded(path, [_other_byte(raw) for raw in raw_modes])
    return np.asarray(upright).astype(np.uint16) << 8 | low


def _raw_mode(tile) -> str:
    return tile[3] if isinstance(tile[3], str) else str(tile[3][0])


def _deep_raw_modes(image: Image.Image) -> list[str]:
    """Name the raw modes of an image whose colours have 16 bits, if all can be redecoded."""
    raws = [_raw_mode(tile) for tile in image.tile]
    known = {f"{mode};16{order}" for mode in ("RGB", "RGBA") for order in "BLN"} | {"LA;16B"}
    return raws if raws and set(raws) <= known else []


def _other_byte(raw_mode: str) -> str:
    """Name the raw mode of the other byte order, under which Pillow keeps the low bytes."""
    native = "L" if sys.byteorder == "little" else "B"
    order = native if raw_mode[-1] == "N" else raw_mode[-1]
    return raw_mode[:-1] + ("L" if order == "B" else "B")


def _redecoded(path: str, raw_modes: list[str]) -> np.ndarray:
    """Decode once more as if the file's tiles had these raw modes; (H,W,3|4) uint8."""
    with Image.open(path, formats=_FORMATS) as image:
        tiles = []
        for tile, raw in zip(image.tile, raw_modes, strict=True):
            args = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
            plain = (*tile[:3], args)
            tiles.append(type(tile)(*plain) if hasattr(tile, "_fields") else plain)
        image.tile = tiles
        image.load()
        return np.asarray(ImageOps.exif_transpose(image))


def _tifffile_size(path: str) -> tuple[int, int]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        height, width = page.imagelength, page.imagewidth
        return (width, height) if _tiff_orientation(page) >= 5 else (height, width)


def _tifffile_pixels(path: str) -> Decoded:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        pages = len(file.pages)
        if page.axes not in ("YX", "YXS", "SYX") or page.photometric not in (0, 1, 2):
            raise InputError(
                f"{path}: a TIFF of shape {page.shape} (axes {page.axes}, photometric "
                f"{page.photometric}) is not supported; save it as grey or RGB"
            )
        pixels = page.asarray()
        if pixels.ndim != len(page.axes):  # what tifffile makes of broken tags
            raise InputError(f"{path}: damaged or unreadable image (no pixels)")
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)  # (H,W,S)
        pixels = _upright(pixels, _tiff_orientation(page))
    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4):
        raise InputError(f"{path}: has {pixels.shape[-1]} channels; 1 (grey), 3 or 4 can be used")
    return _decoded(pixels, pages)


def _tiff_orientation(page) -> int:
    tag = page.tags.get(_ORIENTATION)
    return int(tag.value) if tag is not None else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation; (H,W[,C]) -> (H',W'[,C])."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
