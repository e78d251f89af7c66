"""Options that several commands have, each described once."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from unetpred.errors import InputError
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    from unetpred.holes.hole import Hole
    from unetpred.holes.own_masks import Masks

#: The options for what users of Python give by name.
_CALLED = {
    "size": "mask_size",
    "shape": "mask_shape",
    "center": "mask_center",
    **{
        name: name
        for name in (
            "axes",
            "batch_size",
            "cluster",
            "context",
            "host",
            "index",
            "mask",
            "mask_polarity",
            "output_dir",
            "output",
            "pixels_per_degree",
            "port",
            "resume",
            "save",
            "save_filled",
            "save_images",
            "save_network_output",
            "save_prediction",
            "save_scores",
            "sites",
            "stride",
            "units",
            "weights",
        )
    },
}

_OPTIONS: dict[str, dict[str, Any]] = {
    "input": {
        "nargs": "+",
        "action": "extend",
        "metavar": "PATH",
        "help": "images, .npy, .npz, .h5, .mat or directories",
    },
    "key": {"help": "which array of a .npz, .h5 or .mat"},
    "axes": {
        "metavar": "HWCN",
        "help": "what the axes of a .mat are, in MATLAB's order: H (rows), W (columns), C "
        "(channels), N (images); needed only where sizes do not tell",
    },
    "recursive": {"action": "store_true", "help": "descend into directories of directories"},
    "output": {
        "nargs": "+",
        "choices": OUTPUTS,
        "default": ["structure"],
        "help": "scores: structure (higher = more predictable), structure_luminance (the same, of "
        "luminance alone: colours do not count), content (higher = less)",
    },
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
        "help": "own mask, 0 = missing: an image, or .npy (H,W) or (N,H,W); or a folder of them, "
        "each of the name of its image",
    },
    "mask_polarity": {
        "choices": ("visible", "missing"),
        "default": "visible",
        "help": "what anything but 0 stands for in --mask (default: visible); missing for masks "
        "whose hole is white",
    },
    "max_pixels": {
        "type": int,
        "metavar": "N",
        "help": "pixels that an image may have (default: 89478485, and fewer where a small file "
        "says that it is large)",
    },
    "cluster": {
        "metavar": "local[:N]|ADDRESS",
        "help": "compute on N processes of this machine (as many as cores if not said), or on the "
        "Dask cluster whose scheduler has this address (tcp://HOST:8786) or file; the digits "
        "are the same",
    },
    "quiet": {"action": "store_true", "help": "no progress, only warnings"},
}


def add_option(parser: argparse._ActionsContainer, name: str, **more: Any) -> None:
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


def with_options(message: str) -> str:
    """A message of the package that names options instead of what users of Python give."""

    def option(found: re.Match) -> str:
        name = _CALLED.get(found[1])
        return f"--{name}" if name else found[0]

    return re.sub(r"`(\w+)`", option, message)


def hole_of(args: argparse.Namespace) -> Hole | None:
    """The hole that options describe; None if none of them is given."""
    from unetpred.holes.hole import Hole

    if args.units == "deg" and args.pixels_per_degree is None:
        raise InputError("--units deg needs --pixels_per_degree")
    sizes, center = args.mask_size, args.mask_center
    if not sizes and not center and args.mask_shape == "square":
        return None
    given = {"shape": args.mask_shape, "center": tuple(center) if center else None}
    if not sizes:
        return Hole(**given)  # whose size is px, whatever the units of others
    return Hole(sizes[0] if len(sizes) == 1 else tuple(sizes), units=args.units, **given)


def masks_of(args: argparse.Namespace) -> Masks | None:
    """The masks that --mask names."""
    from unetpred.holes.own_masks import Masks

    return Masks(args.mask, args.mask_polarity) if args.mask else None
