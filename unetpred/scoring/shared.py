"""Holes at many places of one image that all of it surrounds: what they share is computed once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.images.colour import to_network
from unetpred.network.forward import AT_ONCE, forward, ready

if TYPE_CHECKING:
    import keras

    from unetpred.network.reach import Reach
    from unetpred.network.shared import WholeFeatures

#: px a side: places in such a square of a large image share what surrounds it, some 740 px a side,
#: whose features take half a GiB at width 1 while they are computed.
TILE = 320
#: What the work must be below, as a share of that of one place after the other.
WORTHWHILE = 0.9
#: Passes through the network per batch of places: whoever gets a batch computes what they share.
PASSES = 4
MAX_SIZES = 4  # of holes that get a graph of their own


@dataclass(frozen=True)
class Region:
    """A part of an image that is padded to what the poolings divide, with borders at multiples.

    Rows top..bottom-1 and columns left..right-1, px.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left


def regions(
    network: keras.Model, size: tuple[int, int], side: int, places: Sequence[tuple[int, int]]
) -> list[tuple[Region | None, list[int]]]:
    """Which places of an image share the features of which part of it.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.load_model`.
    size : (height, width)
        Of the image.
    side : int
        Of the hole, px.
    places : sequence of (x, y)
        Centres of holes that fit into the image.

    Returns
    -------
    list of (Region or None, list of int)
        Each part with the indices of its places; None with those of places that would share too
        little. The part does not depend on which of its places are asked for.
    """
    from keras import backend

    from unetpred.network.model import aligned_field, config_of
    from unetpred.network.padding import margins
    from unetpred.network.reach import layer_work
    from unetpred.network.shared import reach_of
    from unetpred.network.windows import Window

    everything: list[int] = list(range(len(places)))
    # others compile every single operation, or do not have all that are needed
    known = backend.backend() in ("tensorflow", "torch", "jax")
    if not known or side * side == math.prod(size):
        return [(None, everything)]
    config = config_of(network)
    rim = [margins(n, config.multiple) for n in size]
    height, width = (n + sum(extra) for n, extra in zip(size, rim, strict=True))

    def field(top: int, left: int, bottom: int, right: int) -> Window:
        return aligned_field(Window(top, left, bottom, right, height, width), config)

    groups: dict[tuple[int, int], list[int]] = {}
    small = height * width <= AT_ONCE
    for i, (x, y) in enumerate(places):
        top, left = y - side // 2 + rim[0][0], x - side // 2 + rim[1][0]
        groups.setdefault((0, 0) if small else (top // TILE, left // TILE), []).append(i)

    # multiply-adds of the encoder; the decoder's are the same either way
    work = sum(count >> 2 * (int(name[6]) - 1) for name, count in layer_work(config).items())
    middle = field(height // 2, width // 2, min(height // 2 + side, height), width // 2 + side)
    alone = work * middle.area
    apart = reach_of(network, side).multiply_adds()
    found: list[tuple[Region | None, list[int]]] = []
    rest = []
    for (row, column), index in groups.items():
        region = Region(0, 0, height, width)
        if not small:
            top, left = row * TILE, column * TILE
            last = min(top + TILE - 1 + side, height), min(left + TILE - 1 + side, width)
            one = field(top, left, *last)
            region = Region(one.top, one.left, one.bottom, one.right)
        together = work * math.prod(region.size) + len(index) * apart
        if together < WORTHWHILE * len(index) * alone:
            found.append((region, index))
        else:
            rest += index
    return [*found, (None, rest)] if rest else found


class SharedOutputs:
    """The output of a network in holes at many places of an image.

    The features of one part of one image are kept at a time.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.load_model`, with one channel of masks.
    batch_size : int
        Places per pass.
    """

    def __init__(self, network: keras.Model, batch_size: int):
        self._network, self._batch_size = network, batch_size
        self._encoder: keras.Model | None = None
        self._graphs: dict[int, keras.Model] = {}  # by the side of the hole
        self._of: tuple[Any, ...] | None = None  # image, mask and part that the features are of
        self._features: WholeFeatures | None = None

    @full_float32()
    def __call__(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        region: Region,
        places: Sequence[tuple[int, int]],
        visible: np.ndarray | None = None,
    ) -> np.ndarray:
        """Compute the output.

        Parameters
        ----------
        image : numpy.ndarray, (H,W,3) float32
            RGB 0..255.
        hole : numpy.ndarray, (S,S) float32
            1 = visible, 0 = missing.
        region : Region
            From `regions`.
        places : sequence of (x, y)
            Centres of the hole, as `regions` put them together.
        visible : numpy.ndarray, (H,W) float32, optional
            1 = visible, 0 = missing whatever the place; all is visible if not given.

        Returns
        -------
        numpy.ndarray, (N,S,S,3) float32
            BGR, mean-subtracted, not clipped: what an image gives whose hole is there, up to
            rounding.
        """
        from unetpred.network.shared import reach_of

        reach = reach_of(self._network, len(hole))
        above, left = self._margins(image)
        before = len(hole) // 2
        corners = np.array(
            [(y - before + above - region.top, x - before + left - region.left) for x, y in places]
        )
        features = self._whole(image, visible, region)
        outputs = []
        for start in range(0, len(places), self._batch_size):
            chosen = corners[start : start + self._batch_size]
            given = features.windows(reach, hole, self._padded(chosen))
            outputs.append(self._filled(reach, given)[: len(chosen)])
        return np.concatenate(outputs)

    def _margins(self, image: np.ndarray) -> tuple[int, ...]:
        from unetpred.network.model import config_of
        from unetpred.network.padding import margins

        multiple = config_of(self._network).multiple
        return tuple(margins(n, multiple)[0] for n in image.shape[:2])

    def _whole(
        self, image: np.ndarray, visible: np.ndarray | None, region: Region
    ) -> WholeFeatures:
        """The features of a part, computed unless they are those of the call before."""
        from unetpred.network.shared import WholeFeatures, whole_model

        of = self._of
        same = of and of[0] is image and of[1] is visible and of[2] == region
        if self._features is None or not same:
            self._of = self._features = None  # two of them would not fit
            if self._encoder is None:
                self._encoder = ready(whole_model(self._network))
            above, left = self._margins(image)
            first = region.top - above, region.left - left  # in the image
            rows, columns = (
                slice(max(at, 0), min(at + n, end))
                for at, n, end in zip(first, region.size, image.shape, strict=False)
            )
            inner = (
                slice(rows.start - first[0], rows.stop - first[0]),
                slice(columns.start - first[1], columns.stop - first[1]),
            )
            pixels = np.zeros((*region.size, 3), "float32")
            mask = np.zeros(region.size, "float32")
            pixels[inner] = to_network(image[rows, columns])
            mask[inner] = 1 if visible is None else visible[rows, columns]
            self._features = WholeFeatures(self._encoder, pixels, mask)
            self._of = image, visible, region
        return self._features

    def _filled(self, reach: Reach, given: Any) -> np.ndarray:
        from keras import backend, ops

        from unetpred.network.shared import hole_windows, hole_windows_model

        model = self._graphs.get(reach.side)
        if model is None and (len(self._graphs) < MAX_SIZES or backend.backend() == "jax"):
            model = ready(hole_windows_model(self._network, reach))
            self._graphs[reach.side] = model
        if model is not None:
            return forward(model, given)[0]
        return ops.convert_to_numpy(hole_windows(self._network, reach, given)["block10"][0])

    def _padded(self, corners: np.ndarray) -> np.ndarray:
        """A batch of a length that JAX need not compile anew for; the last one is repeated."""
        from keras import backend

        if backend.backend() != "jax":
            return corners
        wanted = min(self._batch_size, 1 << (len(corners) - 1).bit_length())
        return corners[np.minimum(np.arange(wanted), len(corners) - 1)]
