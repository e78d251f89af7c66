"""The command line of evaluations: `unetpred evaluate`."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from unetpred.commands.options import add_option
from unetpred.errors import InputError
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of evaluations to a parser; what they give is for `run`."""
    add = parser.add_argument
    add_option(parser, "weights")
    add("--data_dir", required=True, metavar="DIR", help="photographs never trained on")
    add("--output_dir", required=True, metavar="DIR", help="where tables and gallery go")
    add("--holes", nargs="+", type=int, default=[26, 52, 104], metavar="PX", help="hole sizes")
    add(
        "--output",
        nargs="+",
        choices=OUTPUTS,
        help="scores: structure and structure_luminance (with L1, PSNR and SSIM always measured), "
        "content (default: all; content where VGG-16 can be had)",
    )
    add_option(parser, "vgg_weights")
    add("--seed", type=int, default=0, help="of the bootstrap")
    add("--batch_size", type=int, default=8, help="images per pass")
    add(
        "--resume",
        action="store_true",
        help="go on after an interruption, from evaluation.csv.part in --output_dir",
    )
    add_option(parser, "cluster")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred evaluate`, and give the exit code."""
    from unetpred.backends.keras_import import import_keras
    from unetpred.io.registry import find_weights
    from unetpred.network.vgg16 import find_vgg
    from unetpred.runtime.command_line import Call

    find_weights(args.weights)
    if args.vgg_weights:
        find_vgg(args.vgg_weights)
    import_keras()
    from unetpred.evaluation.evaluate import Evaluator
    from unetpred.evaluation.tables import TEXT
    from unetpred.runs.cluster.connect import cluster_client
    from unetpred.runs.evaluation import save_evaluation
    from unetpred.runs.provenance import made_with
    from unetpred.weights.files import load_model

    vgg = _vgg(args)
    evaluator = Evaluator(
        load_model(args.weights),
        args.data_dir,
        args.output_dir,
        holes=tuple(args.holes),
        vgg=vgg,
        seed=args.seed,
        batch_size=args.batch_size,
    )
    origin = made_with(args.weights, args.vgg_weights, content=vgg is not None)
    progress = False if args.quiet else None
    with cluster_client(args.cluster) as client:
        save_evaluation(
            evaluator,
            origin,
            Call.of_process(),
            args.resume,
            progress,
            client,
            args.weights,
            args.vgg_weights,
        )
    with open(f"{args.output_dir}/summary.md", **TEXT) as file:
        sys.stdout.write(file.read())
    return 0


def _vgg(args: argparse.Namespace) -> keras.Model | None:
    """VGG-16 for an evaluation; None where it is not wanted, or neither asked for nor to be had."""
    from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model

    if args.output and "content" not in args.output:
        return None
    try:
        return vgg_model(args.vgg_weights, CONTENT_LAYERS)
    except InputError as error:
        if args.output or args.vgg_weights:
            raise
        logger.warning("content is left out: %s", error)
        return None
