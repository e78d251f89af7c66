"""The command line of training: `train.py` and `unetpred train`."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from dataclasses import fields
from pathlib import Path

from unetpred.backends.keras_import import import_keras
from unetpred.commands.options import add_option
from unetpred.errors import InputError, WriteError, escaped
from unetpred.photographs.augmentation import AUGMENTATIONS
from unetpred.runtime.command_line import resume_command
from unetpred.runtime.interrupt import Watch
from unetpred.training.config import LOSSES, OPTIMIZERS, PRESETS, TrainConfig

_DESCRIPTION = "Train a network on a folder of photographs."
_EPILOG = """\
The folder of a run (--checkpoint_dir) holds best.weights.h5 and last.weights.h5, both ready for
pred.py --weights; state.h5, for --resume; history.csv, config.json; preview.png, and those of
earlier steps in previews/; and files for TensorBoard in tensorboard/. Ctrl-C and SIGTERM stop a run
so that --resume goes on where it was.

Exit codes: 0 the run is finished; 1 it failed on the way; 2 wrong usage; 130 and 143 it was
stopped by Ctrl-C or SIGTERM.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of training to a parser; what they give is for `run`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    defaults = {field.name: field.default for field in fields(TrainConfig)}

    def option(group, name: str, kind: type, text: str, **more) -> None:
        # Not given, an option leaves no attribute: the defaults are those of TrainConfig
        if defaults[name] is not None:
            text += f" (default: {defaults[name]})"
        if "choices" not in more:
            more = {"metavar": {int: "N", float: "F"}.get(kind), **more}
        group.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS, help=text, **more)

    data = parser.add_argument_group("photographs")
    data.add_argument(
        "--dataset_dir",
        required=True,
        metavar="DIR",
        help="photographs to train on, of any size, also in folders within DIR",
    )
    parts = data.add_mutually_exclusive_group()
    option(parts, "val_dir", str, "photographs to measure on", metavar="DIR")
    option(parts, "val_split", float, "or the part of dataset_dir held out for that, 0..1")
    option(data, "val_interval", int, "steps between two measurements")
    option(data, "val_limit", int, "measure on at most N photographs")
    option(data, "image_size", int, "side of the crops in px, a multiple of 32")
    option(data, "window", int, "holes lie in the central N px (default: half of image_size)")
    option(data, "augmentation", str, "how colours are varied", choices=AUGMENTATIONS)
    option(data, "patterns", float, "share of crops that are drawn stripes and edges, 0..1")
    option(data, "workers", int, "processes that read photographs")

    network = parser.add_argument_group("network and loss")
    option(network, "preset", str, "lite has a quarter of the filters", choices=tuple(PRESETS))
    option(
        network,
        "init",
        str,
        "first weights: random; mean, to begin with means of what surrounds a hole; vgg16 for the "
        "encoder of full; vgg16_mean for both; or weights, a name or a file (of a narrower network "
        "too, whose mirrored copies are put side by side); or the state.h5 of a run",
        metavar="random|mean|vgg16|vgg16_mean|NAME|FILE",
    )
    option(
        network,
        "vgg_weights",
        str,
        "VGG-16 (no top) for --init vgg16 and --loss upstream (default: ImageNet's, which ships)",
        metavar="FILE",
    )
    option(
        network,
        "loss",
        str,
        "hole: L1 and correlation in the hole; upstream: the original's, of the whole crop",
        choices=tuple(LOSSES),
    )
    known = "; ".join(f"{loss}: {', '.join(weights)}" for loss, weights in LOSSES.items())
    network.add_argument(
        "--loss_weight",
        dest="loss_weights",
        action="append",
        type=_named_number,
        metavar="NAME=F",
        help=f"a weight of the loss, repeatable; {known}",
    )

    length = parser.add_argument_group("optimisation")
    option(length, "batch_size", int, "crops per step")
    option(length, "epochs", int, "length of the run, counted from its start, also with --resume")
    option(length, "max_minutes", float, "or end within F minutes, all counted (see --decay)")
    option(length, "final", float, "last part of the run, 0..1, on crops as they are scored")
    option(length, "steps_per_epoch", int, "steps per epoch (default: one pass over dataset_dir)")
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
        "--devices",
        type=_devices,
        default=argparse.SUPPRESS,
        metavar="all|N",
        help="divide every batch between so many devices of this machine (JAX only)",
    )
    length.add_argument(
        "--jit_compile",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="compile the step: faster after some minutes at the start (default: on JAX only)",
    )
    option(length, "seed", int, "of first weights, split, crops, holes and colours")

    keeping = parser.add_argument_group("the run's files")
    option(keeping, "checkpoint_dir", str, "folder of the run", metavar="DIR")
    option(keeping, "checkpoint_interval", int, "steps between two checkpoints")
    option(keeping, "log_interval", int, "steps between two rows of history.csv")
    keeping.add_argument(
        "--resume", action="store_true", help="go on from the last complete checkpoint, if any"
    )
    keeping.add_argument(
        "--resume_path", metavar="PATH", help="go on from this state.h5, or the one in this folder"
    )
    add_option(keeping, "quiet")


def run(args: argparse.Namespace) -> int:
    """Train, and give the exit code.

    Parameters
    ----------
    args : argparse.Namespace
        From a parser with the options of `add_arguments`.

    Returns
    -------
    int
        0 the run is finished, 1 it failed on the way, 2 wrong usage, 130 stopped by Ctrl-C, 143
        by SIGTERM.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("unetpred").setLevel(logging.WARNING if args.quiet else logging.INFO)
    try:
        with Watch(message="train: interrupted") as watch:
            return _train(args, watch)
    except InputError as error:
        return _failed(str(error), 2)
    except OSError as error:  # a full disk, say, of which HDF5 tells in several lines
        return _failed(" ".join(str(error).split()), 1)
    except MemoryError:
        return _failed("out of memory; a smaller --batch_size or --image_size needs less", 1)
    except KeyboardInterrupt:
        return _failed("interrupted", 130)


def _train(args: argparse.Namespace, watch: Watch) -> int:
    started = time.monotonic()
    names = [field.name for field in fields(TrainConfig)]
    given = {name: getattr(args, name) for name in names if hasattr(args, name)}
    given["loss_weights"] = dict(args.loss_weights or ())
    config = TrainConfig(**given)
    import_keras()
    import keras

    if keras.backend.backend() == "openvino":
        raise InputError("openvino cannot train; set KERAS_BACKEND to tensorflow, jax or torch")

    from tqdm.contrib.logging import logging_redirect_tqdm

    from unetpred.training.run import Diverged, Run, Stopped

    training = Run(config, started)
    if not ((args.resume or args.resume_path) and training.resume(args.resume_path)):
        training.begin()
    try:
        with logging_redirect_tqdm():
            training.train(False if args.quiet else None, begun=watch.end)
    except Stopped as stopped:
        return _failed(f"{stopped}; go on with: {resume_command()}", 128 + stopped.number)
    except Diverged as error:
        return _failed(f"{error}; a smaller --lr may help", 1)
    except WriteError as error:
        return _failed(f"{error}; go on with: {resume_command()}", 1)
    best = Path(config.checkpoint_dir) / "best.weights.h5"
    if best.exists():
        reached = training.best if math.isfinite(training.best) else math.nan
        print(f"{escaped(str(best))}\theld-out structure {reached:.4f}")
    return 0


def _failed(message: str, code: int) -> int:
    print(f"train: {message}", file=sys.stderr)
    return code


def _devices(text: str) -> int | str:
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither all nor a number")
    return text if text == "all" else int(text)


def _named_number(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER") from None
