"""The command line of segmentation: `unetpred segment train | predict | evaluate`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from unetpred.backends.keras_import import import_keras
from unetpred.commands import segment_train
from unetpred.commands.options import add_option
from unetpred.errors import InputError, escaped
from unetpred.runtime.command_line import command_line, resume_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of segmentation to a parser; what they give is for `run`."""
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str, add, go) -> None:
        sub = commands.add_parser(name, help=text, description=text)
        add(sub)
        sub.set_defaults(go=go)

    command(
        "train",
        "Train a network on images with labels.",
        segment_train.add_arguments,
        segment_train.run,
    )
    command("predict", "Write masks of images.", _predict_arguments, _predict)
    command("evaluate", "Compare masks with labels.", _evaluate_arguments, _evaluate)


def run(args: argparse.Namespace) -> int:
    """Run `unetpred segment`, and give the exit code."""
    return args.go(args)


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 all masks are written; 1 some inputs failed, all others are written; 2 "
        "wrong usage, or nothing could be written; 130 and 143 stopped by Ctrl-C or SIGTERM."
    )
    add = parser.add_argument
    help_text = "images, TIFF stacks, .npy, .npz, .h5 or directories"
    add_option(parser, "input", required=True, help=help_text)
    add_option(parser, "key")
    add_option(parser, "recursive")
    add("--weights", required=True, metavar="NAME|FILE", help="of a network that segments")
    add("--output_dir", required=True, metavar="DIR", help="where NAME_mask.png go")
    add("--overlay", action="store_true", help="also NAME_overlay.png, the mask over the image")
    text = "also NAME_prob.npy or .npz: float32 (H,W,K), of two classes (H,W) of class 1"
    add("--probabilities", choices=("npy", "npz"), help=text)
    add("--threshold", type=float, metavar="F", help="of two classes: class 1 from F on, 0..1")
    text = "compute images larger than this side in tiles (default: 1024)"
    add("--tile", type=int, default=1024, metavar="PX", help=text)
    text = "mean over the eight turned and mirrored images; eight times slower"
    add("--turning", action="store_true", help=text)
    add("--resume", action="store_true", help="leave masks alone that are there already")
    add_option(parser, "cluster")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")


def _predict(args: argparse.Namespace) -> int:
    from unetpred.segmentation.weights import find_segmenter

    find_segmenter(args.weights)
    import_keras()
    from unetpred.runs.cluster.connect import cluster_client
    from unetpred.runs.masks import save_masks
    from unetpred.runtime.progress import progress_bar
    from unetpred.segmentation.mask_files import write_masks
    from unetpred.segmentation.predictor import Segmenter

    segmenter = Segmenter(
        args.weights, tile=args.tile, turning=args.turning, threshold=args.threshold
    )
    files = {
        "key": args.key,
        "recursive": args.recursive,
        "overlays": args.overlay,
        "probabilities": args.probabilities,
        "resume": args.resume,
        "provenance": _made_with(args.weights),
    }
    with (
        progress_bar(None, "image", args.quiet) as bar,
        cluster_client(args.cluster) as client,
    ):

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        if client is None:
            written = write_masks(
                segmenter, args.input, args.output_dir, **files, progress=progress
            )
        else:
            written = save_masks(
                client,
                segmenter,
                args.weights,
                args.input,
                args.output_dir,
                **files,
                progress=progress,
            )
    for error in written.errors:
        print(f"unetpred: {error}", file=sys.stderr)
    for file in written.files:
        print(escaped(str(file)))
    if written.stopped:
        print(f"unetpred: stopped; go on with: {resume_command()}", file=sys.stderr)
        return 128 + written.stopped
    return 0 if not written.errors else 1 if written.files else 2


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    place: dict[str, Any] = {"metavar": "DIR|FILE.tif"}
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--input", help="images; masks are computed with --weights", **place)
    what.add_argument("--masks", help="masks of any program, by the stems of labels", **place)
    add("--weights", metavar="NAME|FILE", help="of a network that segments")
    add("--labels", help="what is right, by stem", **place)
    add("--voc", metavar="DIR", help="in place of --input and --labels: as PASCAL VOC has it")
    add("--split", default="val", metavar="NAME", help="which of its lists (default: val)")
    add("--classes", metavar="FILE", help="names of the classes, one a line")
    text = "value of labels whose pixels do not count (default: that of the weights)"
    add("--void", type=int, metavar="INDEX", help=text)
    add("--threshold", type=float, metavar="F", help="of two classes: class 1 from F on, 0..1")
    add("--tile", type=int, default=1024, metavar="PX", help="as for predict (default: 1024)")
    add("--turning", action="store_true", help="as for predict")
    add("--output_dir", required=True, metavar="DIR", help="where tables and pictures go")
    add("--overlays", type=int, default=8, metavar="N", help="pictures of N images (default: 8)")
    add("--seed", type=int, default=0, help="of the bootstrap")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet")


def _evaluate(args: argparse.Namespace) -> int:
    if args.voc and (args.input or args.labels):
        raise InputError("give --voc, or --input and --labels, but not both")
    if not args.voc and not args.labels:
        raise InputError("give --labels, what is right; or --voc")
    if not args.masks and not args.weights:
        raise InputError("give --weights for --input, or --masks")
    if not args.masks and not args.voc and not args.input:
        raise InputError("give --input, images for --weights; or --masks")
    if args.masks and args.weights:
        raise InputError("give --input and --weights, or --masks, but not both")
    if args.weights:
        from unetpred.segmentation.weights import find_segmenter

        find_segmenter(args.weights)
        import_keras()
    from unetpred.runtime.progress import progress_bar
    from unetpred.segmentation.evaluation import evaluate_files

    with progress_bar(None, "image", args.quiet) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        segmenter = None
        if args.weights:
            from unetpred.segmentation.predictor import Segmenter

            segmenter = Segmenter(
                args.weights, tile=args.tile, turning=args.turning, threshold=args.threshold
            )
        text = evaluate_files(
            args.output_dir,
            segmenter=segmenter,
            images=args.input,
            masks=args.masks,
            labels=args.labels,
            voc=args.voc,
            split=args.split,
            classes=args.classes,
            void=args.void,
            threshold=args.threshold,
            overlays=args.overlays,
            seed=args.seed,
            provenance=_made_with(args.weights) if args.weights else _made_with(None),
            progress=progress,
        )
    print(text)
    return 0


def _made_with(weights: str | None) -> dict[str, str]:
    """What computed masks, when, and for which command."""
    from datetime import datetime, timezone

    from unetpred import __version__
    from unetpred.io.registry import sha256
    from unetpred.segmentation.weights import find_segmenter

    about = {"unetpred": __version__}
    if weights is not None:
        import keras

        backend = keras.config.backend()
        about |= {
            "weights": weights,
            "weights_sha256": sha256(find_segmenter(weights)),
            "backend": f"{backend} {__import__(backend).__version__}, keras {keras.__version__}",
        }
    return {
        **about,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command_line(),
    }
