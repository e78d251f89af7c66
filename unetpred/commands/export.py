"""The command line of exporting: `unetpred weights export`."""

from __future__ import annotations

import argparse
import logging

from unetpred.commands.options import add_option
from unetpred.weights.export import FORMATS

logger = logging.getLogger(__name__)

_DESCRIPTION = """\
Write the network in another form: as weights that this package reads (keras; float16, with
an output that ends in .weights.json in parts under 16 MB), or for a runtime that knows neither
this package nor Keras. Inputs then, float32: image (N,H,W,3), BGR, 0..255 minus
(103.939, 116.779, 123.68); mask (N,H,W,1), 1 = visible, 0 = missing. Output (N,H,W,3) in the
units of image. N, H and W are free. All but keras need TensorFlow, whose converters are used;
onnx also tf2onnx, openvino also openvino.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of exporting; what they give is for `run`."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--format", choices=FORMATS, required=True)
    files = ".weights.h5 or .weights.json, .onnx, .xml, or a new folder"
    add("--output", required=True, metavar="PATH", help=files)
    add_option(parser, "weights")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred weights export`; gives the exit code."""
    from unetpred.backends.keras_import import import_keras
    from unetpred.weights.export import check_export, export

    check_export(args.output, args.format)
    import_keras()
    export(args.output, args.format, args.weights)
    logger.info("%s: written", args.output)
    return 0
