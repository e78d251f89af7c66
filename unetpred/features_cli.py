"""The command line of activations: `unetpred features`."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.feature_files import ENDINGS, FeatureFile
from unetpred.quiet import import_keras, progress_bar

logger = logging.getLogger(__name__)

_DESCRIPTION = """\
Save activations of layers, after their ReLU, one row per image.

The file holds one array per layer under the layer's name, (N,h,w,channels); `image`, `index` and
`reason` (N,), and `provenance`. An .h5 is written row by row; the arrays of an .npz are kept in
memory until the end. Images that fail are rows of NaN, and the exit code is 1.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `unetpred features`; what they give is for `run`."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--input", nargs="+", metavar="PATH", help="images, .npy, .npz, .h5 or directories")
    add("--key", help="which array of a .npz or .h5")
    add("--recursive", action="store_true", help="descend into directories of directories")
    add("--layers", nargs="+", metavar="NAME", help="layers; 'vblock3_*' for several")
    add("--list", action="store_true", help="show all layers, with shapes for 224x224 px (or for "
        "the first image of --input), strides and receptive fields; then stop")  # fmt: skip
    add("--save", metavar="FILE", help="where to: .npz or .h5")
    add("--weights", metavar="NAME|FILE", help="weights; the shipped default if not given")
    add("--dtype", choices=("float32", "float16"), default="float32", help="what is stored")
    add("--pool", metavar="N|mean", help="mean over blocks of NxN units, or over all positions")
    add("--channel_mean", action="store_true", help="mean over the channels of a layer")
    add("--mask_size", type=float, metavar="PX", help="hide a hole; nothing is hidden without")
    add("--mask_shape", choices=("square", "disc"), default="square", help="shape of the hole")
    add("--mask_center", nargs=2, type=int, metavar=("X", "Y"), help="the hole's column and row")
    add("--mask", metavar="FILE", help="own mask, 0 = missing: an image, or .npy (H,W) or (N,H,W)")
    add("--batch_size", type=int, default=8, help="images per pass (default: 8)")
    add("--quiet", action="store_true", help="no progress, only warnings")
    parser.set_defaults(pixels_per_degree=None, units="px")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred features`.

    Returns
    -------
    int
        0 if all images went well, 1 if some failed, 2 if nothing could be done.
    """
    if args.list:
        return _list(args)
    for option in ("input", "layers", "save"):
        if not getattr(args, option):
            raise InputError(f"--{option} is needed (or --list, to see the layers)")
    return _extract(args)


def _list(args: argparse.Namespace) -> int:
    from unetpred.images import list_sources

    size = (224, 224)
    if args.input:
        one = list_sources(args.input, args.key, args.recursive)[0]
        if one.error:
            raise InputError(one.error)
        size = one.sources[0].size
    import_keras()
    from unetpred.model import Config
    from unetpred.receptive import list_layers
    from unetpred.weights import describe

    about = describe(args.weights)
    layers = list_layers(Config(about["variant"], about["width"]), size)
    sys.stdout.write("layer\theight\twidth\tchannels\tstride_px\treceptive_field_px\n")
    for layer in layers:
        columns = (layer.name, *layer.shape, layer.stride, layer.receptive_field)
        sys.stdout.write("\t".join(map(str, columns)) + "\n")
    return 0


def _extract(args: argparse.Namespace) -> int:
    from unetpred.activations import Extractor, check_one_size
    from unetpred.batch import Holes, Job
    from unetpred.images import list_sources
    from unetpred.report import check_target

    if args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    pool = _pool(args.pool)
    hidden = args.mask or args.mask_size or args.mask_center or args.mask_shape != "square"
    holes = Holes(args) if hidden else None
    inputs = list_sources(args.input, args.key, args.recursive)
    for one in inputs:
        if one.error:
            logger.error("unetpred: %s", one.error)
    jobs = [Job(s, n) for n, s in enumerate(s for one in inputs for s in one.sources)]
    if not jobs:
        return 2
    check_target(args.save, *ENDINGS)
    if os.path.realpath(args.save) in {os.path.realpath(job.source.path) for job in jobs}:
        raise InputError(f"{args.save}: is an input as well; give another name")
    if holes:
        holes.check_count(len(jobs))
    groups: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        try:
            groups.setdefault(job.source.size, []).append(job)
        except InputError as error:
            job.fail(error)
    check_one_size(groups, pool)

    import_keras()
    extractor = Extractor(args.layers, args.weights, pool, args.channel_mean, args.dtype)
    with (
        FeatureFile(args.save, len(jobs)) as file,
        progress_bar(len(jobs), "image", args.quiet) as bar,
    ):
        for size, group in groups.items():
            for start in range(0, len(group), args.batch_size):
                batch = group[start : start + args.batch_size]
                _put(batch, size, holes, extractor, file)
                bar.update(len(batch))
        if all(job.error for job in jobs):
            raise InputError("no image could be used")
        file.finish(
            [job.source.path for job in jobs],
            [job.source.index for job in jobs],
            [job.error or "" for job in jobs],
            _origin(args, holes, extractor, list(groups)),
        )
    logger.info("features of %d image(s) are in %s", len(jobs), args.save)
    return 1 if any(job.error for job in jobs) or any(one.error for one in inputs) else 0


def _pool(text: str | None) -> int | str | None:
    if text in (None, "mean"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--pool {text}: a whole number from 1, or mean, is right")
    return int(text)


def _put(batch, size, holes, extractor, file: FeatureFile) -> None:
    """Compute and keep the activations of one batch of pictures of one size."""
    good, images, masks = [], [], []
    for job in batch:
        try:
            mask = holes.mask(job, size) if holes else None
            pixels = job.source.load()
            if pixels.shape[:2] != size:
                raise InputError(f"{job.source.path}: is not of the size in its header")
        except InputError as error:
            job.fail(error)
            continue
        good.append(job.position)
        images.append(pixels)
        masks.append(mask)
    if good:
        stacked = np.stack(masks) if holes else None  # (N,H,W)
        file.put(good, extractor(np.stack(images), stacked))


def _origin(args: argparse.Namespace, holes, extractor, sizes) -> dict:
    from unetpred.receptive import list_layers
    from unetpred.report import provenance
    from unetpred.weights import find_weights, sha256

    name, path = find_weights(args.weights)
    program, *words = sys.argv
    program = "python -m unetpred" if Path(program).name == "__main__.py" else "unetpred"
    about = provenance(
        (name, sha256(path)),
        str(holes) if holes else "none, everything is visible",
        (),
        f"{program} {shlex.join(words)}",
    )
    about["note"] = "activations after ReLU (block10: linear); they depend on the weights"
    about["pool"], about["channel_mean"] = args.pool, args.channel_mean
    about["layers"] = {
        layer.name: {
            "stride_px": layer.stride,
            "receptive_field_px": layer.receptive_field,
            **({"first_unit_yx_px": layer.first} if len(sizes) == 1 else {}),
        }
        for layer in list_layers(extractor.config, sizes[0])
        if layer.name in extractor.layers
    }
    return about
