"""Holes filled by the network and by simple methods, and the measures of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.backends.precision import full_float32
from unetpred.evaluation.measures import NETWORK, Row, measure
from unetpred.fillings.simple import BASELINES
from unetpred.images.colour import from_network, to_network
from unetpred.network.forward import compiled
from unetpred.scoring.content import contents, pairs_per_pass
from unetpred.scoring.scores import Content

if TYPE_CHECKING:
    import keras


class Filler:
    """Fills one hole by all methods.

    Gives per method what it puts there, float32 (N,h,h,3), RGB 0..255, for crops (N,H,W,3).
    """

    def __init__(self, model: keras.Model, mask: np.ndarray, baselines: Sequence[str]) -> None:
        from unetpred.network.model import build_hole_model

        rows, columns = np.nonzero(mask == 0)
        box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        self.mask = mask  # (H,W)
        self.patch = slice(box[0], box[2]), slice(box[1], box[3])
        self._baselines = baselines
        self._network = build_hole_model(model, *mask.shape, box)
        channels = model.inputs[1].shape[-1]
        self._masks = np.repeat(mask[None, ..., None], channels, axis=-1)  # (1,H,W,1 or 3)

    @full_float32()
    def __call__(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        # Hidden by us as well: no network, whatever it makes of its mask, may see the answer.
        images = to_network(crops.astype("float32")) * self.mask[..., None]
        output = compiled(self._network, [images, self._masks])  # (N,h,h,3)
        fillings = {NETWORK: np.clip(from_network(np.asarray(output, "float32")), 0, 255)}
        for name in self._baselines:
            filled = [BASELINES[name](crop, self.mask)[self.patch] for crop in crops]
            fillings[name] = np.stack(filled)
        return fillings


def measured(
    crops: Mapping[Path, np.ndarray],
    names: Mapping[Path, str],
    fillers: Mapping[int, Filler],
    vgg: keras.Model | None,
) -> list[Row]:
    """Fill every hole of a batch of crops by every method and measure the fillings."""
    stacked = np.stack(list(crops.values()))
    rows: dict[tuple[int, int], list[Row]] = {}
    for hole, filler in fillers.items():
        fillings = filler(stacked)
        originals = stacked[:, filler.patch[0], filler.patch[1]]
        nothing: list[Content | None] = [None] * len(crops)
        scores = dict.fromkeys(fillings, nothing)
        if vgg is not None:
            count = pairs_per_pass(*originals.shape[1:3])
            found = contents(list(fillings.values()), originals, vgg, batch_size=count)
            for method, score in zip(fillings, found, strict=True):
                alone = zip(score.total, score.layers, strict=True)
                scores[method] = [Content(*pair, score.reason) for pair in alone]
        for index, file in enumerate(crops):
            rows[index, hole] = [
                measure(
                    names[file], method, patches[index], originals[index], scores[method][index]
                )
                for method, patches in fillings.items()
            ]
    order = [(index, hole) for index in range(len(stacked)) for hole in fillers]
    return [row for key in order for row in rows[key]]
