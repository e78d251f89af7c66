"""The command line of activations: `unetpred features`."""

from __future__ import annotations

import argparse
import sys
from typing import Literal

from unetpred.commands.options import add_option, hole_of, masks_of
from unetpred.errors import InputError

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
    add_option(parser, "input")
    add_option(parser, "key")
    add_option(parser, "axes")
    add_option(parser, "recursive")
    add("--layers", nargs="+", metavar="NAME", help="layers; 'vblock3_*' for several")
    add("--list", action="store_true", help="show layers (all, or --layers) with shapes for 224 "
        "px (or for the first image of --input), strides, receptive fields; then stop")  # fmt: skip
    add("--save", metavar="FILE", help="where to: .npz or .h5")
    add_option(parser, "weights")
    add("--dtype", choices=("float32", "float16"), default="float32", help="what is stored")
    add("--pool", metavar="N|mean", help="mean over blocks of NxN units, or over all positions")
    add("--channel_mean", action="store_true", help="mean over the channels of a layer")
    add(
        "--mask_size",
        nargs=1,
        type=float,
        metavar="PX",
        help="hide a hole; nothing is hidden without",
    )
    add_option(parser, "mask_shape")
    add_option(parser, "mask_center")
    add_option(parser, "mask")
    add_option(parser, "mask_polarity")
    add("--batch_size", type=int, metavar="N", help="images per pass (default: 8, fewer if large)")
    add_option(parser, "cluster")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")
    parser.set_defaults(units="px", pixels_per_degree=None)


def run(args: argparse.Namespace) -> int:
    """Run `unetpred features`; gives the exit code."""
    if args.list:
        return _list(args)
    for option in ("input", "layers", "save"):
        if not getattr(args, option):
            raise InputError(f"--{option} is needed (or --list, to see the layers)")
    from unetpred.holes.scenes import Scenes, Uncovered
    from unetpred.images.sources import list_sources
    from unetpred.runs.cluster.connect import cluster_client
    from unetpred.runs.features import Activations, save_features
    from unetpred.runtime.command_line import Call

    wanted = Activations(args.layers, args.weights, _pool(args.pool), args.channel_mean, args.dtype)
    hole, masks = hole_of(args), masks_of(args)
    scenes = Scenes(hole, masks) if hole or masks else Uncovered()
    inputs = list_sources(args.input, args.key, args.recursive, args.axes)
    call, progress = Call.of_process(), False if args.quiet else None
    with cluster_client(args.cluster) as client:
        failed = save_features(
            inputs, wanted, args.save, scenes, call, args.batch_size, progress, client
        )
    if failed == sum(len(one.places) for one in inputs):
        return 2
    return 1 if failed else 0


def _list(args: argparse.Namespace) -> int:
    """Show layers with what they see."""
    from unetpred.images.sources import list_sources
    from unetpred.runs.features import list_layers_of

    size = (224, 224)
    if args.input:
        one = list_sources(args.input, args.key, args.recursive, args.axes)[0]
        if one.error:
            raise InputError(one.error)
        size = one.sources[0].size
    rows = list(list_layers_of(args.weights, args.layers or "*", size))
    sys.stdout.write("layer\theight\twidth\tchannels\tstride_px\treceptive_field_px\n")
    for row in rows:
        sys.stdout.write("\t".join(map(str, row)) + "\n")
    return 0


def _pool(text: str | None) -> int | Literal["mean"] | None:
    if text is None:
        return None
    if text == "mean":
        return "mean"
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--pool {text}: a whole number from 1, or mean, is right")
    return int(text)
