"""TIFF files of several pages: stacks of sections, frames and their labels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from PIL import Image

from unetpred.errors import InputError
from unetpred.images.formats.tiff import check_page, is_tiff, tiff_size
from unetpred.images.formats.tiff_directory import MOST_PAGES, read_directory
from unetpred.io.files import atomic_path
from unetpred.io.reading import check_regular, reading

STACK_ENDINGS = (".tif", ".tiff")
_PROBLEM = "damaged TIFF"
_PHOTOMETRIC, _SOFTWARE = 262, 305  # tags; 0 of the first: the smallest value is white
_KINDS = {"1": "1", "L": "L", "P": "P", "RGB": "RGB", "RGBA": "RGB", "I;16": "I;16", "F": "F"}
_KINDS |= {"I;16B": "I;16B", "I": "I", "RGBX": "RGB", "LA": "L", "PA": "P"}


class Pages:
    """The pages of a TIFF file, each read when it is asked for.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file is missing, damaged or no TIFF.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        check_regular(self.path)
        with reading(self.path, _PROBLEM), open(self.path, "rb") as file:
            if not is_tiff(file.read(4)):
                raise InputError(f"{self.path}: is not a TIFF file, or damaged")
            tiff_size(file, self.path)  # which may be more than allowed
            first = read_directory(file)
            self._count = first.pages
            if self._count == MOST_PAGES:
                raise ValueError(f"it has {MOST_PAGES} pages or more")
            if not first.plausible:
                raise ValueError("its tags claim more bytes than are there")
            file.seek(0)
            with Image.open(file, formats=("TIFF",)) as image:
                self._of_bool = is_of_bool(image)

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """What messages call a page."""
        return f"{self.path} page {index}"

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a page.

        Returns
        -------
        pixels : numpy.ndarray
            (H,W) or (H,W,3) as stored: bool, uint8, uint16, int32 or float32; of a page with a
            palette its indices.
        palette : numpy.ndarray or None
            (n,3) uint8, where there is one.

        Raises
        ------
        InputError
            If the page is damaged, pixels of it are missing, or it is of a kind that cannot be
            used.
        """
        with (
            reading(self.name(index), _PROBLEM),
            open(self.path, "rb") as file,
        ):
            check_page(file, read_directory(file, index), self.name(index))
            return self._read(file, index)

    def _read(self, file: BinaryIO, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        file.seek(0)
        with Image.open(file, formats=("TIFF",)) as image:
            image.seek(index)
            if image.mode not in _KINDS:
                raise InputError(
                    f"{self.name(index)}: colour mode {image.mode} is not supported; save it as "
                    "grey, RGB or with a palette"
                )
            image.load()
            wanted = _KINDS[image.mode]
            page = image if image.mode == wanted else image.convert(wanted)
            pixels = np.asarray(page)
            if self._of_bool and wanted == "1":
                pixels = ~pixels
            if pixels.dtype.byteorder == ">":
                pixels = pixels.astype(pixels.dtype.newbyteorder("="))
            palette = np.array(page.getpalette() or (), np.uint8).reshape(-1, 3)
            return pixels, palette if wanted == "P" else None


def is_of_bool(image: Image.Image) -> bool:
    """Whether a TIFF file is a bool array that tifffile wrote: it shows True as black.

    What is meant is True, and not black; tifffile itself, scikit-image and imageio read it so.
    """
    tags = getattr(image, "tag_v2", {})
    of_tifffile = str(tags.get(_SOFTWARE, "")).startswith("tifffile")
    return image.mode == "1" and tags.get(_PHOTOMETRIC) == 0 and of_tifffile


def is_stack(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a TIFF file of more than one page."""
    if not str(path).lower().endswith(STACK_ENDINGS) or not os.path.isfile(path):
        return False
    try:
        return len(Pages(path)) > 1
    except InputError:
        return False


def write_pages(
    path: str | os.PathLike[str], pages: Iterable[np.ndarray], palette: np.ndarray | None = None
) -> None:
    """Write a TIFF file of several pages, whole or not at all, one page in memory at a time.

    Parameters
    ----------
    path : path-like
    pages : iterable of numpy.ndarray
        (H,W) uint8.
    palette : numpy.ndarray, optional
        (256,3) uint8; the pages are indices into it.
    """

    def image(page: np.ndarray) -> Image.Image:
        made = Image.fromarray(np.ascontiguousarray(page))
        if palette is not None:
            made.putpalette(palette.astype(np.uint8).tobytes())
        return made

    images = map(image, pages)
    first = next(images)
    with atomic_path(path) as temporary:
        first.save(
            temporary, format="TIFF", save_all=True, append_images=images, compression="packbits"
        )
