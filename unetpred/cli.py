"""The command line: `unetpred predict | map | train | evaluate | features | weights`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from unetpred import __version__
from unetpred.errors import InputError
from unetpred.options import add_option
from unetpred.stopping import Stopped

FAILED, UNUSABLE = 1, 2


class _Formatter(argparse.HelpFormatter):
    """Names defaults, where there is one to name."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.default in (None, False, argparse.SUPPRESS) or "%(default)" in text:
            return text
        if isinstance(action.default, list):
            return f"{text} (default: {' '.join(map(str, action.default))})"
        return f"{text} (default: %(default)s)"


def main(
    arguments: Sequence[str] | None = None, parser: argparse.ArgumentParser | None = None
) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the program's name; those of this process if not given.
    parser : argparse.ArgumentParser, optional
        That of all commands if not given.

    Returns
    -------
    int
        0 if all went well, 1 if some inputs failed, 2 if nothing could be done.
    """
    args = (parser or build_parser()).parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("unetpred").setLevel(logging.WARNING if args.quiet else logging.INFO)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be text of the terminal's
            stream.reconfigure(errors="backslashreplace")
    for noisy in ("matplotlib", "tifffile", "PIL", "absl", "jax", "tensorflow", "h5py"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"unetpred: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # whoever read stdout has gone, as `head` does; python would complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except MemoryError:
        print("unetpred: out of memory; a smaller --batch_size needs less", file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        print("unetpred:", *str(error).split(), file=sys.stderr)
        return UNUSABLE
    except Stopped as stopped:
        print(f"unetpred: {stopped}", file=sys.stderr)
        return 128 + stopped.number
    except KeyboardInterrupt:
        print("unetpred: interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; building it imports neither Keras nor a backend."""
    from unetpred import evaluate_cli, features_cli, map_cli, train_cli

    parser = argparse.ArgumentParser(
        prog="unetpred",
        description="How predictable is a patch of an image from what surrounds it?",
    )
    parser.add_argument("--version", action="version", version=f"unetpred {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str, run) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=_Formatter,
        )
        sub.set_defaults(run=run)
        return sub

    add_predict(command("predict", "Score images.", run_predict))
    map_cli.add_arguments(command("map", "Score holes all over an image.", map_cli.run))
    train_cli.add_arguments(command("train", "Train a network.", train_cli.run))
    evaluate = command("evaluate", "Compare weights with simple fillings.", evaluate_cli.run)
    evaluate_cli.add_arguments(evaluate)
    features_cli.add_arguments(command("features", "Save activations.", features_cli.run))
    add_weights(command("weights", "List, describe, fetch or export weights.", run_weights))
    return parser


def predict_parser(program: str) -> argparse.ArgumentParser:
    """The parser of a program that only predicts, and speaks of itself by its own name."""
    parser = argparse.ArgumentParser(
        prog=program, description="Score images.", formatter_class=_Formatter
    )
    parser.set_defaults(run=run_predict)
    add_predict(parser)
    return parser


def add_predict(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pred.py` and `unetpred predict`."""
    parser.epilog = (
        "Exit codes: 0 all are scored; 1 some inputs failed, all others are scored; 2 wrong usage, "
        "or nothing could be scored; 130 and 143 stopped by Ctrl-C or SIGTERM."
    )
    add = parser.add_argument
    add_option(parser, "input", required=True)
    add_option(parser, "key")
    add_option(parser, "recursive")
    add(
        "--output",
        nargs="+",
        choices=("structure", "content"),
        default=["structure"],
        help="scores: structure (higher = more predictable), content (higher = less)",
    )
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
        help="holes at many places, as receptive fields or fixations: columns x, y (px)[, size]"
        "[, image (path, name or stem)][, index (in an array)]; one row of --save for each site "
        "and size, with contrast, luminance, spectral slope and what simple fillings reach",
    )
    add("--save", metavar="FILE", help="table of scores, .csv or .json")
    add("--save_prediction", metavar="FILE", help=".npy of the filled-in images, (N,H,W,3)")
    add("--save_network_output", metavar="FILE", help=".npy of the network's whole output")
    add("--save_images", metavar="DIR", help="per image a png: original | masked | filled in")
    add("--batch_size", type=int, help="images per pass (default: 8, fewer of large images)")
    add(
        "--resume",
        action="store_true",
        help="go on after an interruption with the finished rows in FILE.part, FILE being the "
        "table of --save, or what is written beside an array or a directory",
    )
    add_option(parser, "quiet")


def run_predict(args: argparse.Namespace) -> int:
    """Run `unetpred predict`."""
    from unetpred.batch import score_inputs

    return score_inputs(args)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The arguments of `unetpred weights`."""
    actions = parser.add_subparsers(title="actions", required=True, dest="action", metavar="ACTION")
    add_option(actions.add_parser("list", help="the weights that have a name"), "quiet")
    info = actions.add_parser("info", help="what a set of weights is")
    info.add_argument(
        "weights", metavar="NAME|FILE", nargs="?", help="the default if not given; or vgg16"
    )
    add_option(info, "quiet")
    fetch = actions.add_parser("fetch", help="download the original's weights and verify them")
    fetch.add_argument("name", choices=("upstream",))
    add_option(fetch, "quiet")
    from unetpred.export_cli import add_arguments

    export = actions.add_parser("export", help="write the network for other runtimes")
    add_arguments(export)
    add_option(export, "quiet")


def run_weights(args: argparse.Namespace) -> int:
    """Run `unetpred weights`."""
    if args.action == "export":
        from unetpred import export_cli

        return export_cli.run(args)
    from unetpred import registry

    if args.action == "fetch":
        sys.stdout.write(f"{registry.fetch_upstream()}\n")
    elif args.action == "info":
        from unetpred.weights import describe

        for name, value in describe(args.weights).items():
            sys.stdout.write(f"{name}\t{value}\n")
    else:
        for known in (*registry.known_weights().values(), registry.known_vgg()):
            state = "here" if known.here else "not here"
            default = ", default" if known.name == registry.DEFAULT else ""
            sys.stdout.write(f"{known.name}\t{known.origin}\t{state}{default}\t{known.path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
