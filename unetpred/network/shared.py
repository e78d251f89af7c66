"""Features of a whole image, and what holes at many places of it change, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import keras
import numpy as np
from keras import ops

from unetpred.network.architecture import DECODER, ENCODER, Tensor
from unetpred.network.forward import forward
from unetpred.network.model import config_of
from unetpred.network.reach import Ints, Link, Reach

Pair: TypeAlias = list[Tensor]  # features and their mask

INPUTS = 6  # of `hole_windows` before the features, which come in pairs


def whole_model(network: keras.Model) -> keras.Model:
    """The part of a network that gives what `hole_windows` needs of a whole image.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.build_unetpred`, with one channel of masks.

    Returns
    -------
    keras.Model
        ``[image (N,H,W,3), mask (N,H,W,1)]``, with sides that the poolings divide, to features and
        mask of what goes into each of `unetpred.network.reach.Reach.patched`.
    """
    patched = reach_of(network, 1).patched
    image, mask = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    pair: Pair = [image, mask]
    outputs: list[Tensor] = []
    for block, (_, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            name = f"vblock{block}_conv_{i}"
            if name in patched:
                outputs += pair
            if block < len(ENCODER) or i < count:
                pair = network.get_layer(name)(pair)
        if block < len(ENCODER):
            pair = [ops.max_pool(x, 2, strides=2) for x in pair]
    return keras.Model([image, mask], outputs)


@lru_cache(maxsize=64)
def _reach(side: int, config: object) -> Reach:
    return Reach(side, config)  # type: ignore[arg-type]


def reach_of(network: keras.Model, side: int) -> Reach:
    """What is computed by a network for a hole of a size."""
    return _reach(side, config_of(network))


class WholeFeatures:
    """The features of an image without a hole, computed once.

    Parameters
    ----------
    model : keras.Model
        From `whole_model`.
    image : numpy.ndarray, (H,W,3) float32
        As the network takes it, with sides that the poolings divide.
    mask : numpy.ndarray, (H,W) float32
        1 = visible, 0 = missing.
    """

    def __init__(self, model: keras.Model, image: np.ndarray, mask: np.ndarray):
        self._image, self._mask = _flat(image), _flat(mask[..., None])
        self.size = mask.shape
        features = forward(model, [image[None], mask[None, ..., None]])
        self._features = [ops.convert_to_tensor(_flat(x[0])) for x in features]

    def windows(self, reach: Reach, hole: np.ndarray, corners: Ints) -> list[Tensor]:
        """What `hole_windows` takes, for a hole at some places.

        Parameters
        ----------
        reach : Reach
            Of the hole.
        hole : numpy.ndarray, (S,S) float32
            1 = visible, 0 = missing.
        corners : numpy.ndarray, (N,2) int
            Row and column of the image at which it begins.
        """
        rows, columns = corners.T
        height, width = self.size

        def positions(name: str) -> Ints:
            """In the flat features, whose last one is for all that is beyond the border."""
            level = reach.extents[name].level
            y = reach.inputs(name, rows, height)[:, :, None]
            x = reach.inputs(name, columns, width)[:, None, :]
            at: Ints = y * (width >> level) + x
            return np.where((y < 0) | (x < 0), (height >> level) * (width >> level), at)

        given: list[Tensor] = []  # tensors all, which PyTorch does not mix with arrays
        for name in ("vblock1_conv_1", "block10"):
            at = positions(name)
            mask = self._mask[at]
            corner = np.stack([reach.first(name, one) - 1 for one in (rows, columns)], axis=1)
            for one, (top, left) in zip(mask[..., 0], corners - corner, strict=True):
                one[top : top + reach.side, left : left + reach.side] *= hole
            given += [ops.convert_to_tensor(x) for x in (self._image[at], mask)]
        links = [reach.indices(rows, height), reach.indices(columns, width)]
        order = np.arange(len(corners), dtype="int32").reshape(-1, 1, 1)
        given += [ops.convert_to_tensor(x) for x in (np.stack(links, axis=1), order)]
        for i, name in enumerate(reach.patched):
            at = ops.convert_to_tensor(positions(name).astype("int32"))
            given += [ops.take(x, at, axis=0) for x in self._features[2 * i : 2 * i + 2]]
        return given


def _flat(x: np.ndarray) -> np.ndarray:
    """An array (H,W,C) as (H*W+1,C), with zeros for what is beyond its border."""
    return np.concatenate([x.reshape(-1, x.shape[-1]), np.zeros((1, x.shape[-1]), x.dtype)])


def hole_windows(network: keras.Model, reach: Reach, inputs: Sequence[Tensor]) -> dict[str, Pair]:
    """What holes at many places change, and what they are filled with.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.build_unetpred`, with one channel of masks.
    reach : Reach
        Of the holes.
    inputs : list of tensors
        From `WholeFeatures.windows`; symbolic ones of Keras make a graph.

    Returns
    -------
    dict of str to [features (N,h,w,C), mask (N,h,w,1)]
        By name of the layer, what is computed of it; that begins at `Reach.first`. "block10" is the
        output (N,S,S,3) in the hole's bounding box.
    """
    config = reach.config
    image, mask, around, seen, indices, order = inputs[:INPUTS]
    whole = {
        name: list(inputs[INPUTS + 2 * i : INPUTS + 2 * i + 2])
        for i, name in enumerate(reach.patched)
    }
    computed: dict[str, Pair] = {}

    def linked(kind: str, name: str, source: str = "") -> Tensor:
        return indices[:, :, reach.slots[Link(kind, name, source)]]  # type: ignore[arg-type]

    def convolve(name: str, *pairs: Tensor) -> Pair:
        computed[name] = network.get_layer(name)(list(pairs), padding="valid")
        return computed[name]

    pair, last = [image, mask], "image"
    for block, (_, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            name = f"vblock{block}_conv_{i}"
            if name in whole:
                pair = _patched(whole[name], pair, linked("patch", name, last), order)
            elif i > 1:
                pair = _bordered(pair, linked("inside", name))
            pair, last = convolve(name, *pair), name
        if block <= config.levels:
            pair, last = [ops.max_pool(x, 2, strides=2) for x in pair], f"pool{block}"
    for level, (_, block) in zip(
        reversed(range(config.levels)), DECODER[-config.levels :], strict=True
    ):
        first, second = f"vblock{block}_conv_1", f"vblock{block}_conv_2"
        skip = f"vblock{level + 1}_conv_{ENCODER[level][1]}"
        up = _picked(pair, linked("up", first, last), order)
        beside = _picked(computed[skip], linked("skip", first, skip), order)
        pair = _bordered(convolve(first, *up, *beside), linked("inside", second))
        pair, last = convolve(second, *pair), second
    convolve("block10", *_bordered(pair, linked("inside", "block10")), around, seen)
    return computed


def hole_windows_model(network: keras.Model, reach: Reach) -> keras.Model:
    """`hole_windows` as a graph, of the output alone."""
    inputs = symbolic_windows(network, reach)
    return keras.Model(inputs, hole_windows(network, reach, inputs)["block10"][0])


def symbolic_windows(network: keras.Model, reach: Reach) -> list[Tensor]:
    """Inputs of a graph, of the shapes that `WholeFeatures.windows` gives."""
    sizes = {name: extent.size + 2 for name, extent in reach.extents.items()}
    around = sizes["vblock1_conv_1"], sizes["block10"]
    inputs = [keras.Input((side, side, channels)) for side in around for channels in (3, 1)]
    links = sum(one.stop - one.start for one in reach.slots.values())
    inputs += [keras.Input((2, links), dtype="int32"), keras.Input((1, 1), dtype="int32")]
    for name in reach.patched:
        channels = network.get_layer(name).channels
        inputs += [keras.Input((sizes[name], sizes[name], n)) for n in (channels, 1)]
    return inputs


def _bordered(pair: Pair, inside: Tensor) -> Pair:
    """Features (N,h,w,C) and mask, of which what is beyond the grid's border is missing."""
    there = ops.cast(inside >= 0, "float32")
    return [pair[0], pair[1] * there[:, 0, :, None, None] * there[:, 1, None, :, None]]


def _picked(pair: Pair, at: Tensor, order: Tensor) -> Pair:
    """Positions of features and mask; missing where there are none."""
    features, mask = (_take(x, at, order) for x in pair)
    return _bordered([features, mask], at)


def _patched(whole: Pair, part: Pair, at: Tensor, order: Tensor) -> Pair:
    """Features and mask of a whole image, but for those that were computed anew."""
    known = ops.logical_and(at[:, 0, :, None, None] >= 0, at[:, 1, None, :, None] >= 0)
    return [
        ops.where(known, _take(new, at, order), old) for old, new in zip(whole, part, strict=True)
    ]


def _take(x: Tensor, at: Tensor, order: Tensor) -> Tensor:
    """Rows and columns (N,2,n) of an array (N,h,w,C), those below 0 as if they were 0."""
    _, height, width, channels = x.shape
    at = ops.maximum(at, 0)
    rows = (order * height + at[:, 0, :, None]) * width
    # no sum: with TensorFlow, Keras takes one row of columns for a bias of the rows
    flat = rows - ops.negative(at[:, 1, None, :])  # (N,n,n)
    return ops.take(ops.reshape(x, (-1, channels)), flat, axis=0)
