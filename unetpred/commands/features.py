"""The command line of activations: `unetpred features`."""

from __future__ import annotations

import argparse

from unetpred.commands.options import add_option

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
    add("--batch_size", type=int, metavar="N", help="images per pass (default: 8, fewer if large)")
    add_option(parser, "quiet")
    # of holes there are no other kinds here
    parser.set_defaults(pixels_per_degree=None, units="px", sites=None, context=None)


def run(args: argparse.Namespace) -> int:
    """Run `unetpred features`; gives the exit code."""
    from unetpred.runs.features import run

    return run(args)
