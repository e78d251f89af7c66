"""The command line of maps: `unetpred map`."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred.batch import Holes, label
from unetpred.context import DEFAULT_CONTEXT
from unetpred.errors import InputError
from unetpred.files import atomic_path
from unetpred.images import Source, list_sources
from unetpred.maps import FULL, PENDING, PredictabilityMap, blank_map, complete, hole_pattern
from unetpred.quiet import import_keras, progress_bar
from unetpred.report import check_target, provenance
from unetpred.weights import find_weights, sha256

if TYPE_CHECKING:
    from unetpred.predict import Predictor

logger = logging.getLogger(__name__)

_DESCRIPTION = "Score holes all over an image, each on its own: a map of predictability."
_EPILOG = """\
The map has a value at x = 0, S, 2S, ... and y alike (S: --stride). FILE.npz holds structure
(rows,cols); content, if asked for; x (cols,) and y (rows,), the column and row of the image at
which the holes are centred; reason (rows,cols), why a value is NaN: near the border the hole
leaves the image; and provenance, as JSON. FILE.png shows the map of structure over the
photograph, FILE_content.png that of content.

Exit codes: 0 the map is finished; 2 wrong usage, or the image cannot be used; 130 interrupted.
"""
SAVE_EVERY = 30  # seconds between two savings of what is scored so far


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of maps to a parser; what they give is for `run`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add("--input", required=True, metavar="IMG", help="an image, or an array (npy, npz, h5)")
    add("--key", help="which array of a .npz or .h5")
    add("--index", type=int, metavar="N", help="which image of an array of several, from 0")
    add("--save", required=True, metavar="FILE.npz", help="the map; its pictures go beside it")
    add("--stride", type=int, default=16, metavar="S", help="px between places (default: 16)")
    add(
        "--context",
        type=_context,
        default=DEFAULT_CONTEXT,
        metavar="PX|full",
        help="what surrounds a hole: the square of so many px around it, of which what is beyond "
        f"the image's border is missing, or the whole image (default: {DEFAULT_CONTEXT})",
    )
    add(
        "--output",
        nargs="+",
        choices=("structure", "content"),
        default=["structure"],
        help="scores: structure (higher = more predictable; always computed), content (higher = "
        "less)",
    )
    add("--weights", metavar="NAME|FILE", help="weights; the shipped default if not given")
    add(
        "--vgg_weights",
        metavar="FILE",
        help="VGG-16 (no top) for content; ImageNet's, downloaded, if not given",
    )
    add(
        "--mask_size", type=float, metavar="S", help="side or diameter of the hole (default: 52 px)"
    )
    add("--mask_shape", choices=("square", "disc"), default="square", help="shape of the hole")
    add("--pixels_per_degree", type=float, metavar="F", help="for a scale bar, and --units deg")
    add("--units", choices=("px", "deg"), default="px", help="of --mask_size (default: px)")
    add("--batch_size", type=int, default=8, metavar="N", help="places per pass (default: 8)")
    add("--resume", action="store_true", help="go on after an interruption, from FILE.npz.part")
    add("--quiet", action="store_true", help="no progress, only warnings")
    parser.set_defaults(mask=None, mask_center=None)  # the hole is at every place in turn


def _context(text: str) -> int | str:
    if text == FULL:
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither {FULL} nor whole pixels") from None


def run(args: argparse.Namespace) -> int:
    """Run `unetpred map`, and give the exit code.

    Parameters
    ----------
    args : argparse.Namespace
        From a parser with the options of `add_arguments`.

    Raises
    ------
    InputError
        If there is no map to be had; in one line, why.
    """
    if args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    if args.stride < 1:
        raise InputError(f"--stride {args.stride}: a whole number of px, at least 1, is right")
    holes = Holes(args)
    hole = hole_pattern(holes.size, args.mask_shape, args.context)
    check_target(args.save, ".npz")
    if os.path.realpath(args.save) == os.path.realpath(args.input):
        raise InputError(f"{args.save}: is the input; give another name")
    source = _one_picture(args)
    content = "content" in args.output
    result = blank_map(source.size, args.stride, holes.size, content)
    image = source.load()

    import_keras()
    from unetpred.predict import Predictor

    name, path = find_weights(args.weights)
    outputs = ["structure", "content"] if content else ["structure"]
    vgg = None
    if content:
        given = args.vgg_weights
        vgg = f"{given} (sha256 {sha256(given)})" if given else "ImageNet, keras.applications"
    origin = {
        **provenance((name, sha256(path)), str(holes), outputs, _command(), vgg),
        "hole": f"{holes}".removesuffix(", centred") + ", centred on each place in turn",
        "context": "full image" if args.context == FULL
        else f"the {args.context} x {args.context} px around each place; beyond the image missing",
        "image": label(source),
        "image_sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        "stride": str(args.stride),
    }  # fmt: skip
    predictor = Predictor(args.weights, args.vgg_weights, args.batch_size)
    if content:
        predictor.vgg()  # before anything is computed that a missing file would waste
    part = Path(f"{args.save}.part")
    if args.resume:
        _go_on(part, result, origin)
    _compute(args, result, image, hole, predictor, part, origin)
    _write(Path(args.save), result, origin)
    part.unlink(missing_ok=True)
    for score in outputs:
        _picture(args, score, image, result, holes, name)
    logger.info("%s: map of %d x %d places (rows x columns)", args.save, *result.structure.shape)
    return 0


def _one_picture(args: argparse.Namespace) -> Source:
    (one,) = list_sources([args.input], args.key)
    if one.error:
        raise InputError(one.error)
    if one.kind == "directory":
        raise InputError(f"{args.input}: is a folder; a map is of one image")
    if args.index is None and len(one.sources) == 1:
        return one.sources[0]
    if args.index is None:
        raise InputError(f"{args.input}: holds {len(one.sources)} images; choose one by --index")
    if not 0 <= args.index < len(one.sources):
        raise InputError(
            f"--index {args.index}: {args.input} holds {len(one.sources)} image(s), "
            f"0..{len(one.sources) - 1} is right"
        )
    return one.sources[args.index]


def _command() -> str:
    return shlex.join(["unetpred", *sys.argv[1:]])


def _compute(
    args: argparse.Namespace,
    result: PredictabilityMap,
    image: np.ndarray,
    hole: np.ndarray,
    predictor: Predictor,
    part: Path,
    origin: dict[str, str],
) -> None:
    """Score what is pending; now and then, and when stopped, keep it in a file."""
    todo = int((result.reason == PENDING).sum())
    saved = time.monotonic()
    with progress_bar(todo, "place", args.quiet) as bar:

        def progress(count: int) -> None:
            nonlocal saved
            bar.update(count)
            if time.monotonic() - saved > SAVE_EVERY:
                _write(part, result, origin)
                saved = time.monotonic()

        try:
            complete(result, image, hole, args.context, predictor, progress)
        except KeyboardInterrupt:
            left = int((result.reason == PENDING).sum())
            _write(part, result, origin)
            logger.warning(
                "%s: has what was scored so far, %d place(s) are left; go on with --resume",
                part,
                left,
            )
            raise


def _write(path: Path, result: PredictabilityMap, origin: dict[str, str]) -> None:
    scores = {} if result.content is None else {"content": result.content}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            structure=result.structure,
            **scores,
            x=result.x,
            y=result.y,
            reason=result.reason.astype(str),
            provenance=json.dumps(origin, ensure_ascii=False),
        )


def _go_on(part: Path, result: PredictabilityMap, origin: dict[str, str]) -> None:
    """Take over what an interrupted run has scored."""
    if not part.is_file():
        logger.info("%s: is not there, so the map is begun afresh", part)
        return
    try:
        with np.load(part, allow_pickle=False) as file:
            before = json.loads(str(file["provenance"]))
            kept = {name: file[name] for name in ("structure", "content", "reason") if name in file}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{part}: cannot be read ({error}); remove it to begin afresh") from None
    for name, value in origin.items():
        if name not in ("date", "command", "image") and before.get(name) != value:
            raise InputError(
                f"{part}: was begun with another {name} ({before.get(name)}, now {value}); "
                "remove it, or leave --resume away, to begin afresh"
            )
    result.structure[:] = kept["structure"]
    result.reason[:] = kept["reason"]
    if result.content is not None:
        result.content[:] = kept["content"]


def _picture(
    args: argparse.Namespace,
    score: str,
    image: np.ndarray,
    result: PredictabilityMap,
    holes: Holes,
    weights: str,
) -> None:
    from unetpred.plots import map_overlay, save

    ending = "" if score == "structure" else f"_{score}"
    stem = Path(args.save).with_suffix("")
    path = stem.with_name(f"{stem.name}{ending}.png")
    if os.path.realpath(path) == os.path.realpath(args.input):
        path = stem.with_name(f"{stem.name}{ending}_map.png")
    context = "the whole image" if args.context == FULL else f"{args.context} px"
    caption = f"{holes}".removesuffix(", centred")
    caption = (
        f"hole: {caption}   context: {context}   stride: {args.stride} px   weights: {weights}"
    )
    per_degree = args.pixels_per_degree
    save(map_overlay(image, result, score, holes.size, per_degree, caption), path)
    logger.info("%s: %s over the photograph", path, score)
