"""Activations of whatever is given, into a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.holes.scenes import Scenes, Uncovered
from unetpred.images.sources import Input
from unetpred.io.files import check_target
from unetpred.io.registry import find_weights
from unetpred.results.feature_files import ENDINGS, FeatureFile
from unetpred.runs.cluster.connect import check_client
from unetpred.runs.cluster.packing import JobPacking, sent_scenes
from unetpred.runs.long_run import Work, run_batches
from unetpred.runs.provenance import provenance
from unetpred.runs.scoring.jobs import (
    Failures,
    Job,
    Outcome,
    Pictures,
    batches,
    check_batch_size,
    misfit,
)
from unetpred.runtime.command_line import Call
from unetpred.runtime.progress import Progress

if TYPE_CHECKING:
    import keras

    from unetpred.scoring.activations import Extractor

logger = logging.getLogger(__name__)


class Activations(NamedTuple):
    """What is computed: as for `unetpred.features`."""

    layers: Sequence[str]
    weights: str | os.PathLike[str] | keras.Model | None = None
    pool: int | Literal["mean"] | None = None
    channel_mean: bool = False
    dtype: Literal["float32", "float16"] = "float32"


def list_layers_of(
    weights: str | None, layers: str | Sequence[str] = "*", size: tuple[int, int] = (224, 224)
) -> Iterator[tuple]:
    """Layers with their shapes for images of a size.

    Yields
    ------
    (layer, height, width, channels, stride_px, receptive_field_px)
    """
    import_keras()
    from unetpred.network.layer_outputs import choose_layers
    from unetpred.network.model import Config
    from unetpred.network.receptive_fields import list_layers
    from unetpred.weights.files import describe

    about = describe(weights)
    config = Config(about["variant"], about["width"])
    chosen = choose_layers(layers, config.variant)
    for layer in list_layers(config, size):
        if layer.name in chosen:
            yield layer.name, *layer.shape, layer.stride, layer.receptive_field


def save_features(
    inputs: list[Input],
    wanted: Activations,
    save: str,
    scenes: Scenes | Uncovered,
    call: Call,
    batch_size: int | None = None,
    progress: Progress = None,
    client: Any = None,
) -> int:
    """Write activations of all inputs into one file.

    Parameters
    ----------
    inputs : list of Input
        Images.
    wanted : Activations
        What is computed.
    save : str
        The file.
    scenes : Scenes or Uncovered
        What is missing.
    call : Call
        What asked for it.
    batch_size : int, optional
        Images per pass.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.
    client : dask.distributed.Client, optional
        Where activations are computed; here if not given.

    Returns
    -------
    int
        How many images failed; their rows are NaN, with the reason.

    Raises
    ------
    InputError
        If arguments cannot be used, or no image.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    check_batch_size(batch_size)
    check_client(client)
    # what cannot be used has its place too: masks are counted by it, and it has a row
    sources = [source for one in inputs for source in one.places]
    fail = Failures()
    if all(one.error for one in inputs):
        for one in inputs[:-1]:
            fail.say(str(one.error))
        raise InputError(inputs[-1].error)
    scenes.check_count(len(sources))
    check_target(save, *ENDINGS)
    if os.path.realpath(save) in {os.path.realpath(source.path) for source in sources}:
        raise InputError(f"{save}: is an input as well; give another name")
    jobs = [Job(source, position, {}) for position, source in enumerate(sources)]
    planned = batches(jobs, scenes, batch_size, fail)
    if not planned:
        return len(jobs)
    sizes = {batch[0].source.size for batch in planned}
    find_weights(wanted.weights)

    import_keras(call.is_process)
    from unetpred.scoring.activations import check_one_size

    check_one_size(sizes, wanted.pool)
    work = FeatureWork(wanted, scenes)
    _ = work.extractor  # a layer that there is not is found before a file is begun
    with FeatureFile(save, len(jobs)) as file:
        run_batches(planned, work, _Sink(file, fail, save), len(jobs), "image", progress, client)
        if all(job.error for job in jobs):
            raise InputError("no image could be used")
        file.finish(
            [source.path for source in sources],
            [source.index for source in sources],
            [job.error or "" for job in jobs],
            _origin(wanted, scenes, work.extractor, sizes, call),
        )
    failed = sum(bool(job.error) for job in jobs)
    logger.info("features of %d image(s) are in %s", len(jobs) - failed, save)
    return failed


