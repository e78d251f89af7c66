"""Images with labels: in two folders, as PASCAL VOC lays them out, in stacks, or one's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.images.arrays import Warner
from unetpred.images.decoding import IMAGE_ENDINGS, decode_image, image_size
from unetpred.images.formats.tiff_pages import STACK_ENDINGS, Pages, is_stack
from unetpred.images.sources import levels
from unetpred.segmentation.data.labels import Label, label_of, read_label

AnyPath = str | os.PathLike[str]

logger = logging.getLogger(__name__)

_warn = Warner()  # images are read again and again

LABEL_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".gif")


class Dataset:
    """Images and their labels: the base class of one's own.

    A class derived from this one has `__len__` and `__getitem__`, and nothing else is needed::

        class Cells(unetpred.segmentation.Dataset):
            def __len__(self):
                return 100

            def __getitem__(self, index):
                return image, label  # (H,W,3) or (H,W), 0..255; (H,W) integers

    `IndexError` beyond the end is not needed. Sizes may differ from image to image. The same index
    gives the same pair each time it is asked for; it may be asked from several threads.

    Attributes
    ----------
    void : int or None
        The value of labels whose pixels do not count.
    classes : path-like or None
        A file of the names of the classes, see `unetpred.segmentation.data.classes.read_classes`.
    """

    void: int | None = None
    classes: AnyPath | None = None

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Give the image, (H,W,3) or (H,W), 0..255, and its label, (H,W) integers."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What messages and tables call an image."""
        return f"{type(self).__name__} {index}"

    # what files have beyond arrays

    def label(self, index: int) -> Label:
        """Give the label as it was found."""
        return label_of(np.asarray(self[index][1]))

    def size(self, index: int) -> tuple[int, int]:
        """(H,W) of the image."""
        return np.shape(self[index][0])[:2]

    def label_name(self, index: int) -> str:
        """What messages call a label."""
        return f"{self.name(index)} (label)"


class _Files(Dataset):
    """Pairs of files."""

    def __init__(
        self,
        pairs: Sequence[tuple[Path, Path]],
        classes: AnyPath | None = None,
        void: int | None = None,
    ):
        self.pairs, self.classes, self.void = list(pairs), classes, void

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return read_image(self.pairs[index][0]), self.label(index).values

    def name(self, index: int) -> str:
        return str(self.pairs[index][0])

    def label(self, index: int) -> Label:
        return read_label(self.pairs[index][1])

    def size(self, index: int) -> tuple[int, int]:
        return image_size(self.pairs[index][0])

    def label_name(self, index: int) -> str:
        return str(self.pairs[index][1])


class Folders(_Files):
    """Images in a folder, labels of the same stems in another one.

    Parameters
    ----------
    images, labels : path-like
        The folders. A label has the stem of its image, or that and `_mask`.
    classes, void
        See `Dataset`.

    Raises
    ------
    InputError
        If a folder has no files, an image no label, or two files the same stem.
    """

    def __init__(
        self,
        images: AnyPath,
        labels: AnyPath,
        classes: AnyPath | None = None,
        void: int | None = None,
    ):
        super().__init__(pair_by_stem(images, labels), classes, void)


class VOC(_Files):
    """PASCAL VOC: `JPEGImages`, `SegmentationClass` and `ImageSets/Segmentation/SPLIT.txt`.

    Parameters
    ----------
    root : path-like
        The folder that these are in.
    split : str
        The name of the list of images, such as "train".
    classes, void
        See `Dataset`; `void` is 255 unless given.

    Raises
    ------
    InputError
        If a folder, the list or a file that it names is missing.
    """

    def __init__(
        self,
        root: AnyPath,
        split: str,
        classes: AnyPath | None = None,
        void: int | None = 255,
    ):
        root = Path(root)
        images, labels = root / "JPEGImages", root / "SegmentationClass"
        lists = root / "ImageSets" / "Segmentation"
        for folder in (images, labels, lists):
            if not folder.is_dir():
                raise InputError(
                    f"{folder}: is not there; --voc takes a folder with JPEGImages, "
                    "SegmentationClass and ImageSets/Segmentation"
                )
        file = lists / f"{split}.txt"
        if not file.is_file():
            have = ", ".join(sorted(path.stem for path in lists.glob("*.txt"))) or "none"
            raise InputError(f"{file}: no such list of images; there are {have}")
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{file}: is not text (UTF-8); a name a line is needed") from None
        stems = [line.split()[0] for line in lines if line.strip()]
        if not stems:
            raise InputError(f"{file}: names no images")
        found = _by_stem(images, IMAGE_ENDINGS)
        pairs = []
        for stem in stems:
            label = labels / f"{stem}.png"
            if stem not in found:
                raise InputError(f"{file}: names {stem}, which is not in {images}")
            if not label.is_file():
                raise InputError(f"{label}: is missing, the label of {found[stem]}")
            pairs.append((found[stem], label))
        super().__init__(pairs, classes, void)


