"""From a batch of jobs to their scores."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.scenes import Place, Scene, Scenes
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_file
from unetpred.runs.cluster.packing import JobPacking, sent_scenes
from unetpred.runs.long_run import Work
from unetpred.runs.scoring.jobs import BATCH, KEPT_PIXELS, Job, Outcome, Pictures, misfit
from unetpred.scoring.covariates import FILLINGS, box_of, covariates
from unetpred.scoring.luminance import luminance_of_fillings
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor


@dataclass(frozen=True)
class Scoring:
    """What is computed.

    Parameters
    ----------
    output : sequence of {"structure", "structure_luminance", "content"}
        The scores, in the order of their columns.
    weights, vgg_weights : str, optional
        As for `unetpred.Predictor`.
    covariates : bool
        Whether contrast, luminance, spectral slope and what simple fillings reach go along.
    batch_size : int, optional
        Images per pass.

    Raises
    ------
    InputError
        If there is no such score.
    """

    output: tuple[str, ...] = ("structure",)
    weights: str | None = None
    vgg_weights: str | None = None
    covariates: bool = False
    batch_size: int | None = None

    def __post_init__(self) -> None:
        given = (self.output,) if isinstance(self.output, str) else tuple(self.output)
        if unknown := [name for name in given if name not in OUTPUTS]:
            raise InputError(f"`output` {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
        if not given:
            raise InputError(f"`output`: is empty; {' or '.join(OUTPUTS)} is right")
        object.__setattr__(self, "output", tuple(dict.fromkeys(given)))

    @property
    def content(self) -> bool:
        """Whether VGG-16 is needed."""
        return "content" in self.output

    @property
    def luminance(self) -> bool:
        """Whether structure is wanted of luminance, too."""
        return "structure_luminance" in self.output

    def files(self) -> dict[str, Path]:
        """The files of `weights` and `vgg_weights`, as far as they are needed and there."""
        files = {"weights": find_weights(self.weights)[1]}
        if self.content and (vgg := vgg_file(self.vgg_weights)):
            files["vgg_weights"] = vgg
        return files


@dataclass
class Loaded:
    """Jobs whose pictures have been read.

    Attributes
    ----------
    failed : dict of int to Outcome
        What came of those that cannot be read, by their place in the batch.
    rows : list of int
        Places of the others in the batch; what follows is theirs.
    scenes : list of Scene
    places : list of Place or None
    images : list of numpy.ndarray, (H,W,3)
        The whole pictures, where they are wanted; else empty.
    measures : list of dict
        Covariates.
    fillings : list of dict of str to numpy.ndarray
        What simple fillings put into the holes' bounding boxes, where that is wanted; else empty.
    whole : numpy.ndarray, (H,W,3), optional
        The picture that all scenes are patches of, where they are scored together.
    """

    failed: dict[int, Outcome] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    places: list[Place | None] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    measures: list[dict] = field(default_factory=list)
    fillings: list[dict[str, np.ndarray]] = field(default_factory=list)
    whole: np.ndarray | None = None


class ScoreWork(JobPacking, Work[list[Job], Loaded, list[Outcome]]):
    """Scores of a batch of jobs whose scenes have one size.

    Parameters
    ----------
    scoring : Scoring
        What is computed.
    scenes : Scenes
        What is missing.
    images, network_output : bool
        Whether filled-in pictures, and the network's whole output, are wanted.
    """

    def __init__(
        self, scoring: Scoring, scenes: Scenes, images: bool = False, network_output: bool = False
    ):
        self._scoring, self._scenes = scoring, scenes
        self._images, self._network_output = images, network_output
        self._fillings = scoring.covariates and scoring.content
        self._room = KEPT_PIXELS if scenes.sites else 0
        self._luminance = scoring.covariates and scoring.luminance
        self._open()

    def _open(self) -> None:
        self._pictures = Pictures(self._room)
        self._predictor: Predictor | None = None

    def __getstate__(self) -> dict:
        """Whoever gets it in another process loads the network there."""
        return {**self.__dict__, "_pictures": None, "_predictor": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._open()

    def weights(self) -> dict[str, Path]:
        """As of `Work`."""
        return self._scoring.files()

    def sent(self) -> ScoreWork:
        """As of `Work`."""
        other = copy(self)
        other._scenes = sent_scenes(self._scenes)
        return other

    def located(self, files: Mapping[str, Any]) -> ScoreWork:
        """As of `Work`."""
        other = copy(self)
        other._scoring = replace(self._scoring, **files)
        return other

    def bulky(self) -> bool:
        """As of `Work`."""
        return self._images

    @property
    def predictor(self) -> Predictor:
        """The networks, loaded when first asked for."""
        if self._predictor is None:
            from unetpred.scoring.predictor import Predictor

            given = self._scoring
            predictor = Predictor(given.weights, given.vgg_weights, given.batch_size or BATCH)
            if given.content:
                predictor.vgg()  # before anything is computed that a missing file would waste
            self._predictor = predictor
        return self._predictor

    def read(self, batch: list[Job]) -> Loaded:
        """Read the pictures and make their scenes."""
        loaded = Loaded()
        together = self._together(batch)
        for row, job in enumerate(batch):
            try:
                pixels = self._pictures(job.source)
            except InputError as error:
                loaded.failed[row] = Outcome(error=str(error))
                continue
            try:
                # a hole as large as the picture leaves nothing visible, and `scene` says so
                alone = together and job.place and job.place.size**2 * 3 < pixels.size
                if alone and job.place and not self._scoring.covariates:
                    scene = self._scenes.patch(pixels, job.place)  # a whole one takes longer
                else:
                    scene = self._scenes.scene(pixels, job.position, job.place, job.source.path)
            except InputError as error:
                loaded.failed[row] = misfit(job, error)
                continue
            kept: dict[str, np.ndarray] = {}
            measures: dict = {}
            if self._scoring.covariates:
                measures = covariates(scene.pixels, scene.hole, scene.visible, kept)
            if self._luminance:
                measures |= luminance_of_fillings(scene.pixels, scene.hole, kept)
            if alone and job.place:
                scene, loaded.whole = self._scenes.patch(pixels, job.place), pixels
            loaded.rows.append(row)
            loaded.scenes.append(scene)
            loaded.places.append(job.place)
            loaded.measures.append(measures)
            if self._fillings:
                loaded.fillings.append(kept)
            if self._images:
                loaded.images.append(pixels)
        return loaded

    def _together(self, batch: list[Job]) -> bool:
        """Whether a batch is of holes in one picture, of which each sees all."""
        several = len(batch) > 1 and self._scenes.together and not self._network_output
        return several and all(job.source is batch[0].source for job in batch)

    def compute(self, read: Loaded) -> list[Outcome]:
        """Fill in and score; one outcome for each job of the batch."""
        found = dict(read.failed)
        if read.rows:
            found |= zip(read.rows, self._scored(read), strict=True)
        return [found[row] for row in sorted(found)]

    def _scored(self, read: Loaded) -> list[Outcome]:
        scenes, names = read.scenes, self._scoring.output
        pixels = np.stack([scene.pixels for scene in scenes])  # (N,h,w,3)
        visible, holes = (
            np.stack([getattr(scene, name) for scene in scenes])[..., None]  # (N,h,w,1)
            for name in ("visible", "hole")
        )
        others = _filled_simply(read, pixels)
        if read.whole is not None:
            places = [(place.x, place.y) for place in read.places if place]
            hole = scenes[0].hole
            result = self.predictor.score_places(
                read.whole, hole, places, names, list(others.values())
            )
        else:
            result = self.predictor.score(
                pixels, visible, names, self._network_output, holes, list(others.values())
            )
        outcomes = []
        for i, scene in enumerate(scenes):
            scores: dict = {name: float(getattr(result, name)[i]) for name in names}
            if result.content_layers is not None:
                for layer, value in zip(CONTENT_LAYERS, result.content_layers[i], strict=True):
                    scores[f"content_{layer}"] = float(value)
            for name, values in zip(others, result.content_of_others, strict=True):
                scores[f"content_{name}"] = float(values[i])
            measures = read.measures[i]
            reasons = filter(None, (result.reasons[i], measures.get("reason")))
            scores = {**scores, **measures, "reason": "; ".join(reasons)}
            outcome = Outcome(scores)
            if read.images:
                whole = None if result.network_output is None else result.network_output[i]
                outcome.arrays = _pasted(read.images[i], scene, result.filled[i], whole)
                if read.whole is not None:  # all of the picture surrounds the patch
                    outcome.arrays.pop("context", None)
            outcomes.append(outcome)
        return outcomes


def _pasted(
    image: np.ndarray, scene: Scene, filled: np.ndarray, network_output: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Whole pictures with what a scene gives in its place."""
    mask = np.ones(image.shape[:2], "float32")
    scene.paste(scene.hole, mask)
    arrays = {"image": image, "mask": mask, "filled": image.copy()}
    scene.paste(filled, arrays["filled"])
    height, width = scene.pixels.shape[:2]
    if (height, width) != image.shape[:2]:
        arrays["context"] = np.array(
            [scene.top, scene.left, scene.top + height, scene.left + width]
        )
    if network_output is not None:
        arrays["network_output"] = np.full_like(image, np.nan)
        scene.paste(network_output, arrays["network_output"])
    return arrays


def _filled_simply(loaded: Loaded, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures (N,h,w,3) of a batch as simple methods fill them in, where that is wanted."""
    if not loaded.fillings:
        return {}
    filled = {}
    for name in FILLINGS:
        filled[name] = pixels.copy()
        for image, scene, kept in zip(filled[name], loaded.scenes, loaded.fillings, strict=True):
            image[box_of(scene.hole)] = kept[name]
    return filled
