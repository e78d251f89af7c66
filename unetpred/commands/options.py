"""Options that several commands have, each described once."""

from __future__ import annotations

import argparse

_OPTIONS = {
    "input": {
        "nargs": "+",
        "action": "extend",
        "metavar": "PATH",
        "help": "images, .npy, .npz, .h5 or directories",
    },
    "key": {"help": "which array of a .npz or .h5"},
    "recursive": {"action": "store_true", "help": "descend into directories of directories"},
    "weights": {"metavar": "NAME|FILE", "help": "weights; the shipped default if not given"},
    "vgg_weights": {
        "metavar": "FILE",
        "help": "VGG-16 (no top) for content; ImageNet's if not given: that of the repository, "
        "or, where it is not there, downloaded",
    },
    "mask_shape": {
        "choices": ("square", "disc"),
        "default": "square",
        "help": "shape of the hole",
    },
    "mask_center": {
        "nargs": 2,
        "type": int,
        "metavar": ("X", "Y"),
        "help": "column and row of the hole's centre; the image's if not given",
    },
    "mask": {
        "metavar": "FILE",
        "help": "own mask, 0 = missing: an image, or .npy (H,W) or (N,H,W)",
    },
    "quiet": {"action": "store_true", "help": "no progress, only warnings"},
}


def add_option(parser: argparse.ArgumentParser, name: str, **more) -> None:
    """Add an option that other commands have too.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of a command, or a group of its options.
    name : str
        Without the dashes.
    **more
        What this command has otherwise, as for `argparse.ArgumentParser.add_argument`.
    """
    parser.add_argument(f"--{name}", **{**_OPTIONS[name], **more})
