"""The command line of maps: `unetpred map`."""

from __future__ import annotations

import argparse

from unetpred.commands.options import add_option, hole_of
from unetpred.holes.contexts import DEFAULT_CONTEXT

_DESCRIPTION = "Score holes all over an image, each on its own: a map of predictability."
_EPILOG = """\
The map has a value at x = 0, S, 2S, ... and y alike (S: --stride). FILE.npz holds structure
(rows,cols); structure_luminance and content, if asked for; x (cols,) and y (rows,), the column and
row of the image at which the holes are centred; reason (rows,cols), why a value is NaN: near the
border the hole leaves the image; and provenance, as JSON. FILE.png shows the map of structure over
the photograph, FILE_content.png that of content, and so on.

Exit codes: 0 the map is finished; 2 wrong usage, or the image cannot be used; 130 and 143 it was
stopped by Ctrl-C or SIGTERM, and what it had scored is in FILE.npz.part.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of maps to a parser; what they give is for `run`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add("--input", required=True, metavar="IMG", help="an image, or an array (npy, npz, h5, mat)")
    add_option(parser, "key")
    add_option(parser, "axes")
    add("--index", type=int, metavar="N", help="which image of an array of several, from 0")
    add("--save", required=True, metavar="FILE.npz", help="the map; its pictures go beside it")
    add("--stride", type=int, default=16, metavar="S", help="px between places (default: 16)")
    add(
        "--context",
        default=DEFAULT_CONTEXT,
        metavar="PX|full",
        help="what surrounds a hole: the square of so many px around it, of which what is beyond "
        f"the image's border is missing, or the whole image (default: {DEFAULT_CONTEXT})",
    )
    add_option(
        parser,
        "output",
        help="scores: structure (higher = more predictable; always computed), structure_luminance "
        "(the same, of luminance alone: colours do not count), content (higher = less)",
    )
    add_option(parser, "weights")
    add_option(parser, "vgg_weights")
    add(
        "--mask_size",
        nargs=1,
        type=float,
        metavar="S",
        help="side or diameter of the hole (default: 52 px)",
    )
    add_option(parser, "mask_shape")
    add("--pixels_per_degree", type=float, metavar="F", help="for a scale bar, and --units deg")
    add("--units", choices=("px", "deg"), default="px", help="of --mask_size (default: px)")
    add("--batch_size", type=int, default=8, metavar="N", help="places per pass (default: 8)")
    add("--resume", action="store_true", help="go on after an interruption, from FILE.npz.part")
    add_option(parser, "cluster")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")
    parser.set_defaults(mask_center=None)  # the hole is at every place in turn


def run(args: argparse.Namespace) -> int:
    """Run `unetpred map`, and give the exit code."""
    from unetpred.holes.contexts import Context
    from unetpred.holes.scenes import Scenes
    from unetpred.images.sources import list_sources
    from unetpred.runs.cluster.connect import cluster_client
    from unetpred.runs.maps.map import Grid, save_map
    from unetpred.runs.scoring.score_batch import Scoring
    from unetpred.runtime.command_line import Call

    scenes = Scenes(
        hole_of(args),
        context=Context(args.context),
        pixels_per_degree=args.pixels_per_degree,
    )
    grid = Grid(scenes, args.stride)
    scoring = Scoring(
        tuple(args.output), args.weights, args.vgg_weights, batch_size=args.batch_size
    )
    given = list_sources([args.input], args.key, axes=args.axes)[0]
    call, progress = Call.of_process(), False if args.quiet else None
    with cluster_client(args.cluster) as client:
        save_map(given, grid, scoring, args.save, call, args.index, args.resume, progress, client)
    return 0
