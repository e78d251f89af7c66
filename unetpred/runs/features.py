"""Running `unetpred features`: activations of whatever is named, into a file."""

from __future__ import annotations

import argparse
import logging
import os
import sys

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.holes.scenes import Holes, Place, Scene
from unetpred.images.sources import list_sources
from unetpred.io.files import check_target
from unetpred.io.registry import find_weights
from unetpred.runs.feature_files import ENDINGS, FeatureFile
from unetpred.runs.jobs import Failures, Job, Reader, batches
from unetpred.runs.provenance import provenance
from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.prefetch import prefetch
from unetpred.runtime.progress import progress_bar

logger = logging.getLogger(__name__)


class NoHoles:
    """In place of `Holes`, where nothing is hidden."""

    def check(self, size: tuple[int, int], position: int, place: Place | None = None) -> None:
        """Nothing can fail to fit."""

    def check_count(self, count: int) -> None:
        """Any number of images is right."""

    def scene_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The whole image."""
        return size

    def scene(self, pixels: np.ndarray, position: int, place: Place | None = None) -> Scene:
        """The whole image, all of it visible."""
        ones = np.ones(pixels.shape[:2], "float32")
        return Scene(pixels, ones, ones)

    def __str__(self) -> str:
        return "none, everything is visible"


def run(args: argparse.Namespace) -> int:
    """Run `unetpred features`.

    Returns
    -------
    int
        0 if all images went well, 1 if some failed, 2 if nothing could be done.

    Raises
    ------
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    if args.list:
        return _list(args)
    for option in ("input", "layers", "save"):
        if not getattr(args, option):
            raise InputError(f"--{option} is needed (or --list, to see the layers)")
    return _extract(args)


def _list(args: argparse.Namespace) -> int:
    size = (224, 224)
    if args.input:
        one = list_sources(args.input, args.key, args.recursive)[0]
        if one.error:
            raise InputError(one.error)
        size = one.sources[0].size
    import_keras()
    from unetpred.network.layer_outputs import choose_layers
    from unetpred.network.model import Config
    from unetpred.network.receptive_fields import list_layers
    from unetpred.weights.files import describe

    about = describe(args.weights)
    config = Config(about["variant"], about["width"])
    chosen = choose_layers(args.layers or "*", config.variant)
    layers = [layer for layer in list_layers(config, size) if layer.name in chosen]
    sys.stdout.write("layer\theight\twidth\tchannels\tstride_px\treceptive_field_px\n")
    for layer in layers:
        columns = (layer.name, *layer.shape, layer.stride, layer.receptive_field)
        sys.stdout.write("\t".join(map(str, columns)) + "\n")
    return 0


def _extract(args: argparse.Namespace) -> int:
    if args.batch_size is not None and args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    pool = _pool(args.pool)
    hidden = args.mask or args.mask_size or args.mask_center or args.mask_shape != "square"
    holes = Holes(args) if hidden else NoHoles()
    inputs = list_sources(args.input, args.key, args.recursive)
    # what cannot be used has its place too: masks are counted by it, and it has a row
    sources = [source for one in inputs for source in one.places]
    if all(one.error for one in inputs):
        for one in inputs:
            logger.error("unetpred: %s", one.error)
        return 2
    holes.check_count(len(sources))
    check_target(args.save, *ENDINGS)
    if os.path.realpath(args.save) in {os.path.realpath(source.path) for source in sources}:
        raise InputError(f"{args.save}: is an input as well; give another name")
    jobs = [Job(source, position, {}) for position, source in enumerate(sources)]
    fail = Failures()
    planned = batches(jobs, holes, args.batch_size, fail)
    if not planned:
        return 2
    sizes = {batch[0].source.size for batch in planned}
    find_weights(args.weights)

    import_keras()
    from unetpred.scoring.activations import Extractor, check_one_size

    check_one_size(sizes, pool)
    extractor = Extractor(args.layers, args.weights, pool, args.channel_mean, args.dtype)
    with (
        stop_signals() as caught,
        FeatureFile(args.save, len(jobs)) as file,
        progress_bar(len(jobs), "image", args.quiet) as bar,
    ):
        for loaded in prefetch(Reader(holes, fail), planned):
            if loaded.jobs:
                pixels, visible = (
                    np.stack([getattr(scene, name) for scene in loaded.scenes])
                    for name in ("pixels", "visible")
                )  # (N,H,W,3), (N,H,W)
                file.put([job.position for job in loaded.jobs], extractor(pixels, visible))
            bar.update(len(loaded.jobs))
            if caught:  # here, so that the unfinished file goes
                raise Stopped(f"interrupted; {args.save} is not written", caught[0])
        if all(job.error for job in jobs):
            raise InputError("no image could be used")
        file.finish(
            [source.path for source in sources],
            [source.index for source in sources],
            [job.error or "" for job in jobs],
            _origin(args, holes, extractor, sizes),
        )
    done = sum(not job.error for job in jobs)
    logger.info("features of %d image(s) are in %s", done, args.save)
    return 1 if any(job.error for job in jobs) else 0


def _pool(text: str | None) -> int | str | None:
    if text in (None, "mean"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--pool {text}: a whole number from 1, or mean, is right")
    return int(text)


def _origin(args: argparse.Namespace, holes, extractor, sizes) -> dict:
    from unetpred.network.receptive_fields import list_layers

    about = provenance(args.weights, str(holes), ())
    about["note"] = "activations after ReLU (block10: linear); they depend on the weights"
    about["pool"], about["channel_mean"] = args.pool, args.channel_mean
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
