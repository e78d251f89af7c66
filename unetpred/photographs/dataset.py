"""Photographs to train on: crops, holes and augmentation, the same for the same seed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.random_masks import random_mask
from unetpred.images.arrays import Warner
from unetpred.images.decoding import IMAGE_ENDINGS, decode_image
from unetpred.images.folders import image_files
from unetpred.images.sources import levels
from unetpred.io.reading import reading
from unetpred.photographs.augmentation import colour_matrix
from unetpred.photographs.patterns import random_pattern
from unetpred.photographs.pixel_store import PixelStore

logger = logging.getLogger(__name__)

_warn = Warner()  # photographs are read again and again

SMALLEST = 16  # px; photographs with a shorter side would be little but enlargement
FINAL_SCORE = 0.7  # share of the score's own hole where a run ends, and of drawn patterns
FINAL_PATTERNS = 0.05
LARGEST = 1024  # px; of a shorter side: larger photographs are shrunk, to be cached by the hundred


class Batch(NamedTuple):
    """What one training step sees; bytes, since they travel between processes and to a GPU."""

    images: np.ndarray  # (N,H,W,3) uint8, RGB
    masks: np.ndarray  # (N,H,W,1) uint8, 1 = visible, 0 = missing
    files: list[str]


def list_photographs(
    folder: str | os.PathLike[str], without: Sequence[str | os.PathLike[str]] | None = None
) -> list[Path]:
    """Find all image files below a folder.

    Parameters
    ----------
    folder : path-like
        Searched with the folders within it.
    without : sequence of path-like, optional
        Folders and files within it that are left out.

    Returns
    -------
    list of pathlib.Path
        Sorted, as `unetpred.images.folders.image_files` finds them.

    Raises
    ------
    InputError
        If the folder does not exist or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; give one that holds photographs")
    left_out = [Path(other).resolve() for other in without or []]
    files = [
        path
        for path in map(Path, image_files(folder))
        if not any(path.resolve().is_relative_to(other) for other in left_out)
    ]
    if not files:
        raise InputError(
            f"{folder}: neither it nor its folders hold photographs ({', '.join(IMAGE_ENDINGS)})"
        )
    return files


def split(files: list[Path], fraction: float, seed: int) -> tuple[list[Path], list[Path]]:
    """Divide photographs into training and held-out ones, at least one in each, by seed.

    Raises
    ------
    InputError
        If there is but one.
    """
    if len(files) < 2:
        raise InputError(f"{files[0]}: one photograph cannot be split; give more, or --val_dir")
    held_out = min(max(1, round(fraction * len(files))), len(files) - 1)
    order = np.random.default_rng([seed, 1]).permutation(len(files))
    return (
        [files[i] for i in sorted(order[held_out:])],
        [files[i] for i in sorted(order[:held_out])],
    )


