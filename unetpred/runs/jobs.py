"""One thing to score at a time: which of them go together, and their reading ahead of time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.scenes import Holes, Place, Scene
from unetpred.images.sources import Source

logger = logging.getLogger(__name__)

BATCH = 8  # images per pass, where the user has no wish
BATCH_PIXELS = 2**21  # and at most so many pixels: 8 images of 512x512


@dataclass
class Job:
    """One hole in one picture, and what came of it.

    Attributes
    ----------
    source : Source
        The picture.
    position : int
        Among all jobs of the command.
    columns : dict
        What its row says besides scores.
    place : Place, optional
        Its hole, where it has one of its own.
    scores : dict, optional
        The other columns of its row, once it is done.
    error : str, optional
        Why it failed.
    """

    source: Source
    position: int
    columns: dict
    place: Place | None = None
    scores: dict | None = None
    error: str | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.scores is not None or self.error is not None

    @property
    def scored(self) -> bool:
        """Whether there are scores, even undefined ones, and not just a reason for none."""
        return self.scores is not None and len(self.scores) > 1

    def forget(self) -> None:
        """Make it one that was never done."""
        self.scores = self.error = None

    @property
    def stamp(self) -> str:
        """Changes when the file of the picture does."""
        try:
            info = os.stat(self.source.path)
        except OSError:
            return ""
        return f"{info.st_size}-{info.st_mtime_ns}"


@dataclass
class Loaded:
    """Jobs whose pictures have been read.

    Attributes
    ----------
    jobs : list of Job
        Those that could be read.
    scenes : list of Scene
        One for each.
    images : list of numpy.ndarray, (H,W,3)
        The whole pictures, where they are wanted; else empty.
    measures : list of dict
        What else was measured of the scenes.
    fillings : list of dict of str to numpy.ndarray
        What simple fillings put into the holes' bounding boxes, where that is wanted; else empty.
    """

    jobs: list[Job] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    measures: list[dict[str, float]] = field(default_factory=list)
    fillings: list[dict[str, np.ndarray]] = field(default_factory=list)


def label(source: Source) -> str:
    """How messages call a picture."""
    return source.path if source.index is None else f"{source.path}: image {source.index}"


class Failures:
    """Keeps why jobs fail, and tells the user at once; each thing is said once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, job: Job, reason: str) -> None:
        job.error = reason
        if reason not in self._said:
            self._said.add(reason)
            logger.error("unetpred: %s", reason)

    def misfit(self, job: Job, error: InputError) -> None:
        """Keep why a hole cannot be used: an image has failed; a site has a row that says so."""
        if job.place is None:
            self(job, f"{label(job.source)}: {error}")
        else:
            job.scores = {"reason": str(error)}


def batches(
    jobs: list[Job], holes: Holes, batch_size: int | None, fail: Failures
) -> list[list[Job]]:
    """Put together jobs whose scenes have one size and whose holes have one size.

    The same jobs always make the same batches, whatever has been done of them before, so that a
    run that is taken up again computes the digits of one that never stopped.

    Parameters
    ----------
    jobs : list of Job
        Those that cannot be scored get their error; a place where the hole does not fit gets its
        reason and counts as done.
    holes : Holes
        What is missing.
    batch_size : int, optional
        Jobs per batch; `BATCH`, or fewer of large images, if not given.
    fail : Failures
        What is told about those that fail.

    Returns
    -------
    list of list of Job
        The largest groups first.
    """
    groups: dict[tuple, list[Job]] = {}
    rank = {id(job.source): job.position for job in reversed(jobs)}
    for job in sorted(jobs, key=lambda job: rank[id(job.source)]):  # each picture is read once
        if job.done:
            continue
        try:
            size = job.source.size
        except InputError as error:
            fail(job, str(error))
            continue
        try:
            holes.check(size, job.position, job.place)
        except InputError as error:
            fail.misfit(job, error)
            continue
        hole = job.place and job.place.size
        groups.setdefault((*holes.scene_size(size), hole), []).append(job)
    made = []
    for (height, width, _), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        count = batch_size or max(1, min(BATCH, BATCH_PIXELS // (height * width)))
        made += [group[start : start + count] for start in range(0, len(group), count)]
    return made


class Reader:
    """Reads the pictures of batches; one after the other of the same picture are read once.

    Parameters
    ----------
    holes : Holes
        What is missing.
    fail : Failures
        What is told about pictures that cannot be read.
    whole : bool
        Whether the whole pictures are wanted too.
    measure : callable, optional
        Gives further columns of a row for (pixels, hole, visible) of its scene, and takes a dict
        that it puts fillings into, as `unetpred.scoring.covariates.covariates`.
    fillings : bool
        Whether those fillings are wanted.
    """

    def __init__(
        self,
        holes: Holes,
        fail: Failures,
        whole: bool = False,
        measure: Callable[..., dict[str, float]] | None = None,
        fillings: bool = False,
    ):
        self._holes, self._fail, self._whole, self._measure = holes, fail, whole, measure
        self._fillings = fillings
        self._last: tuple[Source, np.ndarray] | None = None

    def __call__(self, batch: list[Job]) -> Loaded:
        """Read one batch; jobs that cannot be read get their error and are left out."""
        loaded = Loaded()
        for job in batch:
            try:
                pixels = self._pixels(job.source)
            except InputError as error:
                self._fail(job, str(error))
                continue
            try:
                scene = self._holes.scene(pixels, job.position, job.place)
            except InputError as error:
                self._fail.misfit(job, error)
                continue
            loaded.jobs.append(job)
            loaded.scenes.append(scene)
            kept = {} if self._fillings else None
            measure = self._measure
            loaded.measures.append(
                measure(scene.pixels, scene.hole, scene.visible, kept) if measure else {}
            )
            if kept is not None:
                loaded.fillings.append(kept)
            if self._whole:
                loaded.images.append(pixels)
        return loaded

    def _pixels(self, source: Source) -> np.ndarray:
        if self._last and self._last[0] is source:
            return self._last[1]
        self._last = None
        pixels = source.load()
        if pixels.shape[:2] != source.size:
            (height, width), size = pixels.shape[:2], source.size
            raise InputError(
                f"{label(source)}: is {width}x{height} px, where its header says "
                f"{size[1]}x{size[0]}; save it again"
            )
        self._last = source, pixels
        return pixels
