"""Measuring on held-out photographs while a network is trained."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from unetpred.fillings.simple import biharmonic_fill, harmonic_fill, telea_fill
from unetpred.holes.masks import hole_box, hole_mask
from unetpred.images.colour import from_network, to_network
from unetpred.network.model import build_hole_model
from unetpred.plots.strips import strip
from unetpred.scoring.scores import content, structure

logger = logging.getLogger(__name__)

SIDE = 224  # px; of the crops of the published method
SHOWN = 4  # photographs in the picture
GREY = 128  # of what is missing in it
#: Simple fillings that are measured too, once.
BASELINES = {"telea": telea_fill, "biharmonic": biharmonic_fill, "harmonic": harmonic_fill}


class Measured(NamedTuple):
    """How good a network is.

    Attributes
    ----------
    structure : float
        Mean structure score r of the centred 52 px hole of 224 px crops, -1..1, of those for
        which it is defined; NaN if there is none.
    l1 : float
        Mean absolute error in the hole, 0..255.
    content : float
        Mean content score of the hole; NaN without VGG-16.
    picture : numpy.ndarray
        (H,W,3) uint8: some of the crops, each original, masked, filled in, with its structure
        below.
    seconds : float
        How long it takes, without what is done only once.
    """

    structure: float
    l1: float
    content: float
    picture: np.ndarray
    seconds: float


class HeldOut:
    """Held-out photographs, and the part of a network that fills in their holes.

    Parameters
    ----------
    crops : numpy.ndarray
        (N,224,224,3) uint8.
    vgg : keras.Model, optional
        From `unetpred.network.vgg16.vgg_model`, to measure content too.
    batch_size : int
        Crops computed at once.
    """

    def __init__(self, crops: np.ndarray, vgg: keras.Model | None = None, batch_size: int = 8):
        self.crops, self._vgg = crops, vgg
        self._batch_size = min(batch_size, len(crops))
        self._box = hole_box((SIDE, SIDE))
        self._mask = hole_mask((SIDE, SIDE))
        self._models: tuple[Any, Any] = None, None  # a network, and its part for the hole

    def measure(self, model: keras.Model, stop: Callable[[], bool] = bool) -> Measured | None:
        """Measure a network.

        Parameters
        ----------
        model : keras.Model
            From `build_unetpred`. The same one with other weights is not compiled again.
        stop : callable
            Asked after each batch whether to give up.

        Returns
        -------
        Measured or None
            None if it was given up.
        """
        if self._models[0] is not model:
            self._models = model, build_hole_model(model, SIDE, SIDE, self._box)
        top, left, bottom, right = self._box
        patches = self.crops[:, top:bottom, left:right]  # (N,52,52,3)
        filled = np.empty(patches.shape, "float32")
        seconds = []
        for start in range(0, len(self.crops), self._batch_size):
            started = time.monotonic()
            # the last batch is as long as the others, so that there is one shape to compile
            first = min(start, len(self.crops) - self._batch_size)
            filled[first : first + self._batch_size] = self._fill(first)
            if stop():
                return None
            seconds.append(time.monotonic() - started)
        started = time.monotonic()
        scores, l1, distance = self._compared(filled, patches)
        defined = [score for score in scores if np.isfinite(score)]
        # the first batch may have been compiled for
        rest = sum(seconds[1:]) / max(1, len(seconds) - 1) or seconds[0]
        return Measured(
            float(np.mean(defined)) if defined else float("nan"),
            l1,
            distance,
            self._picture(filled[:SHOWN], scores),
            rest * len(seconds) + time.monotonic() - started,
        )

    def _fill(self, first: int) -> np.ndarray:
        images = to_network(self.crops[first : first + self._batch_size].astype("float32"))
        masks = np.repeat(self._mask[None, ..., None], len(images), axis=0)  # (N,H,W,1)
        output = self._models[1].predict_on_batch([images, masks])
        return np.clip(from_network(np.asarray(output, "float32")), 0, 255)

    def baselines(self, patience: float = 60.0) -> dict[str, dict[str, float]]:
        """Measure simple fillings of the same holes.

        Parameters
        ----------
        patience : float
            Seconds that one of them may take.

        Returns
        -------
        dict of str to dict of str to float
            By the names in `BASELINES`, then by measure, as in `Measured`. What would take longer
            than `patience` is left out.
        """
        top, left, bottom, right = self._box
        patches = self.crops[:, top:bottom, left:right]
        found = {}
        for name, fill in BASELINES.items():
            started = time.monotonic()
            filled = np.empty(patches.shape, "float32")
            for number, crop in enumerate(self.crops):
                filled[number] = fill(crop.astype("float32"), self._mask)[top:bottom, left:right]
                expected = (time.monotonic() - started) / (number + 1) * len(self.crops)
                if number and expected > patience:
                    logger.info("the %s filling is left out: it takes %.0f s", name, expected)
                    break
            else:
                scores, l1, distance = self._compared(filled, patches)
                defined = [score for score in scores if np.isfinite(score)]
                found[name] = {
                    "structure": float(np.mean(defined)) if defined else float("nan"),
                    "l1": l1,
                    **({} if np.isnan(distance) else {"content": distance}),
                }
        return found

    def _compared(
        self, filled: np.ndarray, patches: np.ndarray
    ) -> tuple[list[float], float, float]:
        """Structure of each filling (N,h,h,3), and the means of L1 and content."""
        missing = np.zeros(patches.shape[1:3])
        scores = [structure(f, p, missing).value for f, p in zip(filled, patches, strict=True)]
        distance = float("nan")
        if self._vgg is not None:
            distances = content(filled, patches, self._vgg).total
            if np.isfinite(distances).any():
                distance = float(np.nanmean(distances))
        return scores, float(np.mean(np.abs(filled - patches))), distance

    def _picture(self, filled: np.ndarray, scores: list[float]) -> np.ndarray:
        top, left, bottom, right = self._box
        rows = []
        for crop, patch, score in zip(self.crops, filled, scores, strict=False):
            masked, whole = crop.copy(), crop.copy()
            masked[self._mask == 0] = GREY
            whole[top:bottom, left:right] = np.round(patch)
            row = np.concatenate([crop, masked, whole], axis=1)
            words = f"r {score:.2f}" if np.isfinite(score) else "r undefined"
            rows += [row, strip(row.shape[1], ["", "", words])]
        return np.concatenate(rows, axis=0)
