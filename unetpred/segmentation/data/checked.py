"""A dataset whose labels have been looked at: ready to be trained on and measured by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.images.arrays import ROUNDING, Warner, check_finite, rgb255
from unetpred.segmentation.data.classes import IGNORED, Classes
from unetpred.segmentation.data.datasets import Dataset
from unetpred.segmentation.data.labels import Survey, label_of

_warn = Warner()


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
        self._cache, self._lock = cache, Lock()
        self._kept: dict[int, Pair] = {}
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
            values = self._survey.add(label, name)
            if classes is None:
                counts += np.bincount(values.ravel(), minlength=256)
            else:
                found = classes.indices(values, name)
                counts += np.bincount(found.ravel(), minlength=256)
        if classes is not None:
            self._survey.check(classes)
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
        return Pair(as_image(image, self._dataset.name(place)), self.classes.indices(label, name))

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
    """Turn an image (H,W) or (H,W,3), 0..255, into (H,W,3) uint8.

    uint16 is 0..65535 and bool 0..1, as everywhere; alpha is left away. Floats are 0..255; of such
    as seem to be 0..1 is warned.

    Raises
    ------
    InputError
        For another shape, and for values that are not finite or out of range.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise InputError(f"{name}: has shape {image.shape}; an image (H,W,3) or (H,W) is needed")
    if not image.size or image.dtype.kind not in "uifb":
        raise InputError(f"{name}: is empty, or of no numbers ({image.dtype})")
    image = image[..., :3] if image.ndim == 3 else image
    if image.dtype == np.uint8:
        return np.ascontiguousarray(np.broadcast_to(_deep(image), (*image.shape[:2], 3)))
    if image.dtype.kind == "f":
        check_finite(image, name)
    if image.dtype == np.uint16:
        image = image / np.float32(257)
    elif image.dtype == bool:
        image = image * np.float32(255)
    low, high = image.min(), image.max()
    if low < -ROUNDING or high > 255 + ROUNDING:
        raise InputError(f"{name}: has values from {low:g} to {high:g}; 0..255 is needed")
    if image.dtype.kind == "f" and high <= 1 and (image != np.rint(image)).any():
        _warn(
            "no value of an image is above 1, but floats are taken as 0..255; multiply by 255 if "
            "white is 1"
        )
    return np.rint(rgb255(image)).astype(np.uint8)


def _deep(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image


def divide(dataset: Dataset, share: float, seed: int, run: bool) -> tuple[list[int], list[int]]:
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
