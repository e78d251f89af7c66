"""The command line of exporting: `unetpred weights export`."""

from __future__ import annotations

import argparse
import logging

logger = logging.getLogger(__name__)

_DESCRIPTION = """\
Write the network for a runtime that knows neither this package nor Keras. Inputs, float32:
image (N,H,W,3), BGR, 0..255 minus (103.939, 116.779, 123.68); mask (N,H,W,1), 1 = visible,
0 = missing. Output (N,H,W,3) in the units of image. N, H and W are free.
Needs TensorFlow, whose converters are used; for onnx also tf2onnx, for openvino openvino.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of exporting; what they give is for `run`."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--format", choices=("onnx", "openvino", "savedmodel"), required=True)
    add("--output", required=True, metavar="PATH", help="an .onnx, an .xml, or a new folder")
    add("--weights", metavar="NAME|FILE", help="weights; the shipped default if not given")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred weights export`; gives the exit code."""
    from unetpred.export import check_export, export
    from unetpred.quiet import import_keras

    check_export(args.output, args.format)
    import_keras()
    export(args.output, args.format, args.weights)
    logger.info("%s: written", args.output)
    return 0
