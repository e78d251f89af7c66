"""The command line of segmentation: `unetpred segment train | predict | evaluate`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields
from pathlib import Path

from unetpred.backends.keras_import import import_keras
from unetpred.commands.options import add_option
from unetpred.errors import InputError
from unetpred.runtime.command_line import command_line, resume_command
from unetpred.segmentation.augmentation import KINDS
from unetpred.segmentation.config import SegmentationConfig
from unetpred.training.config import OPTIMIZERS

_TRAIN = """\
The folder of a run (--checkpoint_dir) holds best.weights.h5 and last.weights.h5, both ready for
`unetpred segment predict --weights`; augmented.png, pairs as the network sees them, to be looked at;
preview.png, held-out images with label and prediction; history.csv, config.json, state.h5 (for
--resume), and files for TensorBoard. Every label is looked at before training begins.

Exit codes: 0 the run is finished; 1 it failed on the way; 2 wrong usage; 130 and 143 it was stopped
by Ctrl-C or SIGTERM.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of segmentation to a parser; what they give is for `run`."""
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str, add, go) -> None:
        sub = commands.add_parser(name, help=text, description=text)
        add(sub)
        sub.set_defaults(go=go)

    command("train", "Train a network on images with labels.", _train_arguments, _train)
    command("predict", "Write masks of images.", _predict_arguments, _predict)
    command("evaluate", "Compare masks with labels.", _evaluate_arguments, _evaluate)


def run(args: argparse.Namespace) -> int:
    """Run `unetpred segment`, and give the exit code."""
    return args.go(args)


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _TRAIN
    defaults = {field.name: field.default for field in fields(SegmentationConfig)}

    def option(group, name: str, kind: type, text: str, **more) -> None:
        # not given, an option leaves no attribute: the defaults are those of SegmentationConfig
        if defaults[name] is not None:
            text += f" (default: {defaults[name]})"
        if "choices" not in more:
            more = {"metavar": {int: "N", float: "F"}.get(kind), **more}
        group.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS, help=text, **more)

    data = parser.add_argument_group("images and labels")
    place = {"metavar": "DIR|FILE.tif"}
    option(data, "images", str, "folder of images, or a TIFF file of several pages", **place)
    option(data, "labels", str, "folder of labels of the same stems, or such a file", **place)
    option(data, "voc", str, "in their stead a folder as PASCAL VOC has it", metavar="DIR")
    option(data, "split", str, "which of its lists of images is trained on", metavar="NAME")
    option(data, "val_images", str, "images to measure on", **place)
    option(data, "val_labels", str, "and their labels", **place)
    text = "or the share that is held out for that, 0..1; with --voc also the name of a list"
    option(data, "val_split", str, text, metavar="F|NAME")
    option(data, "val_limit", int, "measure on at most N images")
    option(data, "val_interval", int, "steps between two measurements")
    text = "names of the classes, one a line, the first one index 0; NAME R G B for labels in colour"
    option(data, "classes", str, text, metavar="FILE")
    option(data, "void", int, "value of labels whose pixels do not count", metavar="INDEX")
    option(data, "workers", int, "threads that make crops")

    vary = parser.add_argument_group("crops")
    option(vary, "image_size", int, "side of the crops in px, a multiple of 32")
    text = "upright: mirrored left to right; turned: mirrored and turned; none: nothing varied"
    option(vary, "augmentation", str, text, choices=KINDS)
    option(vary, "elastic", float, "elastic deformation: displacement, px")
    option(vary, "scale", float, "sizes vary up to this factor")
    option(vary, "contrast", float, "contrast and brightness vary by this share")

    network = parser.add_argument_group("network and loss")
    option(
        network,
        "init",
        str,
        "first weights: random; vgg16 for the encoder; lite or full, the networks that fill in; or "
        "a file of weights",
        metavar="random|vgg16|lite|full|NAME|FILE",
    )
    option(network, "vgg_weights", str, "VGG-16 (no top) for --init vgg16", metavar="FILE")
    option(network, "width", float, "factor on the filters (default: that of --init, else 0.25)")
    option(network, "dice", float, "weight of the overlap (Dice) beside the cross-entropy")
    text = "balanced: rare classes count more"
    option(network, "class_weights", str, text, choices=("none", "balanced"))
    option(network, "border", float, "weight of thin borders between cells, two classes; 10 is usual")

    length = parser.add_argument_group("optimisation")
    option(length, "batch_size", int, "crops per step")
    option(length, "epochs", int, "length of the run, counted from its start, also with --resume")
    option(length, "max_minutes", float, "or end within F minutes, all counted")
    option(length, "steps_per_epoch", int, "steps per epoch (default: one pass over the images)")
    option(length, "optimizer", str, "what moves the weights", choices=OPTIMIZERS)
    option(length, "lr", float, "learning rate")
    option(length, "encoder_rate", float, "factor on the rate of the encoder; 0 freezes it")
    option(length, "warmup", int, "steps over which the rate rises")
    option(length, "decay", float, "last part of the run, 0..1, over which the rate falls to 0")
    option(length, "weight_decay", float, "of kernels, times the rate")
    option(length, "ema", float, "momentum of the average of the weights, which is exported")
    length.add_argument(
        "--mixed_precision", action="store_true", help="compute in bfloat16, for GPUs"
    )
    length.add_argument(
        "--jit_compile",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="compile the step: faster after some minutes at the start (default: on JAX only)",
    )
    option(length, "seed", int, "of first weights, split and crops")

    keeping = parser.add_argument_group("the run's files")
    option(keeping, "checkpoint_dir", str, "folder of the run", metavar="DIR")
    option(keeping, "checkpoint_interval", int, "steps between two checkpoints")
    option(keeping, "log_interval", int, "steps between two rows of history.csv")
    keeping.add_argument(
        "--resume", action="store_true", help="go on from the last complete checkpoint, if any"
    )
    add_option(keeping, "quiet")


def _train(args: argparse.Namespace) -> int:
    started = time.monotonic()
    names = [field.name for field in fields(SegmentationConfig)]
    given = {name: getattr(args, name) for name in names if hasattr(args, name)}
    config = SegmentationConfig(**given)  # says what is wrong before Keras is imported
    import_keras()
    import keras

    if keras.backend.backend() == "openvino":
        raise InputError("openvino cannot train; set KERAS_BACKEND to tensorflow, jax or torch")
    from tqdm.contrib.logging import logging_redirect_tqdm

    from unetpred.segmentation.training import train
    from unetpred.training.run import Diverged, Stopped

    try:
        with logging_redirect_tqdm():
            progress = not args.quiet and sys.stderr.isatty()
            finished = train(None, None, args.resume, progress, started, **given)
    except Stopped as stopped:
        print(f"unetpred: {stopped}; go on with: {resume_command()}", file=sys.stderr)
        return 128 + stopped.number
    except Diverged as error:
        print(f"unetpred: {error}; a smaller --lr may help", file=sys.stderr)
        return 1
    best = Path(config.checkpoint_dir) / "best.weights.h5"
    if best.exists():
        print(f"{best}\t{finished.best:.4f}")
    return 0


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 all masks are written; 1 some inputs failed, all others are written; 2 wrong "
        "usage, or nothing could be written; 130 and 143 stopped by Ctrl-C or SIGTERM."
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
    add_option(parser, "quiet")


def _predict(args: argparse.Namespace) -> int:
    from unetpred.segmentation.weights import find_segmenter

    find_segmenter(args.weights)
    import_keras()
    from unetpred.runtime.progress import progress_bar
    from unetpred.segmentation.mask_files import write_masks
    from unetpred.segmentation.predictor import Segmenter

    segmenter = Segmenter(
        args.weights, tile=args.tile, turning=args.turning, threshold=args.threshold
    )
    with progress_bar(None, "image", args.quiet) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        written = write_masks(
            segmenter,
            args.input,
            args.output_dir,
            key=args.key,
            recursive=args.recursive,
            overlays=args.overlay,
            probabilities=args.probabilities,
            resume=args.resume,
            provenance=_made_with(args.weights),
            progress=progress,
        )
    for error in written.errors:
        print(f"unetpred: {error}", file=sys.stderr)
    for file in written.files:
        print(file)
    if written.stopped:
        print(f"unetpred: stopped; go on with: {resume_command()}", file=sys.stderr)
        return 128 + written.stopped
    return 0 if not written.errors else 1 if written.files else 2


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    place = {"metavar": "DIR|FILE.tif"}
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
