"""Scores for the page: the same as `unetpred.score` gives, by networks that stay loaded."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.app.opened import Picture
from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, Context
from unetpred.holes.hole import Hole
from unetpred.holes.own_masks import Masks
from unetpred.holes.scenes import Scene, Scenes
from unetpred.io.registry import known_vgg, known_weights
from unetpred.runs.scoring.jobs import Job
from unetpred.runs.scoring.score_batch import ScoreWork, Scoring
from unetpred.scoring.covariates import box_of

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor
    from unetpred.segmentation.predictor import Segmenter


@dataclass(frozen=True)
class Spot:
    """What is hidden of a picture, and how it is scored.

    Attributes
    ----------
    hole : Hole or None
        A square or a disc in px, with its centre; None if it is painted.
    mask : numpy.ndarray, (H,W) uint8, or None
        0 = hidden; None if it is a square or a disc.
    context : int or "full"
        What surrounds it.
    weights : str
        Name or file.
    """

    hole: Hole | None
    mask: np.ndarray | None = None
    context: Any = DEFAULT_CONTEXT
    weights: str = "lite"

    @property
    def scenes(self) -> Scenes:
        """What makes the scene of it."""
        masks = None if self.mask is None else Masks(self.mask)
        return Scenes(self.hole, masks, context=Context(self.context))

    def call(self, picture: Picture, content: bool) -> str:
        """What gives the same numbers in Python."""
        words = [repr(picture.name)]
        if self.hole is None:
            words.append("mask='mask.png'")
        else:
            shape = "" if self.hole.shape == "square" else f", {self.hole.shape!r}"
            center = f", center={self.hole.center}"
            words.append(f"hole=unetpred.Hole({self.hole.size}{shape}{center})")
        if self.context != "full":
            words.append(f"context={self.context}")
        words.append(f"weights={self.weights!r}")
        if content:
            words.append("output=('structure', 'content')")
        return f"unetpred.score({', '.join(words)}, covariates=True)"


@dataclass
class Answer:
    """What came of a hole.

    Attributes
    ----------
    row : dict
        A row of the history, in full precision.
    pixels : numpy.ndarray, (h,w,3)
        The scene that was scored, or the whole picture.
    hole : numpy.ndarray, (h,w)
        0 = hidden.
    fillings : dict of str to numpy.ndarray, (h,w,3)
        As the network (under "network") and the simple methods fill it in.
    corner : (top, left)
        The row and column of the picture at which the scene begins; negative beyond its border.
    inside : (top, left, bottom, right)
        The part of the scene that lies within the picture.
    seconds : float
        How long it took.
    """

    row: dict
    pixels: np.ndarray
    hole: np.ndarray
    fillings: dict[str, np.ndarray]
    corner: tuple[int, int]
    inside: tuple[int, int, int, int]
    seconds: float


@dataclass
class Engine:
    """Networks that stay loaded, for all tabs; one of them computes at a time.

    Parameters
    ----------
    vgg_weights : str, optional
        As for `unetpred.Predictor`.
    """

    vgg_weights: str | None = None
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self._predictors: dict[str, Predictor] = {}
        self._segmenters: dict[str, Segmenter] = {}

    @cached_property
    def content(self) -> bool:
        """Whether VGG-16 is on this machine: the page downloads nothing."""
        return self.vgg_weights is not None or known_vgg().here

    @property
    def output(self) -> tuple[str, ...]:
        """The scores that can be had."""
        return ("structure", "content") if self.content else ("structure",)

    def predictor(self, weights: str) -> Predictor:
        """The network of these weights."""
        from unetpred.scoring.predictor import Predictor

        with self.lock:
            if weights not in self._predictors:
                made = Predictor(weights, self.vgg_weights)
                # clicks are at ever other places and sizes: nobody shall wait for compiling
                made.outputs().max_graphs = 1
                self._predictors[weights] = made
            return self._predictors[weights]

    def segmenter(self, weights: str) -> Segmenter:
        """The network of these weights, which segments."""
        from unetpred.segmentation.predictor import Segmenter

        with self.lock:
            if weights not in self._segmenters:
                self._segmenters[weights] = Segmenter(weights)
            return self._segmenters[weights]

    def warm(self, weights: str) -> None:
        """Load a network and score with it, so that the first click need not wait."""
        from unetpred.images.sources import array_sources

        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        (source,) = array_sources(noise, "noise")
        picture = Picture("noise", source, (256, 256), "")
        # what is met for the second time compiles: first the hole that the page begins with, then
        # the network for holes of all sizes, and by pictures of two sizes for those of all
        for size, context in ((52, DEFAULT_CONTEXT), (40, DEFAULT_CONTEXT), (40, "full")):
            for _ in range(2):
                self.score(picture, Spot(Hole(size, center=(128, 128)), None, context, weights))
                time.sleep(0.01)  # who waits for the lock goes first

    def score(self, picture: Picture, spot: Spot, output: tuple[str, ...] | None = None) -> Answer:
        """Fill a hole in and score it.

        Parameters
        ----------
        picture : Picture
        spot : Spot
        output : tuple of {"structure", "content"}, optional
            The scores; all that can be had if not given.

        Raises
        ------
        InputError
            If the hole does not fit into the picture or its surroundings.
        """
        scenes = spot.scenes
        scenes.check(picture.size, 0, None, picture.name)
        scoring = Scoring(output or self.output, spot.weights, self.vgg_weights, covariates=True)
        with self.lock:
            begin = time.monotonic()  # how long others' work takes says nothing of these weights
            work = _Work(scoring, scenes, self.predictor(spot.weights))
            outcome, scene, fillings = work.answer(Job(picture.source, 0, {}))
        row = {**_described(picture, spot, scene), **outcome.scores}
        height, width = scene.hole.shape
        inside = (
            max(0, -scene.top),
            max(0, -scene.left),
            min(height, picture.size[0] - scene.top),
            min(width, picture.size[1] - scene.left),
        )
        seconds = time.monotonic() - begin
        corner = scene.top, scene.left
        return Answer(row, scene.pixels, scene.hole, fillings, corner, inside, seconds)


class _Work(ScoreWork):
    """Scores one job with a network that is loaded, and tells what fills its hole in."""

    def __init__(self, scoring: Scoring, scenes: Scenes, predictor: Predictor):
        super().__init__(scoring, scenes)
        self._predictor = predictor
        self._fillings = True  # they are shown, also where their content is not measured

    def answer(self, job: Job) -> tuple[Any, Scene, dict[str, np.ndarray]]:
        """What came of it, its scene, and the scene as it is filled in by each method."""
        read = self.read([job])
        scenes = read.scenes
        # the scene is wanted as it is filled in, not all of a picture that may be large
        read.images = [one.pixels for one in scenes]
        read.scenes = [replace(one, top=0, left=0) for one in scenes]
        simple = read.fillings
        read.fillings = simple if self._scoring.content else []
        (outcome,) = self.compute(read)
        if outcome.error:
            raise InputError(outcome.error)
        (scene,) = scenes
        fillings = {"network": outcome.arrays["filled"]}
        for name, inside in simple[0].items():
            fillings[name] = scene.pixels.copy()
            fillings[name][box_of(scene.hole)] = inside
        return outcome, scene, fillings


def _described(picture: Picture, spot: Spot, scene: Scene) -> dict:
    """The columns that say what was scored."""
    if spot.hole is not None:
        assert spot.hole.center is not None
        (x, y), size = spot.hole.center, float(spot.hole.sizes[0])
        kind: str = spot.hole.shape
    else:
        rows, columns = box_of(scene.hole)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        x, y = scene.left + columns.start + width // 2, scene.top + rows.start + height // 2
        size, kind = float(max(height, width)), "painted"
    return {
        "image": picture.name,
        "index": None,
        "hole": kind,
        "x": int(x),
        "y": int(y),
        "size": size,
        "context": str(spot.context),
        "weights": spot.weights,
    }


def weights_here() -> list[str]:
    """Names of weights that are on this machine, the fast ones first."""
    known = known_weights()
    first = [name for name in ("lite", "full") if known[name].here]
    return first + [name for name, one in known.items() if one.here and name not in first]