class _Sink:
    """Rows of a file that is whole or not there at all."""

    def __init__(self, file: FeatureFile, fail: Failures, path: str):
        self._file, self._fail, self._path = file, fail, path

    def put(self, batch: list[Job], rows: list[Outcome]) -> None:
        for job, outcome in zip(batch, rows, strict=True):
            self._fail.keep(job, outcome)
        there = [(j.position, o.arrays) for j, o in zip(batch, rows, strict=True) if o.arrays]
        if there:
            names = there[0][1]
            arrays = {name: np.stack([one[name] for _, one in there]) for name in names}
            self._file.put([position for position, _ in there], arrays)

    def stopped(self, finished: int, total: int) -> str:
        return f"interrupted; {self._path} is not written"


class _Read(NamedTuple):
    outcomes: list[Outcome]
    there: list[int]  # which of them have a picture
    pixels: list[np.ndarray]
    visible: list[np.ndarray]


class FeatureWork(JobPacking, Work[list[Job], _Read, list[Outcome]]):
    """Activations of a batch of images of one size.

    Parameters
    ----------
    wanted : Activations
        What is computed.
    scenes : Scenes or Uncovered
        What is missing.
    """

    def __init__(self, wanted: Activations, scenes: Scenes | Uncovered):
        self._wanted, self._scenes = wanted, scenes
        self._open()

    def _open(self) -> None:
        self._pictures = Pictures()
        self._extractor: Extractor | None = None

    def __getstate__(self) -> dict:
        """Whoever gets it in another process loads the network there."""
        return {**self.__dict__, "_pictures": None, "_extractor": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._open()

    def weights(self) -> dict[str, Path]:
        """As of `Work`."""
        return {"weights": find_weights(self._wanted.weights)[1]}

    def sent(self) -> FeatureWork:
        """As of `Work`."""
        return FeatureWork(self._wanted, sent_scenes(self._scenes))

    def located(self, files: Mapping[str, Any]) -> FeatureWork:
        """As of `Work`."""
        return FeatureWork(self._wanted._replace(**files), self._scenes)

    def bulky(self) -> bool:
        """As of `Work`."""
        return self._wanted.pool is None

    @property
    def extractor(self) -> Extractor:
        """The network, loaded when first asked for."""
        if self._extractor is None:
            from unetpred.scoring.activations import Extractor

            self._extractor = Extractor(*self._wanted)
        return self._extractor

    def read(self, batch: list[Job]) -> _Read:
        """Read the pictures."""
        read = _Read([Outcome() for _ in batch], [], [], [])
        for row, job in enumerate(batch):
            try:
                pixels = self._pictures(job.source)
            except InputError as error:
                read.outcomes[row] = Outcome(error=str(error))
                continue
            try:
                scene = self._scenes.scene(pixels, job.position, path=job.source.path)
            except InputError as error:
                read.outcomes[row] = misfit(job, error)
                continue
            read.there.append(row)
            read.pixels.append(scene.pixels)
            read.visible.append(scene.visible)
        return read

    def compute(self, read: _Read) -> list[Outcome]:
        """Activations by layer, in the `arrays` of each outcome."""
        if read.there:
            found = self.extractor(np.stack(read.pixels), np.stack(read.visible))
            for i, row in enumerate(read.there):
                read.outcomes[row].arrays = {name: values[i] for name, values in found.items()}
        return read.outcomes


def _origin(wanted: Activations, scenes, extractor, sizes, call: Call) -> dict:
    from unetpred.network.receptive_fields import list_layers

    weights = None if wanted.weights is None else os.fspath(wanted.weights)
    about: dict = provenance(weights, str(scenes), (), command=call.command)
    about["note"] = "activations after ReLU (block10: linear); they depend on the weights"
    about["pool"], about["channel_mean"] = wanted.pool, wanted.channel_mean
    about["layers"] = {
        layer.name: {
            "stride_px": layer.stride,
            "receptive_field_px": layer.receptive_field,
            **({"first_unit_yx_px": layer.first} if len(sizes) == 1 else {}),
        }
        for layer in list_layers(extractor.config, next(iter(sizes)))
        if layer.name in extractor.layers
    }
    return about
