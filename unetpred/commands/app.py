"""The command line of the page: `unetpred app`."""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time

from unetpred.commands.options import add_option

_EPILOG = """\
The page is served to this machine alone, unless --host says otherwise: whoever can reach it can use
it. It loads nothing from elsewhere, and needs no internet. Ctrl-C ends it.

Exit codes: 0 it was ended by Ctrl-C; 2 wrong usage, or the page cannot be served.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the page to a parser; what they give is for `run`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("--image", metavar="PATH", help="the picture that it opens with; an example if not given")
    add_option(parser, "weights")
    add_option(parser, "vgg_weights")
    add("--pixels_per_degree", type=float, metavar="F", help="for sizes in degrees")
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    add("--port", type=int, default=0, metavar="N", help="port; 0 is any free one (default: 0)")
    add("--no_browser", action="store_true", help="do not open the browser")
    add_option(parser, "max_pixels")
    add_option(parser, "quiet", help="only warnings, and the address")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred app`, and give the exit code."""
    from unetpred.app.page import page, serve
    from unetpred.runtime.interrupt import stop_signals

    folder = tempfile.mkdtemp(prefix="unetpred-gradio-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder
    made = page(
        args.image,
        args.weights,
        vgg_weights=args.vgg_weights,
        pixels_per_degree=args.pixels_per_degree,
    )
    address = serve(made, args.host, args.port, not args.no_browser)
    print(f"unetpred: the page is at {address}  (Ctrl-C ends it)", flush=True)
    with stop_signals() as stop:
        while not stop:
            time.sleep(0.2)
    made.close(verbose=False)
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    # networks may still be loading or computing in threads, which Python would wait for, and which
    # TensorFlow does not survive
    os._exit(0)