@dataclass
class Photographs:
    """Batches of random crops with random holes, each a function of the seed and its number.

    Parameters
    ----------
    files : list of Path
        The photographs. One that cannot be read is named in a warning, once, and another one
        takes its place. Those with a shorter side above `LARGEST` px are shrunk to it.
    size : int
        Side of the square crops in px. Smaller photographs are enlarged to it.
    batch_size : int
        Crops per batch.
    seed : int
        Everything random comes from it.
    window : (top, left, bottom, right), optional
        Part of the crop that the holes lie in, see `random_mask`.
    zoom : float
        Half of the crops are taken from a part up to this many times as large, and shrunk.
    augmentation : {"upstream", "vivid", "none"}
        How colours are varied, see `unetpred.photographs.augmentation.colour_matrix`. Half of the
        crops are mirrored too, except with "none".
    patterns : float
        Share of the crops, 0..1, that are drawn by `unetpred.photographs.patterns.random_pattern`.
    cache : int
        Decoded photographs are kept until they take this many bytes.
    store : PixelStore, optional
        Keeps decoded photographs for several processes; takes the place of the cache.
    """

    files: list[Path]
    size: int
    batch_size: int
    seed: int = 0
    window: tuple[int, int, int, int] | None = None
    zoom: float = 1.75
    augmentation: str = "upstream"
    patterns: float = 0.0
    cache: int = 4 << 30
    store: PixelStore | None = None

    def __post_init__(self) -> None:
        self._decoded: dict[Path, np.ndarray] = {}
        self._bytes = 0
        self._numbers = {file: number for number, file in enumerate(self.files)}
        self._broken: set[Path] = set()
        self._lock = Lock()

    def batch(self, step: int, final: bool = False) -> Batch:
        """Give batch number `step`, counted from 0; may be called from several threads.

        Parameters
        ----------
        step : int
        final : bool
            Whether the crops are those that a run ends on, nearer to what is scored: at their own
            scale, in their own colours but mirrored, `FINAL_SCORE` of the holes the score's, and
            at most `FINAL_PATTERNS` drawn patterns.

        Raises
        ------
        InputError
            If none of the photographs can be read.
        """
        images = np.empty((self.batch_size, self.size, self.size, 3), "uint8")
        masks = np.empty((self.batch_size, self.size, self.size, 1), "uint8")
        patterns = min(self.patterns, FINAL_PATTERNS) if final else self.patterns
        names = []
        for i in range(self.batch_size):
            rng = np.random.default_rng([self.seed, 2, step, i])
            if patterns and rng.random() < patterns:
                names.append("a pattern")
                images[i] = np.rint(random_pattern(rng, self.size))
            else:
                file, photograph = self._photograph(step * self.batch_size + i)
                images[i] = self._crop(photograph, rng, final)
                names.append(str(file))
            kind = "score" if final and rng.random() < FINAL_SCORE else None
            masks[i, ..., 0] = random_mask(rng, (self.size, self.size), self.window, kind=kind)
        return Batch(images, masks, names)

    def _photograph(self, position: int) -> tuple[Path, np.ndarray]:
        """Give the photograph at a position in the endless sequence of shuffled passes."""
        count = len(self.files)
        order = _shuffled(self.seed, position // count, count)
        for i in range(count):
            file = self.files[order[(position + i) % count]]
            if file in self._broken:
                continue
            try:
                return file, self._read(file)
            except InputError as error:
                with self._lock:
                    if file not in self._broken:
                        logger.warning("%s; skipped", error)
                        self._broken.add(file)
        raise InputError(f"{self.files[0].parent}: none of its {count} photographs can be read")

    def _read(self, file: Path) -> np.ndarray:
        if self.store is not None:
            pixels = self.store.get(self._numbers[file])
            if pixels is None:
                pixels = at_most(read_photograph(file), LARGEST)
                self.store.put(self._numbers[file], pixels)
            return pixels
        pixels = self._decoded.get(file)
        if pixels is None:
            pixels = at_most(read_photograph(file), LARGEST)
            with self._lock:
                if file not in self._decoded and self._bytes + pixels.nbytes <= self.cache:
                    self._decoded[file] = pixels
                    self._bytes += pixels.nbytes
        return pixels

    def _crop(
        self, photograph: np.ndarray, rng: np.random.Generator, final: bool = False
    ) -> np.ndarray:
        photograph = at_least(photograph, self.size)
        height, width, _ = photograph.shape
        side = self.size
        if not final and rng.random() < 0.5:
            largest = min(height, width, round(self.size * self.zoom))
            side = round(self.size * np.exp(rng.uniform(0, np.log(largest / self.size))))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        crop = photograph[top : top + side, left : left + side]
        if side != self.size:
            crop = _resized(crop, self.size, self.size)
        if self.augmentation == "none":
            return crop
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if final:
            return crop
        colours = colour_matrix(rng, self.augmentation)
        matrix, offset = (value.astype("float32") for value in colours)
        crop = crop.reshape(-1, 3).astype("float32") @ matrix.T + offset
        return np.rint(np.clip(crop, 0, 255)).reshape(self.size, self.size, 3)


@lru_cache(maxsize=4)
def _shuffled(seed: int, number: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, 3, number]).permutation(count)


def read_photograph(file: Path) -> np.ndarray:
    """Read an image file: (H,W,3) uint8, RGB, upright.

    Raises
    ------
    InputError
        If the file is no image, is cut short, has a side below `SMALLEST` px, or values that are
        not finite or out of the range of its type.
    """
    with reading(str(file)):
        pixels, notes = decode_image(file)
    for note in notes:
        _warn(f"{file}: {note}")
    if min(pixels.shape[:2]) < SMALLEST:
        raise InputError(
            f"{file}: is {pixels.shape[1]}x{pixels.shape[0]} px (width x height); "
            f"at least {SMALLEST} px a side are needed"
        )
    if pixels.dtype == np.uint8 and pixels.ndim == 3:
        return pixels
    return np.round(levels(pixels, str(file))).astype("uint8")


def at_least(photograph: np.ndarray, side: int) -> np.ndarray:
    """Give the photograph (H,W,3) uint8, enlarged if a side is shorter than `side` px."""
    return _scaled(photograph, side) if min(photograph.shape[:2]) < side else photograph


def at_most(photograph: np.ndarray, side: int) -> np.ndarray:
    """Give the photograph (H,W,3) uint8, shrunk if both sides are longer than `side` px."""
    return _scaled(photograph, side) if min(photograph.shape[:2]) > side else photograph


def _scaled(photograph: np.ndarray, shorter: int) -> np.ndarray:
    height, width, _ = photograph.shape
    factor = shorter / min(height, width)
    return _resized(
        photograph, max(shorter, round(height * factor)), max(shorter, round(width * factor))
    )


def _resized(photograph: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(photograph))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def central_crops(files: list[Path], side: int = 224) -> Iterator[tuple[Path, np.ndarray]]:
    """Give the middle (side,side,3) uint8 of each photograph; unreadable ones are warned of."""
    for file in files:
        try:
            photograph = at_least(read_photograph(file), side)
        except InputError as error:
            logger.warning("%s; skipped", error)
            continue
        top, left = ((n - side) // 2 for n in photograph.shape[:2])
        yield file, photograph[top : top + side, left : left + side]
