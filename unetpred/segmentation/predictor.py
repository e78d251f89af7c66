"""Masks of whole images, large ones in tiles that overlap and blend smoothly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from unetpred.errors import InputError
from unetpred.images.colour import to_network
from unetpred.segmentation.data.checked import as_image
from unetpred.segmentation.data.classes import Classes

if TYPE_CHECKING:
    import keras

MULTIPLE = 32  # px; of what is computed at once, since five poolings halve it
TILE = 1024  # px; the side of what is computed at once
THRESHOLD = 0.5

Turn = Callable[[np.ndarray], np.ndarray]


class Segmenter:
    """A network that segments, ready for images of any size.

    Parameters
    ----------
    weights : str, path-like or keras.Model
        A name or a file; or a network of `unetpred.segmentation.network.build_segmenter`.
    classes : Classes, optional
        Needed with a network only.
    tile : int
        Larger images are computed in tiles of this side, px, rounded up to a multiple of 32, which
        overlap by a quarter of it. Farther than `unetpred.segmentation.network.reach` from the
        borders of tiles the result is that of the whole image, up to rounding; nearer, two tiles
        blend into each other.
    turning : bool
        Take the mean over the eight symmetries of a square: eight times slower, a little better
        for images without up and down.
    threshold : float, optional
        Of two classes: the probability, 0..1, from which a pixel is class 1; what is noted in the
        weights, or 0.5, if not given.

    Attributes
    ----------
    model : keras.Model
    classes : Classes
    about : dict
        What is noted in the weights.

    Examples
    --------
    >>> segmenter = Segmenter("cells.weights.h5")  # doctest: +SKIP
    >>> mask = segmenter(image)  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | keras.Model,
        classes: Classes | None = None,
        tile: int = TILE,
        turning: bool = False,
        threshold: float | None = None,
    ):
        if isinstance(weights, (str, os.PathLike)):
            from unetpred.segmentation.weights import load_segmenter

            self.model, self.about = load_segmenter(weights)
            self.classes = Classes.from_dict(self.about)
        else:
            if classes is None:
                raise TypeError("a network does not say its classes; give them")
            self.model, self.classes, self.about = weights, classes, {}
        if tile < 2 * MULTIPLE:
            raise InputError(f"tile is {tile}; at least {2 * MULTIPLE} px are needed")
        if threshold is None:
            threshold = float(self.about.get("threshold", THRESHOLD))
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold}; 0..1 is needed")
        self.tile, self.turning, self.threshold = _up(tile), turning, threshold

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Give the class of each pixel, (H,W) uint8: its number, 0 .. len(classes) - 1."""
        return np.concatenate([self.decide(part) for part in self.bands(image)])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Give the probabilities of an image.

        Parameters
        ----------
        image : numpy.ndarray
            (H,W,3) RGB or (H,W) grey, 0..255.

        Returns
        -------
        numpy.ndarray, float32
            (H,W,K); of two classes (H,W), that of class 1.
        """
        return np.concatenate(list(self.bands(image)))

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Turn probabilities into numbers of classes, (H,W) uint8."""
        if self.classes.binary:
            return (probabilities >= self.threshold).astype(np.uint8)
        return probabilities.argmax(axis=-1).astype(np.uint8)

    def bands(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Give `probabilities` from top to bottom, some rows at a time.

        What is in memory does not grow with the height of the image.
        """
        image = as_image(image, "the image")
        height, width = image.shape[:2]
        (above, rows), (before, columns) = _mirrored(height), _mirrored(width)
        down, across = _Axis(len(rows), self.tile), _Axis(len(columns), self.tile)
        channels = self.model.outputs[0].shape[-1]
        band = np.zeros((down.tile, len(columns), channels), np.float32)
        begun = 0  # row of the padded image that the band begins at
        for start, weight, end in down:
            shifted = np.zeros_like(band)
            shifted[: len(band) - (start - begun)] = band[start - begun :]
            band, begun = shifted, start
            part = image[rows[start : start + down.tile]]
            for left, share, _ in across:
                tile = part[:, columns[left : left + across.tile]]
                found = self._compute(tile)
                found *= weight[:, None, None] * share[:, None]
                band[:, left : left + across.tile] += found
            first, last = max(start, above), min(end, above + height)
            if first < last:
                done = band[first - start : last - start, before : before + width]
                yield done[..., 0].copy() if channels == 1 else done.copy()

    def _compute(self, tile: np.ndarray) -> np.ndarray:
        """Probabilities (h,w,C) of a tile (h,w,3)."""
        if not self.turning:
            return self._forward(tile)
        total = np.zeros((*tile.shape[:2], self.model.outputs[0].shape[-1]), np.float32)
        for turn, back in SYMMETRIES:
            total += back(self._forward(turn(tile)))
        return total / len(SYMMETRIES)

    def _forward(self, tile: np.ndarray) -> np.ndarray:
        from unetpred.network.forward import forward

        batch = to_network(np.ascontiguousarray(tile[None]).astype(np.float32))
        return np.array(forward(self.model, [batch])[0][0], np.float32)


def _symmetry(transpose: bool, up: bool, left: bool) -> tuple[Turn, Turn]:
    steps = np.s_[:: -1 if up else 1, :: -1 if left else 1]

    def turn(x: np.ndarray) -> np.ndarray:
        return (x.swapaxes(0, 1) if transpose else x)[steps]

    def back(x: np.ndarray) -> np.ndarray:
        return x[steps].swapaxes(0, 1) if transpose else x[steps]

    return turn, back


#: The symmetries of a square, each with what undoes it.
SYMMETRIES = tuple(
    _symmetry(transpose, up, left)
    for transpose in (False, True)
    for up in (False, True)
    for left in (False, True)
)


def _up(size: int) -> int:
    return -(-size // MULTIPLE) * MULTIPLE


def _mirrored(size: int) -> tuple[int, np.ndarray]:
    """How much goes before an axis padded to a multiple, and where each pixel is taken from."""
    extra = _up(size) - size
    return extra // 2, np.pad(np.arange(size), (extra // 2, extra - extra // 2), "symmetric")


class _Axis:
    """Tiles along one axis: start, weights (tile,), and up to where all is complete after it."""

    def __init__(self, length: int, tile: int):
        self.tile = min(tile, length)
        overlap = max(MULTIPLE, self.tile // 4 // MULTIPLE * MULTIPLE)
        self.starts = [0]
        while self.starts[-1] + self.tile < length:
            self.starts.append(min(self.starts[-1] + self.tile - overlap, length - self.tile))
        places = np.arange(length) + 0.5
        raw = []
        for start in self.starts:
            end, weight = start + self.tile, np.ones(length)
            if start > 0:
                weight *= _smooth((places - start - overlap / 4) / (overlap / 2))
            if end < length:
                weight *= _smooth((end - overlap / 4 - places) / (overlap / 2))
            weight[:start], weight[end:] = 0, 0
            raw.append(weight)
        total = np.sum(raw, axis=0)
        self._weights = [
            (weight / total)[start : start + self.tile].astype(np.float32)
            for start, weight in zip(self.starts, raw, strict=True)
        ]
        self._ends = [*self.starts[1:], length]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, int]]:
        return iter(zip(self.starts, self._weights, self._ends, strict=True))


def _smooth(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
