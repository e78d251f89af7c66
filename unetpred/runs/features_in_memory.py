"""Activations of whatever is given, as arrays, here or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.own_masks import Masks
from unetpred.holes.polarity import Polarity, check_polarity, warn_if_inverted
from unetpred.holes.scenes import Covered, Uncovered
from unetpred.images.inputs import load_all
from unetpred.images.sources import Source
from unetpred.network.layer_outputs import visible_masks
from unetpred.runs.cluster.connect import check_client, loadable
from unetpred.runs.features import Activations, FeatureWork
from unetpred.runs.long_run import run_batches
from unetpred.runs.scoring.jobs import Job, Outcome
from unetpred.scoring.activations import check_one_size

if TYPE_CHECKING:
    import keras


def features(
    images: Any,
    layers: str | Sequence[str],
    mask: np.ndarray | str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    pool: int | Literal["mean"] | None = None,
    channel_mean: bool = False,
    dtype: Literal["float32", "float16"] = "float32",
    batch_size: int = 8,
    mask_polarity: Polarity = "visible",
    client: Any = None,
) -> dict[str, np.ndarray]:
    """Activations of layers by name, after their ReLU (the output, `block10`, has none).

    Parameters
    ----------
    images : path-like, array_like, PIL.Image.Image, or sequence of these
        Files, folders, or arrays (N,H,W,3), (N,H,W), (H,W,3) or (H,W): uint8, or float 0..255,
        RGB or grey, sides at least 84 px. All of one size, unless ``pool="mean"``.
    layers : str or sequence of str
        Names of layers, as `unetpred features --list` shows them; ``*`` stands for any characters.
    mask : array_like, (H,W) or (N,H,W), or path-like, optional
        Anything but 0 = visible, 0 = missing. Nothing is missing if not given. A path is a mask,
        or a folder of masks that are named like their images.
    weights : str, path-like or keras.Model, optional
        As for `unetpred.load_model`, or a network that was loaded before.
    pool : int or "mean", optional
        Mean over blocks of so many units a side (smaller ones at the right and lower border), or
        over all positions.
    channel_mean : bool
        Whether to average over channels.
    dtype : {"float32", "float16"}
        Of what is returned; computing is in float32.
    batch_size : int
        Images per pass.
    mask_polarity : {"visible", "missing"}
        What anything but 0 stands for in `mask`. A mask that looks inverted is warned of.
    client : dask.distributed.Client, optional
        A cluster that computes, with the same digits; this process if not given. It loads
        `weights` itself, so they are a name or a path then.

    Returns
    -------
    dict of str to numpy.ndarray
        By layer, in the order of the network: (N,h,w,C). No h and w with ``pool="mean"``, no C
        with `channel_mean`. What h, w and C are, where units are centred, and how far they see:
        `unetpred.network.receptive_fields.list_layers`.

    Raises
    ------
    InputError
        If a layer does not exist, an image cannot be used, or sizes do not fit.
    ClusterError
        If the cluster is gone, or does not get on.

    Examples
    --------
    >>> features(images, ["vblock3_conv_3", "vblock5_*"], pool="mean")["vblock3_conv_3"].shape
    (4, 64)
    """
    check_client(client)
    sources = load_all(images)
    masks = _masks(mask, mask_polarity, sources)
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if client is not None:
        weights = loadable(weights)
    wanted = Activations(names, weights, pool, channel_mean, dtype)
    work = FeatureWork(wanted, Uncovered() if masks is None else Covered(_Given(masks)))
    _ = work.extractor  # a layer that there is not is found before anything is computed
    check_one_size({source.size for source in sources}, pool)
    jobs = [Job(source, position, {}) for position, source in enumerate(sources)]
    planned = [jobs[start:stop] for start, stop in _batches(sources, batch_size)]
    sink = _Arrays(len(jobs), dtype)
    if client is None:
        for batch in planned:
            sink.put(batch, work(batch))
    else:
        run_batches(planned, work, sink, progress=False, client=client)
    return sink.found


class _Arrays:
    """A sink that keeps activations in memory; an image that cannot be used is an error."""

    def __init__(self, count: int, dtype: str):
        self._count, self._dtype = count, dtype
        self.found: dict[str, np.ndarray] = {}

    def put(self, batch: list[Job], rows: list[Outcome]) -> None:
        for job, outcome in zip(batch, rows, strict=True):
            if outcome.error is not None:
                raise InputError(outcome.error)
            for name, values in outcome.arrays.items():
                if name not in self.found:
                    self.found[name] = np.empty((self._count, *values.shape), self._dtype)
                self.found[name][job.position] = values

    def stopped(self, finished: int, total: int) -> str:
        return f"interrupted; {finished} of {total} images were finished"


class _Given:
    """In place of `unetpred.holes.own_masks.Masks`: masks (1 or N,H,W) that may hide nothing."""

    def __init__(self, masks: np.ndarray):
        self._masks = masks
        self.one_for_all = len(masks) == 1

    def of(self, path: str, position: int, size: tuple[int, int]) -> np.ndarray:
        """As of `Masks`; one of another size is found when it meets its image."""
        return self._masks[0 if self.one_for_all else position]


def _masks(mask: Any, polarity: Polarity, sources: list[Source]) -> np.ndarray | None:
    """The masks (1 or N,H,W) of all images."""
    check_polarity(polarity)
    if isinstance(mask, str | os.PathLike):
        own = Masks(mask, polarity)
        own.check_count(len(sources))
        each = [own.of(one.path, row, one.size) for row, one in enumerate(sources)]
        return visible_masks(np.stack(each), len(sources))
    masks = visible_masks(mask, len(sources))
    if masks is not None and polarity == "missing":
        masks = 1 - masks
    for one in () if masks is None else masks:
        if warn_if_inverted(one, "mask", polarity):
            break
    return masks


def _batches(sources: list[Source], batch_size: int) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours of one size."""
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    start = 0
    for stop in range(1, len(sources) + 1):
        last = stop == len(sources) or sources[stop].size != sources[start].size
        if last or stop - start == batch_size:
            yield start, stop
            start = stop
