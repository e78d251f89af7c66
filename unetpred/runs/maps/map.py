"""A map with its files, gone on with after an interruption."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError, escaped
from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL, Context
from unetpred.holes.hole import LARGEST, Hole
from unetpred.holes.scenes import Scenes
from unetpred.images.sources import Input, Source
from unetpred.io.files import check_target
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import find_vgg
from unetpred.runs.cluster.connect import check_client
from unetpred.runs.long_run import run_batches
from unetpred.runs.maps.map_file import go_on_with, write_map
from unetpred.runs.maps.map_work import MapWork
from unetpred.runs.part_file import telling_what_is_kept, warn_of_replacing
from unetpred.runs.provenance import provenance
from unetpred.runs.scoring.jobs import BATCH, check_batch_size, label
from unetpred.runs.scoring.score_batch import Scoring
from unetpred.runtime.command_line import Call
from unetpred.runtime.expected import Expected
from unetpred.runtime.progress import Progress
from unetpred.scoring.map_grid import hole_pattern
from unetpred.scoring.maps import (
    PENDING,
    Places,
    PlaceScore,
    PredictabilityMap,
    blank_map,
    keep,
    plan,
)
from unetpred.scoring.scores import OUTPUTS, ScoreName

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)

SAVE_EVERY = 2  # seconds between two savings of what is scored so far
SAVE_SHARE = 0.05  # and at most this share of the time goes into them, of large maps


@dataclass(frozen=True)
class Grid:
    """What a map is of.

    Parameters
    ----------
    scenes : Scenes
        The hole that is at every place in turn, and what surrounds it.
    stride : int
        px between places.

    Raises
    ------
    InputError
        If the stride is none, or the hole has a place of its own.
    """

    scenes: Scenes = field(default_factory=lambda: Scenes(context=Context(DEFAULT_CONTEXT)))
    stride: int = 16

    def __post_init__(self) -> None:
        if self.stride != int(self.stride) or self.stride < 1:
            raise InputError(f"`stride` {self.stride}: a whole number of px, at least 1, is right")
        if self.stride > LARGEST:
            raise InputError("`stride`: is larger than any image")
        if self.scenes.masks or self.scenes.sites or (self.scenes.hole or Hole()).center:
            raise InputError("the hole of a map is at every place in turn; leave `center` away")

    @property
    def context(self) -> int | str:
        """Side of the crop, px, or "full"."""
        return self.scenes.context.size

    @property
    def around(self) -> str:
        """The context, in words."""
        if self.context == FULL:
            return "full image"
        return f"the {self.context} x {self.context} px around each place; beyond the image missing"


def save_map(
    given: Input,
    grid: Grid,
    scoring: Scoring,
    save: str,
    call: Call,
    index: int | None = None,
    resume: bool = False,
    progress: Progress = None,
    client: Any = None,
) -> PredictabilityMap:
    """Score holes all over an image, into a file and pictures beside it.

    Parameters
    ----------
    given : Input
        The image.
    grid : Grid
        Where, and what is missing.
    scoring : Scoring
        What is computed; structure always is.
    save : str
        The file, .npz.
    call : Call
        What asked for it.
    index : int, optional
        Which image, of an array of several.
    resume : bool
        Whether to go on with what an interrupted run has left.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.
    client : dask.distributed.Client, optional
        Where scores are computed; here if not given.

    Raises
    ------
    InputError
        If there is no map to be had; in one line, why.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    check_batch_size(scoring.batch_size)
    check_client(client)
    size, shape = grid.scenes.sizes[0], grid.scenes.shape
    hole = hole_pattern(size, shape, grid.context)
    check_target(save, ".npz")
    if os.path.realpath(save) == os.path.realpath(given.path):
        raise InputError(f"{save}: is the input; give another name")
    source = one_picture(given, index)
    result = blank_map(source.size, grid.stride, size, scoring.content, scoring.luminance)
    image = source.load()
    name, _ = find_weights(scoring.weights)
    if scoring.content and scoring.vgg_weights:
        find_vgg(scoring.vgg_weights)

    import_keras(call.is_process)
    from unetpred.scoring.predictor import Predictor

    outputs = [name for name in OUTPUTS if name in result.scores]
    about = provenance(
        scoring.weights, str(grid.scenes), outputs, scoring.vgg_weights, command=call.command
    )
    origin = {
        **about,
        "hole": f"{grid.scenes.form}, centred on each place in turn",
        "context": grid.around,
        "image": escaped(label(source)),
        "image_sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        "stride": str(grid.stride),
    }
    predictor = Predictor(scoring.weights, scoring.vgg_weights, scoring.batch_size or BATCH)
    if scoring.content:
        predictor.vgg()  # before anything is computed that a missing file would waste
    part = Path(f"{save}.part")
    if resume:
        go_on_with(part, result, origin)
    elif part.exists():
        warn_of_replacing(part)
    work = MapWork(image, hole, grid.context, predictor, scoring, result)
    planned = plan(result, image, hole, grid.context, predictor)
    with telling_what_is_kept([part], call.resume):
        hint = "; `weights` lite takes about a tenth of the time, a larger `stride` less"
        expected = Expected(sum(map(len, planned)), "place", "" if name == "lite" else hint)
        sink = _Sink(result, part, origin, call, expected)
        run_batches(planned, work, sink, None, "place", progress, client)
        write_map(Path(save), result, origin)
        for score in outputs:
            _picture(save, score, source.path, image, result, grid, name)
    part.unlink(missing_ok=True)
    logger.info("%s: map of %d x %d places (rows x columns)", save, *result.structure.shape)
    return result


