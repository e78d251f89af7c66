"""Photographs to train on: crops, holes and augmentation, the same for the same seed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.holes import random_mask

logger = logging.getLogger(__name__)

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

# RGB -> YIQ: luma weights of ITU-R BT.601, and the two axes of colour that a change of hue rotates
_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], "float64"
)


class Batch(NamedTuple):
    """What one training step sees."""

    images: np.ndarray  # (N,H,W,3) float32, RGB 0..255
    masks: np.ndarray  # (N,H,W,1) float32, 1 = visible, 0 = missing
    files: list[str]


def list_photographs(folder: str | Path) -> list[Path]:
    """All image files below a folder, sorted.

    Raises
    ------
    InputError
        If the folder does not exist or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; give one that holds photographs")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not files:
        raise InputError(f"{folder}: holds no photographs ({', '.join(ENDINGS)}), nor its folders")
    return files


def split(files: list[Path], fraction: float, seed: int) -> tuple[list[Path], list[Path]]:
    """Training and held-out files: at least one in each, by seed."""
    if len(files) < 2:
        raise InputError(f"{files[0]}: one photograph cannot be split; give --val_dir")
    held_out = min(max(1, round(fraction * len(files))), len(files) - 1)
    order = np.random.default_rng([seed, 1]).permutation(len(files))
    return (
        [files[i] for i in sorted(order[held_out:])],
        [files[i] for i in sorted(order[:held_out])],
    )


def colour_matrix(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random affine map of colours: ``rgb @ matrix.T + offset``, for values 0..255.

    Each with probability 0.5, as in the original's training: brightness, contrast by a factor
    U(0, 1) about mid-grey, hue by up to 0.1 turns (a rotation of the colour plane of YIQ),
    saturation by a factor U(0, 1), grey. Brightness is U(-32, 32) levels here; in the original a
    range meant for 0..1 was added to 0..255 values, so that it did nothing.
    """
    yiq, back = _YIQ, np.linalg.inv(_YIQ)
    brightness, contrast, hue, saturation, grey = rng.random(5) < 0.5
    offset = rng.uniform(-32, 32) if brightness else 0.0
    factor = rng.uniform(0.2, 1) if contrast else 1.0
    angle = rng.uniform(-0.1, 0.1) * 2 * np.pi if hue else 0.0
    vividness = 0.0 if grey else rng.uniform(0, 1) if saturation else 1.0
    turn = np.eye(3)
    turn[1:, 1:] = vividness * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    matrix = factor * (back @ turn @ yiq)
    return matrix, np.full(3, 127.5 * (1 - factor) + offset)


@dataclass
class Photographs:
    """Batches of random crops with random holes: batch number `step` is a function of the seed.

    Parameters
    ----------
    files : list of Path
        The photographs. One that cannot be read is named in a warning and skipped from then on.
    size : int
        Side of the square crops in px. Smaller photographs are enlarged to it.
    batch_size : int
        Crops per batch.
    seed : int
        Everything random comes from it.
    window : (top, left, bottom, right), optional
        Part of the crop that the holes lie in.
    zoom : float
        Half of the crops are taken from a part up to this many times as large, and shrunk.
    augment : bool
        Whether colours and handedness are varied.
    cache : int
        Decoded photographs are kept until they take this many bytes.
    """

    files: list[Path]
    size: int
    batch_size: int
    seed: int = 0
    window: tuple[int, int, int, int] | None = None
    zoom: float = 1.75
    augment: bool = True
    cache: int = 4 << 30

    def __post_init__(self):
        self._decoded: dict[Path, np.ndarray] = {}
        self._bytes = 0
        self._broken: set[Path] = set()
        self._order: tuple[int, np.ndarray] | None = None

    def batch(self, step: int) -> Batch:
        """Batch number `step`, counted from 0."""
        images = np.empty((self.batch_size, self.size, self.size, 3), "float32")
        masks = np.empty((self.batch_size, self.size, self.size, 1), "float32")
        names = []
        for i in range(self.batch_size):
            rng = np.random.default_rng([self.seed, 2, step, i])
            file, photograph = self._photograph(step * self.batch_size + i)
            images[i] = self._crop(photograph, rng)
            masks[i, ..., 0] = random_mask(rng, (self.size, self.size), self.window)
            names.append(str(file))
        return Batch(images, masks, names)

    def batches(self, first: int, last: int, workers: int = 1) -> Iterator[Batch]:
        """Batches first..last-1, made ahead in threads."""
        with ThreadPoolExecutor(max(1, workers)) as pool:
            ahead: deque = deque()
            try:
                for step in range(first, last):
                    ahead.append(pool.submit(self.batch, step))
                    if len(ahead) > 2 * max(1, workers):
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for waiting in ahead:
                    waiting.cancel()

    def _photograph(self, position: int) -> tuple[Path, np.ndarray]:
        count = len(self.files)
        order = np.random.default_rng([self.seed, 3, position // count]).permutation(count)
        for i in range(count):
            file = self.files[order[(position + i) % count]]
            if file in self._broken:
                continue
            try:
                return file, self._read(file)
            except InputError as error:
                logger.warning("%s; skipped", error)
                self._broken.add(file)
        raise InputError(f"{self.files[0].parent}: none of its {count} photographs can be read")

    def _read(self, file: Path) -> np.ndarray:
        pixels = self._decoded.get(file)
        if pixels is None:
            pixels = read_photograph(file)
            if self._bytes + pixels.nbytes <= self.cache:
                self._decoded[file] = pixels
                self._bytes += pixels.nbytes
        return pixels

    def _crop(self, photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from PIL import Image

        photograph = at_least(photograph, self.size)
        height, width, _ = photograph.shape
        side = self.size
        if rng.random() < 0.5:
            largest = min(height, width, round(self.size * self.zoom))
            side = round(self.size * np.exp(rng.uniform(0, np.log(largest / self.size))))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        crop = photograph[top : top + side, left : left + side]
        if side != self.size:
            shrunk = Image.fromarray(crop).resize((self.size, self.size), Image.Resampling.BICUBIC)
            crop = np.asarray(shrunk)
        if self.augment:
            if rng.random() < 0.5:
                crop = crop[:, ::-1]
            matrix, offset = colour_matrix(rng)
            crop = crop.astype("float32") @ matrix.T.astype("float32") + offset.astype("float32")
            crop = np.clip(crop, 0, 255)
        return crop


def read_photograph(file: Path) -> np.ndarray:
    """(H,W,3) uint8 RGB of an image file, upright.

    Raises
    ------
    InputError
        If the file is no image or is cut short.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: cannot be read as an image ({error})") from None


def at_least(photograph: np.ndarray, side: int) -> np.ndarray:
    """The photograph (H,W,3) uint8, enlarged if a side is shorter than `side` px."""
    from PIL import Image

    height, width, _ = photograph.shape
    if min(height, width) >= side:
        return photograph
    factor = side / min(height, width)
    shape = max(side, round(width * factor)), max(side, round(height * factor))
    return np.asarray(Image.fromarray(photograph).resize(shape, Image.Resampling.BICUBIC))


def central_crops(files: list[Path], side: int = 224) -> Iterator[tuple[Path, np.ndarray]]:
    """The middle (side,side,3) uint8 of each photograph; unreadable ones are warned of."""
    for file in files:
        try:
            photograph = at_least(read_photograph(file), side)
        except InputError as error:
            logger.warning("%s; skipped", error)
            continue
        top, left = ((n - side) // 2 for n in photograph.shape[:2])
        yield file, photograph[top : top + side, left : left + side]
