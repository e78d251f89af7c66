"""Images with labels: in two folders, as PASCAL VOC lays them out, in stacks, or one's own."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.images.decoding import IMAGE_ENDINGS, image_size
from unetpred.images.sources import array_sources, levels
from unetpred.images.tiff_pages import STACK_ENDINGS, Pages, is_stack
from unetpred.photographs.dataset import read_photograph
from unetpred.segmentation.classes import IGNORED, Classes
from unetpred.segmentation.labels import Label, Survey, label_of, read_label

logger = logging.getLogger(__name__)

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
        A file of the names of the classes, see `unetpred.segmentation.classes.read_classes`.
    """

    void: int | None = None
    classes: str | os.PathLike | None = None

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

    def __init__(self, pairs: Sequence[tuple[Path, Path]], classes=None, void=None):
        self.pairs, self.classes, self.void = list(pairs), classes, void

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return read_photograph(self.pairs[index][0]), self.label(index).values

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

    def __init__(self, images, labels, classes=None, void=None):
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

    def __init__(self, root, split: str, classes=None, void: int | None = 255):
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
        stems = [line.split()[0] for line in file.read_text("utf-8").splitlines() if line.strip()]
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

    def __init__(self, images, labels, classes=None, void=None):
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


def read_page(pages: Pages, index: int) -> np.ndarray:
    """Read a page as an image, (H,W,3) float32, 0..255."""
    pixels, palette = pages.read(index)
    if palette is not None:
        pixels = palette[pixels]
    return levels(pixels, pages.name(index))


def pair_by_stem(images: str | os.PathLike, labels: str | os.PathLike) -> list[tuple[Path, Path]]:
    """Give the images of a folder, each with the file of the same stem in another one.

    Raises
    ------
    InputError
        If a folder has no files, an image no label, or two files the same stem.
    """
    found, answers = _by_stem(images, IMAGE_ENDINGS), _by_stem(labels, LABEL_ENDINGS)
    pairs, missing = [], []
    for stem, path in found.items():
        label = answers.get(stem) or answers.get(f"{stem}_mask")
        if label is None and stem.endswith("_mask"):  # masks beside labels
            label = answers.get(stem.removesuffix("_mask"))
        if label is None:
            missing.append(path)
        else:
            pairs.append((path, label))
    if missing:
        more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise InputError(
            f"{missing[0]}{more}: has no label; one of the name "
            f"{Path(missing[0]).stem}.png is looked for in {labels}"
        )
    if unused := len(answers) - len(pairs):
        logger.info("%s: %d label(s) have no image in %s", labels, unused, images)
    return pairs


def _by_stem(folder: str | os.PathLike, endings: Sequence[str]) -> dict[str, Path]:
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


def open_dataset(images, labels, classes=None, void=None) -> Dataset:
    """Two folders, or two TIFF files of several pages, as a `Dataset`."""
    if str(images).lower().endswith(STACK_ENDINGS) and not os.path.isdir(images):
        if not is_stack(images):
            Pages(images)  # says what is wrong with it
        return Stacks(images, labels, classes, void)
    return Folders(images, labels, classes, void)


class Pair(NamedTuple):
    """An image and its label, ready to be used."""

    image: np.ndarray  # (H,W,3) uint8, RGB
    label: np.ndarray  # (H,W) uint8, numbers of classes, IGNORED where void