def one_picture(one: Input, index: int | None = None) -> Source:
    """The picture that a map is of.

    Parameters
    ----------
    one : Input
        What was given.
    index : int, optional
        Which of several.

    Raises
    ------
    InputError
        If there is none, or it cannot be told which.
    """
    if one.error:
        raise InputError(one.error)
    if one.kind == "directory":
        raise InputError(f"{one.path}: is a folder; a map is of one image")
    if index is None and len(one.sources) == 1:
        return one.sources[0]
    if index is None:
        raise InputError(f"{one.path}: holds {len(one.sources)} images; choose one by `index`")
    if not 0 <= index < len(one.sources):
        raise InputError(
            f"`index` {index}: {one.path} holds {len(one.sources)} image(s), "
            f"0..{len(one.sources) - 1} is right"
        )
    return one.sources[index]


class _Sink:
    """A map that is saved now and then, and when it is stopped."""

    def __init__(
        self,
        result: PredictabilityMap,
        part: Path,
        origin: dict[str, str],
        call: Call,
        expected: Expected,
    ):
        self._result, self._part, self._origin, self._call = result, part, origin, call
        self._expected = expected
        self._due = time.monotonic() + SAVE_EVERY

    def put(self, batch: Places, rows: list[PlaceScore]) -> None:
        keep(self._result, batch, rows)
        self._expected.done(len(batch))
        if (start := time.monotonic()) >= self._due:
            write_map(self._part, self._result, self._origin)
            end = time.monotonic()
            self._due = end + max(SAVE_EVERY, (end - start) / SAVE_SHARE)

    def stopped(self, finished: int, total: int) -> str:
        write_map(self._part, self._result, self._origin)
        count = int((self._result.reason == PENDING).sum())
        return (
            f"interrupted; {count} place(s) are left, the others are in {self._part}; "
            f"{self._call.resume}"
        )


def _picture(
    save: str,
    score: ScoreName,
    input_path: str,
    image: np.ndarray,
    result: PredictabilityMap,
    grid: Grid,
    weights: str,
) -> None:
    from unetpred.plots import map_overlay
    from unetpred.plots import save as save_figure

    ending = "" if score == "structure" else f"_{score}"
    stem = Path(save).with_suffix("")
    path = stem.with_name(f"{stem.name}{ending}.png")
    if os.path.realpath(path) == os.path.realpath(input_path):
        path = stem.with_name(f"{stem.name}{ending}_map.png")
    scenes = grid.scenes
    context = "the whole image" if grid.context == FULL else f"{grid.context} px"
    caption = (
        f"hole: {scenes.form}   context: {context}   stride: {grid.stride} px   weights: {weights}"
    )
    figure = map_overlay(
        image,
        result,
        score,
        scenes.sizes[0],
        scenes.pixels_per_degree,
        caption,
        mask_shape=scenes.shape,
    )
    save_figure(figure, path)
    logger.info("%s: %s over the photograph", path, score)
