"""Jobs as they travel to another process: pictures by their path, or with their pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.scenes import Covered, Scenes, Uncovered
from unetpred.images.inputs import MemorySource
from unetpred.images.sources import Source, read_by
from unetpred.runs.long_run import NotHere
from unetpred.runs.scoring.jobs import Job, label

_READERS = 64  # files that stay open to what was learnt of them


@dataclass
class Packed:
    """A batch of jobs as it travels.

    Attributes
    ----------
    jobs : list of Job
        Without their columns; the pictures either have a path or bring their pixels.
    stamps : list of str or None
        By which a file is known to be the same one; None for pixels that are sent.
    masks : list
        The mask (H,W) of each, or why there is none; empty where no mask has to be looked up.
    """

    jobs: list[Job]
    stamps: list[str | None]
    masks: list[np.ndarray | str]


class JobPacking:
    """Packs and unpacks batches of jobs, for work with `_scenes`."""

    _scenes: Any  # Scenes or Uncovered
    apart = True

    def shared(self, batch: list[Job]) -> set[Any]:
        """The pictures."""
        return {id(job.source) for job in batch}

    def pack(
        self, batch: list[Job], sends: Callable[[str], bool], refused: Mapping[int, str]
    ) -> Packed:
        """As `unetpred.runs.long_run.Work.pack`."""
        packed = Packed([], [], [])
        held: dict[int, Source] = {}
        masks = getattr(self._scenes, "masks", None)
        for row, job in enumerate(batch):
            source, stamp = job.source, None
            if row in refused:
                source = Source(
                    source.path,
                    source.index,
                    _Held(f"{label(source)}: {refused[row]}", source.size),
                )
            elif isinstance(source, MemorySource) or sends(source.path):
                if id(source) not in held:  # a picture with several holes travels once
                    held[id(source)] = with_pixels(source)
                source = held[id(source)]
            else:
                stamp = job.stamp
            packed.jobs.append(Job(source, job.position, {}, job.place))
            packed.stamps.append(stamp)
            if masks is not None and not masks.one_for_all:
                packed.masks.append(_mask(masks, job))
        return packed

    def unpack(self, packed: Packed) -> list[Job]:
        """As `unetpred.runs.long_run.Work.unpack`."""
        for job, stamp in zip(packed.jobs, packed.stamps, strict=True):
            if stamp is None:
                continue
            if job.stamp != stamp:
                raise NotHere(job.source.path)
            job.source = self._known(job.source, stamp)
        if packed.masks:
            masks = getattr(self._scenes, "masks", None)
            assert isinstance(masks, HandedMasks)
            masks.hand(packed)
        return packed.jobs

    def _known(self, source: Source, stamp: str) -> Source:
        """The same picture of the batches before: what was learnt and read of its file stays."""
        readers = self.__dict__.setdefault("_readers", _Recent())

        def known(reader: Any) -> Any:
            return readers((source.path, stamp), reader)

        return readers((source.path, source.index, stamp), read_by(source, known))


class HandedMasks:
    """In place of `unetpred.holes.own_masks.Masks`, where masks come with the batch."""

    path, one_for_all = None, False

    def __init__(self) -> None:
        self._of: dict[int, np.ndarray | str] = {}

    def hand(self, packed: Packed) -> None:
        """Take the masks of a batch, beside those of the batch before."""
        while len(self._of) > 4 * len(packed.jobs) + 64:
            self._of.pop(next(iter(self._of)))
        self._of |= zip((job.position for job in packed.jobs), packed.masks, strict=True)

    def of(self, path: str, position: int, size: tuple[int, int]) -> np.ndarray:
        """As of `Masks`."""
        mask = self._of[position]
        if isinstance(mask, str):
            raise InputError(mask)
        return mask.astype(np.float32)


class HandedSites:
    """In place of `unetpred.holes.sites.Sites`, where jobs say their places."""

    units = "px"


def sent_scenes(scenes: Scenes | Uncovered) -> Scenes | Uncovered:
    """Scenes without tables, nor masks that `JobPacking` sends along."""
    if isinstance(scenes, Scenes | Covered) and scenes.masks is not None:
        masks: Any = scenes.masks if scenes.masks.one_for_all else HandedMasks()
        return replace(scenes, masks=masks)
    if isinstance(scenes, Scenes) and scenes.sites is not None:
        sites: Any = HandedSites()
        return replace(scenes, sites=sites)
    return scenes


class _Held:
    """Reads a picture that came along; or says why it did not."""

    def __init__(self, pixels: np.ndarray | str, size: tuple[int, int]):
        self._pixels, self.size = pixels, size

    def load(self, index: int | None) -> np.ndarray:
        if isinstance(self._pixels, str):
            raise InputError(self._pixels)
        return self._pixels.astype(np.float32)


class _Recent:
    """The latest things of their kind, by key."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def __call__(self, key: Hashable, new: Any) -> Any:
        """What is known by this key; `new` from now on, if nothing is."""
        found = self._kept.setdefault(key, new)
        self._kept.move_to_end(key)
        while len(self._kept) > _READERS:
            self._kept.popitem(last=False)
        return found

    def __reduce__(self) -> tuple:
        return _Recent, ()


def with_pixels(source: Source) -> Source:
    """The same picture, read already; or what is wrong with it."""
    try:
        pixels = source.load()
    except InputError as error:
        return Source(source.path, source.index, _Held(str(error), source.size))
    return Source(source.path, source.index, _Held(shrunk(pixels), source.size))


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """The same numbers in a quarter of the bytes, where nothing is lost by it."""
    small = pixels.astype(np.uint8)
    return small if (small == pixels).all() else pixels


def _mask(masks: Any, job: Job) -> np.ndarray | str:
    try:
        mask = masks.of(job.source.path, job.position, job.source.size)
    except InputError as error:
        return str(error)
    return np.asarray(mask).astype(np.uint8)
