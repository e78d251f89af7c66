"""The command line: `unetpred predict | map | train | evaluate | features | weights | app`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from unetpred import __version__
from unetpred.commands.options import with_options
from unetpred.errors import ClusterError, InputError, WriteError, escaped, reason_of
from unetpred.io.files import is_of_disk
from unetpred.io.limits import set_max_pixels
from unetpred.runtime.interrupt import Stopped, leave

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


class _OptionNames(logging.Formatter):
    """Names options in what is logged, each on one line."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return with_options(text if record.exc_info else escaped(text))


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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_OptionNames("%(message)s"))
    logging.getLogger("unetpred").setLevel(logging.WARNING if args.quiet else logging.INFO)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be text of the terminal's
            stream.reconfigure(errors="backslashreplace")
    for noisy in (
        "matplotlib",
        "tifffile",
        "PIL",
        "absl",
        "jax",
        "tensorflow",
        "h5py",
        "distributed",
    ):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        set_max_pixels(getattr(args, "max_pixels", None))
        code = args.run(args)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"unetpred: {with_options(str(error))}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        _leave_stdout()  # whoever read it has gone, as `head` does
        return FAILED
    except MemoryError:
        print(
            "unetpred: out of memory; a smaller --batch_size or --context needs less",
            file=sys.stderr,
        )
        return UNUSABLE
    except (ClusterError, WriteError) as error:
        print(f"unetpred: {with_options(str(error))}", file=sys.stderr)
        return FAILED
    except OSError as error:
        if is_of_disk(error):  # all files tell it themselves, so it is stdout
            _leave_stdout()
            print(f"unetpred: stdout: could not be written ({error.strerror})", file=sys.stderr)
            return FAILED
        print(f"unetpred: {reason_of(error)}", file=sys.stderr)
        return UNUSABLE
    except Stopped as stopped:
        print(f"unetpred: {stopped}", file=sys.stderr)
        return 128 + stopped.number
    except KeyboardInterrupt:
        print("unetpred: interrupted", file=sys.stderr)
        return 130


def program() -> None:
    """Be the program `unetpred`."""
    leave(main())


def _leave_stdout() -> None:
    """Let what it could not take go nowhere; python would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; building it imports neither Keras nor a backend."""
    from unetpred.commands import app, evaluate, features, map, predict, segment, train, weights

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

    predict.add_arguments(command("predict", "Score images.", predict.run))
    map.add_arguments(command("map", "Score holes all over an image.", map.run))
    train.add_arguments(command("train", "Train a network.", train.run))
    evaluating = command("evaluate", "Compare weights with simple fillings.", evaluate.run)
    evaluate.add_arguments(evaluating)
    features.add_arguments(command("features", "Save activations.", features.run))
    segment.add_arguments(command("segment", "Train, write and evaluate masks.", segment.run))
    weights.add_arguments(
        command("weights", "List, describe, fetch or export weights.", weights.run)
    )
    app.add_arguments(command("app", "Draw holes and see scores, in the browser.", app.run))
    return parser


def predict_parser(program: str) -> argparse.ArgumentParser:
    """The parser of a program that only predicts, and speaks of itself by its own name."""
    from unetpred.commands import predict

    parser = argparse.ArgumentParser(
        prog=program, description="Score images.", formatter_class=_Formatter
    )
    parser.set_defaults(run=predict.run)
    predict.add_arguments(parser)
    return parser


if __name__ == "__main__":
    program()
