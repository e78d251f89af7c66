"""One thing to score at a time, what came of it, and which of them go together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.scenes import Place, Scenes, Uncovered
from unetpred.images.inputs import MemorySource
from unetpred.images.sources import Source
from unetpred.io.files import stamp_of

logger = logging.getLogger(__name__)

BATCH = 8  # images per pass, where the user has no wish
BATCH_PIXELS = 2**21  # and at most so many pixels: 8 images of 512x512
KEPT_PIXELS = 2**22  # of pictures that stay in memory because holes of other sizes follow


@dataclass
class Job:
    """One hole in one picture, and what came of it.

    Attributes
    ----------
    source : Source
        The picture.
    position : int
        Among all jobs of the run.
    columns : dict
        What its row says besides scores.
    place : Place, optional
        Its hole, where it has one of its own.
    scores : dict, optional
        The other columns of its row, once it is done.
    error : str, optional
        Why it failed.
    sums : dict of str to int
        Check sums of its whole pictures, where they are kept.
    """

    source: Source
    position: int
    columns: dict
    place: Place | None = None
    scores: dict | None = None
    error: str | None = None
    sums: dict[str, int] = field(default_factory=dict)

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
        self.sums = {}

    @property
    def stamp(self) -> str:
        """Changes when the picture, or its file, does."""
        if isinstance(self.source, MemorySource):
            return self.source.stamp
        return stamp_of(self.source.path)


@dataclass
class Outcome:
    """What came of a job: scores, or why there are none.

    Attributes
    ----------
    scores : dict, optional
        Columns of its row.
    error : str, optional
        Why the picture could not be used.
    arrays : dict of str to numpy.ndarray
        Whole pictures, where they are wanted: "image" and "filled" (H,W,3), "mask" (H,W),
        "network_output" (H,W,3), and "context" (top, left, bottom, right), px, where only that
        was seen; or activations by layer.
    """

    scores: dict | None = None
    error: str | None = None
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def label(source: Source) -> str:
    """How messages call a picture."""
    return source.path if source.index is None else f"{source.path}: image {source.index}"


def misfit(job: Job, error: InputError) -> Outcome:
    """Say why a hole cannot be used: an image has failed; a site has a row that says so."""
    if job.place is None:
        return Outcome(error=f"{label(job.source)}: {error}")
    return Outcome(scores={"reason": str(error)})


class Failures:
    """Keeps what came of jobs, and tells the user at once why one failed; each thing once.

    Parameters
    ----------
    tell : bool
        Whether to tell at all.
    """

    def __init__(self, tell: bool = True) -> None:
        self._said: dict[str, None] = {}
        self.tell = tell

    @property
    def said(self) -> list[str]:
        """All reasons, each once, also those that were not told."""
        return list(self._said)

    def __call__(self, job: Job, reason: str) -> None:
        """The job has failed."""
        job.error = reason
        self.say(reason)

    def say(self, reason: str) -> None:
        """Tell the user."""
        if self.tell and reason not in self._said:
            logger.error("unetpred: %s", reason)
        self._said[reason] = None

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Put an outcome into its job."""
        job.scores = outcome.scores
        if outcome.error is not None:
            self(job, outcome.error)