class Stacks(Dataset):
    """The pages of two TIFF files, such as `train-volume.tif` and `train-labels.tif`.

    Parameters
    ----------
    images, labels : path-like
        Files of as many pages.
    classes, void
        See `Dataset`.

    Raises
    ------
    InputError
        If a file cannot be read, or they have not as many pages.
    """

    def __init__(
        self,
        images: AnyPath,
        labels: AnyPath,
        classes: AnyPath | None = None,
        void: int | None = None,
    ):
        self._images, self._labels = Pages(images), Pages(labels)
        self.classes, self.void = classes, void
        if len(self._images) != len(self._labels):
            raise InputError(
                f"{labels}: has {len(self._labels)} pages, {images} has {len(self._images)}; as "
                "many are needed"
            )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return read_page(self._images, index), self.label(index).values

    def name(self, index: int) -> str:
        return self._images.name(index)

    def label(self, index: int) -> Label:
        return label_of(*self._labels.read(index))

    def label_name(self, index: int) -> str:
        return self._labels.name(index)


def read_image(path: AnyPath) -> np.ndarray:
    """Read an image file of any size, (H,W,3) float32, 0..255."""
    pixels, notes = decode_image(path)
    for note in notes:
        _warn(f"{path}: {note}")
    return levels(pixels, os.fspath(path))


def read_page(pages: Pages, index: int) -> np.ndarray:
    """Read a page as an image, (H,W,3) float32, 0..255."""
    pixels, palette = pages.read(index)
    if palette is not None:
        pixels = palette[pixels]
    return levels(pixels, pages.name(index))


def pair_by_stem(
    images: AnyPath, labels: AnyPath, only: Sequence[Path] | None = None
) -> list[tuple[Path, Path]]:
    """Give the images of a folder, each with the file of the same stem in another one.

    With `only`, those of the images.

    Raises
    ------
    InputError
        If a folder has no files, an image no label, or two files the same stem.
    """
    found, answers = _by_stem(images, IMAGE_ENDINGS), _by_stem(labels, LABEL_ENDINGS)
    if only is not None:
        found = {path.stem: path for path in only}
    pairs, missing = [], []
    for stem, path in found.items():
        label = answers.get(stem) or answers.get(f"{stem}_mask")
        if label is None:
            missing.append(path)
        else:
            pairs.append((path, label))
    if missing:
        for file in sorted(Path(labels).iterdir()):
            if file.stem == missing[0].stem and file.suffix.lower() in (".jpg", ".jpeg"):
                raise InputError(f"{file}: is a JPEG, which changes values; save labels as png")
        more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise InputError(
            f"{missing[0]}{more}: has no label; one of the name "
            f"{Path(missing[0]).stem}.png is looked for in {labels}"
        )
    if unused := len(answers) - len(pairs):
        logger.info("%s: %d file(s) have none of their stem in %s", labels, unused, images)
    return pairs


def _by_stem(folder: AnyPath, endings: Sequence[str]) -> dict[str, Path]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file():
            if path.stem in found:
                raise InputError(
                    f"{path}: has the stem of {found[path.stem].name}; pairs are made by stem, so "
                    "each needs its own"
                )
            found[path.stem] = path
    if not found:
        raise InputError(f"{folder}: holds no files ending in {', '.join(endings)}")
    return found


def open_dataset(
    images: AnyPath, labels: AnyPath, classes: AnyPath | None = None, void: int | None = None
) -> Dataset:
    """Two folders, or two TIFF files of several pages, as a `Dataset`."""
    if str(images).lower().endswith(STACK_ENDINGS) and not os.path.isdir(images):
        if not is_stack(images):
            Pages(images)  # says what is wrong with it
        return Stacks(images, labels, classes, void)
    return Folders(images, labels, classes, void)
