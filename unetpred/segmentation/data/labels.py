"""Label files: reading what they say by index, and telling from all of them what classes there are.

A png with a palette is read by its indices, never by its colours; but black and white are that.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from unetpred.errors import InputError
from unetpred.images.decoding import opened_whole
from unetpred.images.formats.tiff_pages import is_of_bool
from unetpred.io.files import atomic_path
from unetpred.io.reading import check_regular, reading
from unetpred.segmentation.data.classes import DOUBT, Classes, default_colours, read_classes

logger = logging.getLogger(__name__)

_FORMATS = ("PNG", "TIFF", "BMP", "GIF")


class Label(NamedTuple):
    """What a label file holds.

    Attributes
    ----------
    values : numpy.ndarray
        (H,W) integers or bool; (H,W,3) uint8 of one in colour.
    palette : numpy.ndarray or None
        (n,3) uint8, of one with a palette.
    """

    values: np.ndarray
    palette: np.ndarray | None = None


def read_label(path: str | os.PathLike[str], floats: bool = False) -> Label:
    """Read a label file: png, tif, bmp or gif.

    Parameters
    ----------
    path : path-like
    floats : bool
        Whether it may hold floats, as masks of probabilities do.

    Raises
    ------
    InputError
        If it is missing, damaged, no image, of a kind that is no label, or pixels are missing.
    """
    path = os.fspath(path)
    check_regular(path)
    with reading(path, "damaged or unreadable label"), open(path, "rb") as file:
        try:
            with opened_whole(file, path, (*_FORMATS, "JPEG")) as image:
                return _read(image, path, floats)
        except UnidentifiedImageError:
            raise InputError(f"{path}: is not an image, or damaged") from None


def _read(image: Image.Image, path: str, floats: bool) -> Label:
    if image.format not in _FORMATS:
        raise InputError(f"{path}: is a JPEG, which changes values; save labels as png")
    image.load()
    if image.mode == "P":
        palette = np.array(image.getpalette() or (), np.uint8).reshape(-1, 3)
        return label_of(np.asarray(image), palette)
    if image.mode in ("LA", "RGBA", "RGBX", "CMYK"):
        return label_of(np.asarray(image.convert("L" if image.mode == "LA" else "RGB")))
    known = ("1", "L", "RGB", *("F" * floats))
    if image.mode not in known and not image.mode.startswith("I"):
        raise InputError(
            f"{path}: colour mode {image.mode} is none of labels; save it as grey levels or with "
            "a palette"
        )
    return label_of(~np.asarray(image) if is_of_bool(image) else np.asarray(image))


def label_of(values: np.ndarray, palette: np.ndarray | None = None) -> Label:
    """Make a label of an array; a palette of white and black alone is grey.

    Programs that make files small write black and white so, in either order, and some files of a
    set in one and some in the other. A palette whose colours are the grey levels themselves is
    none.
    """
    if palette is not None and values.size and values.max() < len(palette):
        levels = palette[:, 0]
        if len(palette) <= 2 and (palette == levels[:, None]).all() and set(levels) <= {0, 255}:
            return Label((levels == 255)[values])
        used = np.unique(values)
        if (palette[used] == used[:, None]).all():
            return Label(values)
    return Label(values, palette)


class Survey:
    """What a set of labels has, taken together: values, kinds, palettes.

    Parameters
    ----------
    classes : path-like, optional
        A file of names, and colours where labels are in colour; see `read_classes`.
    void : int, optional
        The value of pixels that do not count; of labels in colour, the line of the file.
    """

    def __init__(self, classes: str | os.PathLike[str] | None = None, void: int | None = None):
        if void is not None and not 0 <= void <= 255:
            raise InputError(f"void is {void}; a value of labels, 0..255, is needed")
        self._names: list[str] | None = None
        self._colours: list[tuple[int, int, int]] | None = None
        if classes:
            self._names, self._colours = read_classes(classes)
        self._file, self.void = classes, void
        self._first: dict[int, str] = {}  # where a value was first seen
        self._bits: dict[int, str] = {}  # and in labels of one bit, whose 1 may be others' 255
        self._coloured = self._levels = ""  # the first label in colour, and in grey levels
        self._mixed = False  # whether it is said that there are both
        # the first label whose levels are not 0 alone, and whose palette is of other grey levels
        self._some = self._greys = ""
        self._palette: tuple[str, np.ndarray] | None = None
        if self._colours:
            self._palette = os.fspath(classes or ""), np.array(self._colours, np.uint8)
        self._plain = True  # no palette so far
        self._labels = self._black_white = 0  # how many there are, and of 0 and 255 alone
        self._odd: set[str] = set()

    def values(self, label: Label, name: str) -> np.ndarray:
        """Give the values of a label (H,W): of one in colour, lines of the file of classes.

        Without colours in the file, RGB whose channels are equal is grey.

        Raises
        ------
        InputError
            If a colour is unknown, or there are no colours to compare with.
        """
        values = label.values
        # with colours to compare with it is one in colour though every pixel is grey: of sky and
        # void alone, say
        if self._colours is None and values.ndim == 3 and (values == values[..., :1]).all():
            values = values[..., 0]
        if values.ndim == 2:
            return values.astype(np.uint8) if values.dtype == bool else values
        if self._colours is None:
            hint = (
                f"{self._file} needs a colour behind each name"
                if self._file
                else "give --classes FILE with a line NAME R G B for each class"
            )
            raise InputError(f"{name}: is a label in colour; {hint}")
        codes = values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
        found = np.full(codes.shape, -1, np.int16)
        for index, (r, g, b) in enumerate(self._colours):
            found[codes == (r << 16 | g << 8 | b)] = index
        if (found < 0).any():
            colours, counts = np.unique(codes[found < 0], return_counts=True)
            worst = int(colours[counts.argmax()])
            colour = (worst >> 16, worst >> 8 & 255, worst & 255)
            raise InputError(
                f"{name}: has the colour {colour} ({counts.max()} px), which {self._file} has not"
            )
        return found.astype(np.uint8)

    def add(self, label: Label, name: str) -> np.ndarray:
        """Look at a label, and give its `values`."""
        values = self.values(label, name)
        if values.ndim != 2 or values.dtype.kind not in "ui":
            raise InputError(f"{name}: a label has integers (height, width)")
        if values.size and (values.min() < 0 or values.max() > 255):
            raise InputError(
                f"{name}: has values from {values.min()} to {values.max()}; a label has 0..255"
            )
        found = set(map(int, np.flatnonzero(np.bincount(values.ravel()))))
        for value in found:
            (self._bits if label.values.dtype == bool else self._first).setdefault(value, name)
        self._labels += 1
        self._black_white += found - {self.void} <= {0, 255}
        if label.palette is not None:
            self._plain = False
            self.compare_palettes(label, name)
            if not self._greys and _of_greys(label.palette, values):
                self._greys = name
        elif label.values.ndim == 2:
            self._levels = self._levels or name
            if not self._some and values.any() and values.dtype == label.values.dtype:
                self._some = name
        elif self._colours:
            self._coloured = self._coloured or name
        if self._levels and self._coloured and not self._mixed:
            self._mixed = True
            logger.warning(
                "%s: has grey levels, where %s is in colour; its levels are taken as lines of %s, "
                "so if a program has made it grey, restore the label",
                self._levels,
                self._coloured,
                self._file,
            )
        if self._greys and self._some and not self._odd:
            self._odd.add(self._greys)
            logger.warning(
                "%s: its palette has grey levels that are not its indices, where %s has grey "
                "levels; labels are read by index, so if a program has made the palette, restore "
                "the label",
                self._greys,
                self._some,
            )
        return values

    def compare_palettes(self, label: Label, name: str) -> None:
        """Warn of a label whose palette is not that of the first one, or of the file."""
        values, own = label.values, label.palette
        if own is None:
            return
        if self._palette is None:
            self._palette = name, own
            return
        first, palette = self._palette
        used = np.unique(values)
        common = used[used < min(len(palette), len(own))]
        if (palette[common] != own[common]).any() and not self._odd:
            self._odd.add(name)
            logger.warning(
                "%s: its palette is not that of %s; labels are read by index, so if a program has "
                "reordered the palette, restore the label",
                name,
                first,
            )
        if len(own) > len(palette):
            self._palette = first, np.concatenate([palette, own[len(palette) :]])

    def classes(self) -> Classes:
        """Tell the classes.

        Raises
        ------
        InputError
            If a value is none of the classes of the file; if, without a file, values have a gap;
            or if there are fewer than two classes.
        """
        first, levels = dict(self._first), set(self._first) - {self.void}
        white = 255 if 255 in levels and levels <= {0, 255} else 1
        for value, name in self._bits.items():
            first.setdefault(value and white, name)
        found = sorted(set(first) - {self.void})
        names = self._names
        black_white = self._plain and set(found) <= {0, 255} and 255 in found
        if black_white and (names is None or len(names) == 2):
            logger.info("labels of 0 and 255 are taken as two classes, 0 and 1")
            names = names or ["0", "1"]
            return Classes(tuple(names), (0, 255), ((0, 0, 0), (255, 255, 255)), self.void)
        if names is None:
            lowest = 1 if self.void == 0 else 0
            count = found[-1] + 1 if found else 0
            values = [value for value in range(lowest, count) if value != self.void]
            if missing := [value for value in values if value not in first]:
                last = found[-1]
                odd = [value for value in found if value not in (0, 255)]
                if last == 255 and odd and 2 * self._black_white > self._labels:
                    raise InputError(
                        f"{first[odd[0]]}: has the value {odd[0]}, where most labels have 0 "
                        f"and 255 alone; mend it, or give --void {odd[0]} if it shall not count"
                    )
                raise InputError(
                    f"{first[last]}: has the value {last}, where no label has {missing[0]}; "
                    f"give --void {last} if it shall not count, or --classes FILE with the name of "
                    "every class"
                )
            names = [str(value) for value in range(count)]
        else:
            values = [value for value in range(len(names)) if value != self.void]
            if unknown := [value for value in found if value not in values]:
                raise InputError(
                    f"{first[unknown[0]]}: has the value {unknown[0]}; {self._file} has the "
                    f"classes 0..{len(names) - 1}"
                    + ("; give --void 255 if it shall not count" if unknown[0] == 255 else "")
                )
        if len(values) < 2:
            where = next(iter(first.values()), "the labels")
            raise InputError(
                f"{where}: labels have {len(values)} class(es); two or more are needed"
            )
        return Classes(
            tuple(names[value] for value in values), tuple(values), self._shown(values), self.void
        )

    def check(self, classes: Classes) -> None:
        """Raise InputError if the labels of two known classes have both 1 and 255."""
        if classes.doubtful and {1, 255} <= set(self._first):
            raise InputError(
                f"{self._first[255]}: has the value 255, and {self._first[1]} has 1; {DOUBT}"
            )

    def _shown(self, values: list[int]) -> tuple[tuple[int, int, int], ...]:
        if self._colours:
            return tuple(self._colours[value] for value in values)
        colours = list(default_colours(values))
        if self._palette is not None and len(values) > 2:
            palette = self._palette[1]
            for place, value in enumerate(values):
                if value < len(palette):
                    red, green, blue = map(int, palette[value])
                    colours[place] = red, green, blue
        return tuple(colours)


def _of_greys(palette: np.ndarray, values: np.ndarray) -> bool:
    """Whether what is used of a palette is grey, and more than black and white."""
    if not values.size or values.max() >= len(palette):
        return False
    used = palette[np.unique(values)]
    return bool((used == used[:, :1]).all()) and not set(map(int, used[:, 0])) <= {0, 255}


def survey(
    labels: Iterable[tuple[str, Label]],
    classes: str | os.PathLike[str] | None = None,
    void: int | None = None,
) -> Classes:
    """Tell the classes of labels, each with the name that messages call it; see `Survey`."""
    looked = Survey(classes, void)
    for name, label in labels:
        looked.add(label, name)
    return looked.classes()


def write_mask(path: str | os.PathLike[str], values: np.ndarray, palette: np.ndarray) -> None:
    """Write a png with a palette.

    Parameters
    ----------
    path : path-like
    values : numpy.ndarray
        (H,W) uint8, indices into the palette.
    palette : numpy.ndarray
        (256,3) uint8.
    """
    image = Image.fromarray(np.ascontiguousarray(values))
    # all entries up to the last used one, so that every mask of a set has the same
    image.putpalette(palette.astype(np.uint8).tobytes())
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")
