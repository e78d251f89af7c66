"""The command line of scoring: `pred.py` and `unetpred predict`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from unetpred.commands.options import add_option, help_of, hole_of, masks_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pred.py` and `unetpred predict`."""
    parser.epilog = (
        "Exit codes: 0 all are scored; 1 some inputs failed, all others are scored; 2 wrong usage, "
        "or nothing could be scored; 130 and 143 stopped by Ctrl-C or SIGTERM."
    )
    add = parser.add_argument
    add_option(parser, "input", required=True)
    add_option(parser, "key")
    add_option(parser, "axes")
    add_option(parser, "recursive")
    add_option(parser, "output")
    add_option(parser, "weights")
    add_option(parser, "vgg_weights")
    add(
        "--mask_size",
        nargs="+",
        type=float,
        metavar="S",
        help="side or diameter of the hole (default: 52 px); with --sites also several, each of "
        "which is scored at every site",
    )
    add_option(parser, "mask_shape")
    add_option(parser, "mask_center")
    add_option(parser, "mask")
    add_option(parser, "mask_polarity")
    add("--pixels_per_degree", type=float, metavar="F", help="pixels per degree of visual angle")
    add(
        "--units",
        choices=("px", "deg"),
        default="px",
        help="of --mask_size and of the sizes of --sites; places are always pixels",
    )
    add(
        "--context",
        metavar="PX|full",
        help="what surrounds the hole: the crop of PX x PX around its centre, where what is beyond "
        "the image's border is missing, or the whole image (default: full; with --sites 224)",
    )
    add(
        "--sites",
        metavar="FILE.csv",
        help="holes at many places, as receptive fields or fixations: columns x, y (px) or x_deg, "
        "y_deg (from the image's centre, right and up)[, size][, image (path, name or stem)]"
        "[, index (in an array)]; one row of --save for each site "
        "and size, with contrast, luminance, spectral slope and what simple fillings reach",
    )
    add(
        "--covariates",
        action="store_true",
        help="with the scores, contrast, luminance, spectral slope and what simple fillings reach; "
        "always with --sites",
    )
    add("--save", metavar="FILE", help="table of scores, .csv, .json or .parquet")
    add(
        "--save_scores",
        metavar="FILE",
        help=".npy of the scores alone, float64 (N,), or (N,K) of K scores; without this and "
        "--save those of an array go beside it, into NAME_pred.npy",
    )
    add("--save_prediction", metavar="FILE", help=".npy of the filled-in images, (N,H,W,3)")
    add("--save_network_output", metavar="FILE", help=".npy of the network's whole output")
    add("--save_images", metavar="DIR", help="per image a png: original | masked | filled in")
    add("--save_filled", metavar="DIR", help="per image a png of it, filled in, of its own size")
    add("--batch_size", type=int, help="images per pass (default: 8, fewer of large images)")
    add(
        "--resume",
        action="store_true",
        help="go on after an interruption with the finished rows in FILE.part, FILE being the "
        "table of --save or --save_scores, or what is written beside an array or a directory",
    )
    add_option(
        parser,
        "cluster",
        help=f"{help_of('cluster')} (default: local for thousands of images with lite, where "
        "Dask is installed and there is no GPU; else none)",
    )
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred predict`."""
    from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL, Context
    from unetpred.holes.scenes import Scenes
    from unetpred.holes.sites import Sites
    from unetpred.images.sources import list_sources
    from unetpred.runs.cluster.connect import cluster_client
    from unetpred.runs.cluster.usual import usual_cluster
    from unetpred.runs.scoring.outputs import Outputs
    from unetpred.runs.scoring.results import lines
    from unetpred.runs.scoring.score_batch import Scoring
    from unetpred.runs.scoring.score_inputs import score_inputs
    from unetpred.runtime.command_line import Call

    sites = Sites(args.sites, args.units) if args.sites is not None else None
    context: Any = args.context or (DEFAULT_CONTEXT if sites else FULL)
    scenes = Scenes(hole_of(args), masks_of(args), sites, Context(context), args.pixels_per_degree)
    scoring = Scoring(
        tuple(args.output),
        args.weights,
        args.vgg_weights,
        args.covariates or sites is not None,
        args.batch_size,
    )
    outputs = Outputs(
        args.save,
        args.save_prediction,
        args.save_network_output,
        args.save_images,
        beside=True,
        resume=args.resume,
        scores=args.save_scores,
        filled=args.save_filled,
    )
    inputs = list_sources(args.input, args.key, args.recursive, args.axes)
    call, progress = Call.of_process(), False if args.quiet else None
    count = 0 if sites else sum(len(one.sources) for one in inputs)
    where = args.cluster or usual_cluster(count, args.weights)
    with cluster_client(where, needed=bool(args.cluster)) as client:
        scored = score_inputs(inputs, scoring, scenes, outputs, call, progress, client=client)
    if scored.nothing:
        return 2
    digits = 4 if sys.stdout.isatty() else None  # all of them where something else reads
    output = lines(inputs, scored.rows, scoring.output, sites is not None, digits)
    sys.stdout.writelines(f"{line}\n" for line in output)  # last: its reader may have gone
    return 1 if scored.failed else 0
