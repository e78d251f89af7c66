"""TIFF files of several pages: stacks of sections, frames and their labels."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
from PIL import Image, UnidentifiedImageError

from unetpred.errors import InputError, reason_of
from unetpred.io.files import atomic_path

STACK_ENDINGS = (".tif", ".tiff")
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
        with _reading(self.path), Image.open(self.path, formats=("TIFF",)) as image:
            self._count = getattr(image, "n_frames", 1)
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
            If the page is damaged, or of a kind that cannot be used.
        """
        with _reading(self.name(index)), Image.open(self.path, formats=("TIFF",)) as image:
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


class _reading:
    """Turn what Pillow raises of foreign bytes into one line."""

    def __init__(self, name: str):
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if error is None or isinstance(error, InputError) or not isinstance(error, Exception):
            return
        if isinstance(error, FileNotFoundError):
            raise InputError(f"{self._name}: no such file") from None
        if isinstance(error, UnidentifiedImageError):
            raise InputError(f"{self._name}: is not a TIFF file, or damaged") from None
        raise InputError(f"{self._name}: damaged TIFF ({reason_of(error)})") from None


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