def batches(
    jobs: Sequence[Job],
    scenes: Scenes | Uncovered,
    batch_size: int | None,
    fail: Failures,
    passes: int = 0,
) -> list[list[Job]]:
    """Plan: put together jobs whose scenes have one size and whose holes have one size.

    The same jobs always make the same batches, whatever has been done of them before, so that a
    run that is taken up again computes the digits of one that never stopped.

    Parameters
    ----------
    jobs : sequence of Job
        Those that cannot be scored get their error; a place where the hole does not fit gets its
        reason and counts as done.
    scenes : Scenes or Uncovered
        What is missing.
    batch_size : int, optional
        Jobs per batch; `BATCH`, or fewer of large images, if not given.
    fail : Failures
        What is told about those that fail.
    passes : int
        More than 0: jobs of one picture make batches of their own, which take so many passes and no
        more memory for being of a large image.

    Returns
    -------
    list of list of Job
        The largest groups first. Holes of several sizes take turns, so that a picture is still in
        memory when the next size comes to it.
    """
    groups: dict[tuple, list[Job]] = {}
    first = {job.source.path: job.position for job in reversed(jobs)}
    # each picture is read once, and those of an array as they lie there
    ordered = sorted(jobs, key=lambda job: (first[job.source.path], job.source.index or 0))
    for job in ordered:
        if job.done:
            continue
        try:
            size = job.source.size
        except InputError as error:
            fail(job, str(error))
            continue
        try:
            scenes.check(size, job.position, job.place, job.source.path)
        except InputError as error:
            fail.keep(job, misfit(job, error))
            continue
        hole = job.place and job.place.size
        groups.setdefault((*scenes.scene_size(size), hole), []).append(job)
    made: dict[tuple, list[list[Job]]] = {}
    for (height, width, _), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        count = batch_size or max(1, min(BATCH, BATCH_PIXELS // (height * width)))
        of_size = made.setdefault((height, width), [])
        alone = group
        if passes:
            pictures: dict[int, list[Job]] = {}
            for job in group:
                pictures.setdefault(id(job.source), []).append(job)
            alone = [jobs[0] for jobs in pictures.values() if len(jobs) == 1]
            for jobs in pictures.values():
                if len(jobs) > 1:
                    of_size += _parts(jobs, (batch_size or BATCH) * passes)
        of_size += _parts(alone, count)
    rank = {id(job): number for number, job in enumerate(ordered)}
    return [batch for of_size in made.values() for batch in _in_turns(of_size, rank)]


def _in_turns(made: list[list[Job]], rank: dict[int, int]) -> list[list[Job]]:
    """Batches in the order of their pictures, as far as these fit into memory together."""
    block: dict[int, int] = {}
    room, number = 0, 0
    for job in sorted((job for batch in made for job in batch), key=lambda job: rank[id(job)]):
        if id(job.source) not in block:
            height, width = job.source.size
            if room + height * width > KEPT_PIXELS // 2:  # a batch reaches into the next block
                room, number = 0, number + 1
            room += height * width
            block[id(job.source)] = number
    return sorted(made, key=lambda batch: block[id(batch[0].source)])


def _parts(jobs: list[Job], count: int) -> list[list[Job]]:
    return [jobs[start : start + count] for start in range(0, len(jobs), count)]


def check_batch_size(batch_size: int | None) -> None:
    """Raise InputError for a batch of none."""
    if batch_size is None:
        return
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"`batch_size` {batch_size}: a whole number, at least 1, is right")


class Pictures:
    """Reads the pictures of jobs; one after the other of the same picture are read once.

    Parameters
    ----------
    room : int
        Pixels of earlier pictures that are kept for jobs to come.
    """

    def __init__(self, room: int = 0) -> None:
        self._room = room
        self._kept: dict[int, tuple[Source, np.ndarray]] = {}  # the latest is the last

    def __call__(self, source: Source) -> np.ndarray:
        """The pixels (H,W,3). Raises InputError if they cannot be read."""
        if found := self._kept.pop(id(source), None):
            self._kept[id(source)] = found
            return found[1]
        height, width = source.size
        self._make_room(height * width)
        pixels = source.load()
        if pixels.shape[:2] != source.size:
            (height, width), size = pixels.shape[:2], source.size
            raise InputError(
                f"{label(source)}: is {width}x{height} px, where its header says "
                f"{size[1]}x{size[0]}; save it again"
            )
        self._kept[id(source)] = source, pixels
        return pixels

    def _make_room(self, pixels: int) -> None:
        taken = sum(kept.shape[0] * kept.shape[1] for _, kept in self._kept.values())
        for key, (_, kept) in list(self._kept.items()):
            if taken + pixels <= self._room:
                return
            taken -= kept.shape[0] * kept.shape[1]
            del self._kept[key]
