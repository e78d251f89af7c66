"""What a network gives in the holes of many images, by the way that takes the least time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.holes.masks import Box
from unetpred.images.colour import mask_to_network, to_network
from unetpred.network.forward import AT_ONCE, forward, forward_windows, pays_apart, ready
from unetpred.scoring.crops import Cut, fields
from unetpred.scoring.shared import SharedOutputs, regions
from unetpred.scoring.tiles import LARGE, tiled_output

if TYPE_CHECKING:
    import keras

MAX_WINDOWS = 4  # holes of one image that are computed one by one; with more the whole output is
MAX_GRAPHS = 8  # places of holes that get a graph of their own, unless told otherwise


class HoleOutputs:
    """The output of a network for images of any size, at least in their holes.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.load_model`.
    batch_size : int
        Images per pass through the network.

    Attributes
    ----------
    max_graphs : int or None
        Places of holes that get a graph of their own, which takes seconds to compile; `MAX_GRAPHS`
        for None. Holes at others are computed without, which takes a little longer each time.
    """

    def __init__(self, network: keras.Model, batch_size: int):
        network.trainable = False  # or PyTorch keeps every feature for gradients
        self.network = ready(network)
        self.batch_size = batch_size
        self.max_graphs: int | None = None
        # by size of the image and places of the holes
        self.graphs: dict[tuple[Any, ...], keras.Model] = {}
        self.shared = SharedOutputs(self.network, batch_size)

    @full_float32()
    def __call__(
        self, images: np.ndarray, masks: np.ndarray, boxes: list[list[Box]] | None
    ) -> np.ndarray:
        """Compute the output.

        Parameters
        ----------
        images : numpy.ndarray, (N,H,W,3) float32
            RGB 0..255.
        masks : numpy.ndarray, (1 or N,H,W,C) float32
            1 = visible, 0 = missing; one channel, or one each for red, green and blue, whichever
            the network was built for.
        boxes : list of list of (top, left, bottom, right), or None
            Per image (or one for all) where the output is wanted; None for everywhere.

        Returns
        -------
        numpy.ndarray, (N,H,W,3) float32
            BGR, mean-subtracted, not clipped; zero where it was not computed.
        """
        shape, masks = images.shape[1:3], mask_to_network(masks)
        alike: dict[tuple[Box, ...], list[int]] = {}  # images with holes at the same places
        for i in range(len(images)):
            alike.setdefault(tuple(boxes[i % len(boxes)]) if boxes else (), []).append(i)
        raw, rest = np.zeros(images.shape, "float32"), []
        for holes, index in alike.items():
            model, few = None, 0 < len(holes) <= MAX_WINDOWS
            largest = max(map(_area, holes), default=0)
            # a graph is for many passes: a place that one image of several has may not come again
            often = len(index) > 1 or len(images) == 1 or (shape, holes) in self.graphs
            if often and few and largest <= LARGE:
                model = self.graph(shape, holes)
            if model is not None:
                compute = partial(forward, model)
            elif few and largest <= AT_ONCE and pays_apart(self.network, shape):
                compute = partial(forward_windows, self.network, holes)
            else:
                rest += index
                continue
            self._pass(compute, holes, index, images, masks, raw)
        if rest and math.prod(shape) > LARGE:
            wanted = [boxes[i % len(boxes)] if boxes else [(0, 0, *shape)] for i in rest]
            raw[rest] = self._tiled(images[rest], _some(masks, rest), wanted)
        elif rest:
            whole, compute = [(0, 0, *shape)], partial(forward, self.network)
            self._pass(compute, whole, rest, images, masks, raw)
        return raw

    def at_places(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        places: Sequence[tuple[int, int]],
        visible: np.ndarray | None = None,
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Compute the output in holes at many places of one image, each on its own.

        What the image gives without a hole is computed once, and for each place only what its hole
        changes of that, where it takes less time.

        Parameters
        ----------
        image : numpy.ndarray, (H,W,3) float32
            RGB 0..255.
        hole : numpy.ndarray, (S,S) float32
            1 = visible, 0 = missing.
        places : sequence of (x, y)
            Its centres; it fits into the image at all of them.
        visible : numpy.ndarray, (H,W) float32, optional
            1 = visible, 0 = missing whatever the place; all is visible if not given.

        Yields
        ------
        indices : list of int
            Of places, each of them once.
        raw : numpy.ndarray, (len(indices),S,S,3) float32
            Theirs: BGR, mean-subtracted, not clipped.
        """
        for region, index in regions(self.network, image.shape[:2], len(hole), places):
            chosen = [places[i] for i in index]
            if region is not None:
                yield index, self.shared(image, hole, region, chosen, visible)
                continue
            raw = np.empty((len(index), *hole.shape, 3), "float32")
            for part in fields(image, hole, list(dict.fromkeys(chosen)), self.network, visible):
                for place in part.places:
                    one = part.cut(*place)
                    top, left = (part.box[i] + one.corner[i] for i in (0, 1))
                    same = [i for i, other in enumerate(chosen) if other == place]
                    raw[same] = self._alone(one, (top, left, top + len(hole), left + len(hole)))
            yield index, raw

    @full_float32()
    def _alone(self, cut: Cut, box: Box) -> np.ndarray:
        """One window of the output of a cut that may not come again."""
        pixels, mask = cut.pixels[None], cut.mask[None, ..., None]
        top, left, bottom, right = box
        if _area(box) <= AT_ONCE and pays_apart(self.network, pixels.shape[1:3]):
            return forward_windows(self.network, [box], [to_network(pixels), mask])[0][0]
        return self(pixels, mask, [[box]])[0, top:bottom, left:right]

    def _pass(
        self,
        compute: Callable[[list[np.ndarray]], list[np.ndarray]],
        windows: Sequence[Box],
        index: list[int],
        images: np.ndarray,
        masks: np.ndarray,
        raw: np.ndarray,
    ) -> None:
        """Write windows of the output of some images into `raw`, a batch at a time."""
        for start in range(0, len(index), self.batch_size):
            chosen = index[start : start + self.batch_size]
            # a mask that all share stays one: what the layers make of it is computed once
            outputs = compute(self._padded(to_network(images[chosen]), _some(masks, chosen)))
            for (top, left, bottom, right), values in zip(windows, outputs, strict=True):
                raw[chosen, top:bottom, left:right] = values[: len(chosen)]

    def _tiled(self, images: np.ndarray, masks: np.ndarray, boxes: list[list[Box]]) -> np.ndarray:
        """The output (N,H,W,3) of images whose features would not all fit into memory at once."""
        outputs = []
        for i, image in enumerate(images):
            mask = masks[i % len(masks)]
            inputs = to_network(image[None]), mask[None]
            outputs.append(tiled_output(self.network, *inputs, boxes[i % len(boxes)]))
        return np.concatenate(outputs)

    def _padded(self, image: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """A batch of a length that there is a compiled graph for, or will be of use again.

        TensorFlow's graph for any length is its second, and PyTorch has none. The others compile
        for every length anew, so they get powers of two alone.
        """
        import keras

        if keras.config.backend() in ("tensorflow", "torch"):
            return [image, mask]
        wanted = min(self.batch_size, 1 << (len(image) - 1).bit_length())
        index = np.minimum(np.arange(wanted), len(image) - 1)
        return [image[index], mask if len(mask) == 1 else mask[index]]

    def graph(self, shape: tuple[int, int], boxes: tuple[Box, ...]) -> keras.Model | None:
        """The network for these windows; None where compiling would take longer than it saves.

        Parameters
        ----------
        shape : (height, width)
            Of the images.
        boxes : tuple of (top, left, bottom, right)
            The windows of the output.
        """
        from unetpred.network.model import build_hole_model

        key = (shape, boxes)
        if key not in self.graphs:
            most = MAX_GRAPHS if self.max_graphs is None else self.max_graphs
            if len(self.graphs) >= most:
                return None
            self.graphs[key] = ready(build_hole_model(self.network, *shape, *boxes))
        return self.graphs[key]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _some(masks: np.ndarray, index: list[int]) -> np.ndarray:
    """The masks (1 or N,H,W,C) of some images."""
    return masks if len(masks) == 1 else masks[index]