class Checked:
    """A dataset whose labels have been looked at, every one of them.

    Parameters
    ----------
    dataset : Dataset
    classes : Classes, optional
        Those that labels must have; told from the labels if not given.
    cache : int
        Pairs are kept until they take this many bytes.
    indices : sequence of int, optional
        Which of the dataset are used; all if not given.

    Attributes
    ----------
    classes : Classes
    counts : numpy.ndarray
        (len(classes) + 1,) pixels of each class, and of void.

    Raises
    ------
    InputError
        If the dataset is empty, a label is of another size than its image, cannot be read, or has
        a value that is no class.
    """

    def __init__(
        self,
        dataset: Dataset,
        classes: Classes | None = None,
        cache: int = 1 << 30,
        indices: Sequence[int] | None = None,
    ):
        self._dataset = dataset
        self._indices = list(range(len(dataset)) if indices is None else indices)
        if not self._indices:
            raise InputError(f"{type(dataset).__name__}: has no images")
        self._survey = Survey(dataset.classes, dataset.void)
        self._cache, self._kept, self._lock = cache, {}, Lock()
        self._look(classes)

    def _look(self, classes: Classes | None) -> None:
        counts = np.zeros(256, np.int64)
        for index in self._indices:
            label, name = self._dataset.label(index), self._dataset.label_name(index)
            size = tuple(self._dataset.size(index))
            if label.values.shape[:2] != size:
                raise InputError(
                    f"{name}: is {label.values.shape[1]}x{label.values.shape[0]} px (width x "
                    f"height), its image {self._dataset.name(index)} is {size[1]}x{size[0]}"
                )
            values = self._survey.values(label, name)
            if classes is None:
                self._survey.add(label, name)
                counts += np.bincount(values.ravel(), minlength=256)
            else:
                found = classes.indices(values, name)
                counts += np.bincount(found.ravel(), minlength=256)
        self.classes = classes or self._survey.classes()
        if classes is None:
            table = np.zeros(256, np.int64)
            for value in np.flatnonzero(counts):
                at = self.classes.indices(np.array([[value]], np.uint8), "a label")[0, 0]
                table[at] += counts[value]
            counts = table
        self.counts = np.append(counts[: len(self.classes)], counts[IGNORED])

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        return self._dataset.name(self._indices[index])

    def __getitem__(self, index: int) -> Pair:
        pair = self._kept.get(index)
        if pair is None:
            pair = self._read(index)
            with self._lock:
                if self._cache >= pair.image.nbytes + pair.label.nbytes:
                    self._cache -= pair.image.nbytes + pair.label.nbytes
                    self._kept[index] = pair
        return pair

    def _read(self, index: int) -> Pair:
        place = self._indices[index]
        image, values = self._dataset[place]
        name = self._dataset.label_name(place)
        label = self._survey.values(label_of(np.asarray(values)), name)
        return Pair(
            as_image(image, self._dataset.name(place)), self.classes.indices(label, name)
        )

    def text(self) -> str:
        """Say how many pixels each class has."""
        total = max(1, int(self.counts.sum()))
        names = (*self.classes.names, "void")
        parts = [
            f"{name} {count:,} ({100 * count / total:.1f} %)"
            for name, count in zip(names, self.counts, strict=True)
            if count or name != "void"
        ]
        return f"{len(self)} images, pixels by class: {', '.join(parts)}"

    def fingerprint(self) -> dict[str, Any]:
        """Tell this set of images from others by their names."""
        names = "\n".join(os.path.basename(self.name(index)) for index in range(len(self)))
        digest = hashlib.sha1(names.encode(errors="surrogateescape")).hexdigest()
        return {"count": len(self), "sha1": digest}


def as_image(image: Any, name: str) -> np.ndarray:
    """Turn an image of a dataset into (H,W,3) uint8; raises InputError for what is none."""
    image = np.asarray(image)
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4)):
        (source,) = array_sources(image[None], name)
        return np.rint(source.load()).astype(np.uint8)
    raise InputError(f"{name}: has shape {image.shape}; an image (H,W,3) or (H,W) is needed")


def divide(
    dataset: Dataset, share: float, seed: int, run: bool
) -> tuple[list[int], list[int]]:
    """Give what to train on and what to hold out, at least one of each.

    Parameters
    ----------
    dataset : Dataset
    share : float
        Of what is held out, 0..1.
    seed : int
    run : bool
        Whether the last ones are held out, as in stacks, where neighbours are alike; else they are
        drawn.
    """
    count = len(dataset)
    if count < 2:
        raise InputError(
            f"{dataset.name(0) if count else 'the data'}: one image cannot be split; give more, or "
            "--val_images and --val_labels"
        )
    held = min(max(1, round(share * count)), count - 1)
    order = np.arange(count) if run else np.random.default_rng([seed, 1]).permutation(count)
    return sorted(map(int, order[: count - held])), sorted(map(int, order[count - held :]))


