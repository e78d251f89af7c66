"""The command line of training networks that segment: `unetpred segment train`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields
from pathlib import Path

from unetpred.backends.keras_import import import_keras
from unetpred.commands.options import add_option
from unetpred.errors import InputError, WriteError, escaped
from unetpred.runtime.command_line import resume_command
from unetpred.runtime.interrupt import Watch
from unetpred.segmentation.data.augmentation import KINDS
from unetpred.segmentation.training.config import SegmentationConfig
from unetpred.training.config import OPTIMIZERS

_EPILOG = """\
The folder of a run (--checkpoint_dir) holds best.weights.h5 and last.weights.h5, both ready for
`unetpred segment predict --weights`; augmented.png, pairs as the network sees them, worth a look;
preview.png, held-out images with label and prediction; history.csv, config.json, state.h5 (for
--resume), and files for TensorBoard. Every label is looked at before training begins.

Exit codes: 0 the run is finished; 1 it failed on the way; 2 wrong usage; 130 and 143 it was stopped
by Ctrl-C or SIGTERM.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of training; what they give is for `run`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
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
    text = (
        "names of the classes, one a line, the first one index 0; NAME R G B for labels in colour"
    )
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
    option(
        network, "border", float, "weight of thin borders between cells, two classes; 10 is usual"
    )

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


def run(args: argparse.Namespace) -> int:
    """Train, and give the exit code, as `unetpred train` does."""
    with Watch(message="unetpred: interrupted") as watch:
        return _train(args, watch)


def _train(args: argparse.Namespace, watch: Watch) -> int:
    started = time.monotonic()
    names = [field.name for field in fields(SegmentationConfig)]
    given = {name: getattr(args, name) for name in names if hasattr(args, name)}
    config = SegmentationConfig(**given)  # says what is wrong before Keras is imported
    import_keras()
    import keras

    if keras.backend.backend() == "openvino":
        raise InputError("openvino cannot train; set KERAS_BACKEND to tensorflow, jax or torch")
    from tqdm.contrib.logging import logging_redirect_tqdm

    from unetpred.segmentation.training.run import train
    from unetpred.training.run import Diverged, Stopped

    try:
        with logging_redirect_tqdm():
            progress = False if args.quiet else None
            finished = train(None, None, args.resume, progress, started, watch.end, **given)
    except Stopped as stopped:
        print(f"unetpred: {stopped}; go on with: {resume_command()}", file=sys.stderr)
        return 128 + stopped.number
    except WriteError as error:
        print(f"unetpred: {error}; go on with: {resume_command()}", file=sys.stderr)
        return 1
    except Diverged as error:
        print(f"unetpred: {error}; a smaller --lr may help", file=sys.stderr)
        return 1
    best = Path(config.checkpoint_dir) / "best.weights.h5"
    if best.exists():
        print(f"{escaped(str(best))}\theld-out IoU {finished.best:.4f}")
    return 0
