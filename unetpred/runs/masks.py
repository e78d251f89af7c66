"""Masks of files, made on a cluster: workers make the files, and the client puts them in place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unetpred.errors import InputError
from unetpred.io.files import atomic_path, make_folder, stamp_of
from unetpred.runs.cluster.connect import check_client
from unetpred.runs.cluster.packing import with_pixels
from unetpred.runs.long_run import NotHere, Work, run_batches
from unetpred.runtime.interrupt import Stopped
from unetpred.runtime.progress import Progress
from unetpred.segmentation.mask_files import MaskJob, Written, begin_masks, write_job
from unetpred.segmentation.predictor import Segmenter
from unetpred.segmentation.weights import find_segmenter

#: Of one input: its files by their order, or why there are none.
Made = list[bytes] | str


def save_masks(
    client: Any,
    segmenter: Segmenter,
    weights: str,
    inputs: Sequence[str],
    output_dir: str,
    key: str | None = None,
    recursive: bool = False,
    overlays: bool = False,
    probabilities: str | None = None,
    resume: bool = False,
    provenance: Mapping[str, str] | None = None,
    progress: Progress = None,
) -> Written:
    """Write the masks of images, made on a cluster.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    segmenter : Segmenter
        How masks are made.
    weights : str
        What it was loaded from.
    inputs, output_dir, key, recursive, overlays, probabilities, resume, provenance
        As for `unetpred.segmentation.mask_files.write_masks`, whose files these are.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.

    Raises
    ------
    InputError
        As for `write_masks`.
    ClusterError
        If the cluster is gone, or does not get on; what came of it is kept.
    """
    check_client(client)
    written, jobs = begin_masks(
        segmenter, inputs, output_dir, key, recursive, resume, provenance, overlays, probabilities
    )
    names = {job.target: job.names(overlays, probabilities) for job in jobs}
    planned = [
        [job] for job in jobs if not (resume and all(file.is_file() for file in names[job.target]))
    ]
    work = MaskWork(segmenter, weights, overlays, probabilities)
    sink = _Sink(names, written)
    try:
        run_batches(planned, work, sink, len(jobs), "image", progress, client)
    except Stopped as stopped:
        written.stopped = stopped.number
    left = {job.target for (job,) in planned} - sink.done
    written.files = [names[job.target][0] for job in jobs if job.target not in left]
    return written


@dataclass
class _Packed:
    """A job as it travels.

    Attributes
    ----------
    job : MaskJob
    stamp : str or None
        Of its file, where that is read over there.
    content : bytes or None
        Of its file, where that is not there; None for a picture of an array, which has its pixels.
    refused : str
        Why it is not to be touched.
    """

    job: MaskJob
    stamp: str | None = None
    content: bytes | None = None
    refused: str = ""


class MaskWork(Work[list[MaskJob], Any, list[Made]]):
    """The files of one input.

    Parameters
    ----------
    segmenter, weights, overlays, probabilities
        As for `save_masks`.
    """

    apart = True

    def __init__(
        self, segmenter: Segmenter, weights: str, overlays: bool, probabilities: str | None
    ):
        self._segmenter: Segmenter | None = segmenter
        self._weights, self._wanted = weights, (overlays, probabilities)
        self._how = segmenter.tile, segmenter.turning, segmenter.threshold

    def weights(self) -> dict[str, Path]:
        """As of `Work`."""
        return {"weights": find_segmenter(self._weights)}

    def sent(self) -> MaskWork:
        """As of `Work`."""
        other = copy(self)
        other._segmenter = None
        return other

    def located(self, files: Mapping[str, Any]) -> MaskWork:
        """As of `Work`."""
        tile, turning, threshold = self._how
        self._segmenter = Segmenter(
            files["weights"], tile=tile, turning=turning, threshold=threshold
        )
        return self

    def bulky(self) -> bool:
        """As of `Work`."""
        return True

    def pack(
        self, batch: list[MaskJob], sends: Callable[[str], bool], refused: Mapping[int, str]
    ) -> _Packed:
        """As of `Work`."""
        (job,) = batch
        if refused:
            return _Packed(job, refused=f"{job.path}: {refused[0]}")
        if not sends(job.path):
            return _Packed(job, stamp_of(job.path))
        if job.source is not None and job.source.index is not None:
            return _Packed(replace(job, source=with_pixels(job.source)))
        try:
            return _Packed(job, content=Path(job.path).read_bytes())
        except OSError as error:
            return _Packed(job, refused=f"{job.path}: cannot be read ({error.strerror})")

    def unpack(self, packed: _Packed) -> Any:
        """As of `Work`."""
        if packed.stamp is not None and stamp_of(packed.job.path) != packed.stamp:
            raise NotHere(packed.job.path)
        return packed

    def read(self, batch: Any) -> Any:
        """Nothing: an input may be larger than memory, and is read piece by piece."""
        return batch

    def compute(self, read: Any) -> list[Made]:
        """The files."""
        packed: _Packed = read
        if packed.refused:
            return [packed.refused]
        assert self._segmenter is not None
        with tempfile.TemporaryDirectory(prefix="unetpred-") as place:
            job = replace(packed.job, target=Path(place) / packed.job.target.name)
            there = Path(place) / "input" / Path(job.path).name
            if packed.content is not None:
                there.parent.mkdir()
                there.write_bytes(packed.content)
                source = job.source and replace(job.source, path=str(there))
                job = replace(job, path=str(there), source=source)
            files = job.names(*self._wanted)
            try:
                write_job(self._segmenter, job, files)
            except InputError as error:
                return [str(error).replace(str(there), packed.job.path)]
            return [[file.read_bytes() for file in files]]


class _Sink:
    """Puts files in their places, the mask last: it tells that all are there."""

    def __init__(self, names: dict[Path, list[Path]], written: Written):
        self._names, self._written = names, written
        self.done: set[Path] = set()

    def put(self, batch: list[MaskJob], rows: list[Made]) -> None:
        (job,), (made,) = batch, rows
        if isinstance(made, str):
            self._written.errors.append(made)
            return
        try:
            make_folder(job.target.parent)
        except InputError as error:
            self._written.errors.append(str(error))
            return
        mask, *others = zip(self._names[job.target], made, strict=True)
        for file, content in (*others, mask):
            with atomic_path(file) as temporary:
                temporary.write_bytes(content)
        self.done.add(job.target)

    def stopped(self, finished: int, total: int) -> str:
        return f"{finished} of {total} are finished; --resume goes on"
