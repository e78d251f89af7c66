"""A map from the command line: its files, and going on after an interruption."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError
from unetpred.holes.contexts import FULL
from unetpred.holes.scenes import Holes
from unetpred.images.sources import Source, list_sources
from unetpred.io.files import atomic_path, check_target
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import find_vgg
from unetpred.runs.jobs import label
from unetpred.runs.partial import VARYING, warn_of_replacing
from unetpred.runs.provenance import provenance
from unetpred.runtime.command_line import resume_command
from unetpred.runtime.interrupt import Stopped, stop_signals
from unetpred.runtime.progress import progress_bar
from unetpred.scoring.maps import PENDING, PredictabilityMap, blank_map, complete, hole_pattern

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor

logger = logging.getLogger(__name__)

SAVE_EVERY = 2  # seconds between two savings of what is scored so far
SAVE_SHARE = 0.05  # and at most this share of the time goes into them, of large maps


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
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    if args.batch_size < 1:
        raise InputError(f"--batch_size {args.batch_size}: at least 1 is right")
    if args.stride < 1:
        raise InputError(f"--stride {args.stride}: a whole number of px, at least 1, is right")
    holes = Holes(args)
    hole = hole_pattern(holes.sizes[0], args.mask_shape, args.context)
    check_target(args.save, ".npz")
    if os.path.realpath(args.save) == os.path.realpath(args.input):
        raise InputError(f"{args.save}: is the input; give another name")
    source = _one_picture(args)
    content = "content" in args.output
    result = blank_map(source.size, args.stride, holes.sizes[0], content)
    image = source.load()
    name, _ = find_weights(args.weights)
    if content and args.vgg_weights:
        find_vgg(args.vgg_weights)

    import_keras()
    from unetpred.scoring.predictor import Predictor

    outputs = ["structure", "content"] if content else ["structure"]
    origin = {
        **provenance(args.weights, str(holes), outputs, args.vgg_weights),
        "hole": f"{holes.form}, centred on each place in turn",
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
    elif part.exists():
        warn_of_replacing(part)
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
    left = todo = int((result.reason == PENDING).sum())
    due = time.monotonic() + SAVE_EVERY
    with stop_signals() as caught, progress_bar(todo, "place", args.quiet) as bar:

        def progress(count: int) -> None:
            nonlocal left, due
            bar.update(count)
            left -= count
            if caught and left:
                raise KeyboardInterrupt
            if (start := time.monotonic()) >= due:
                _write(part, result, origin)
                end = time.monotonic()
                due = end + max(SAVE_EVERY, (end - start) / SAVE_SHARE)

        try:
            complete(result, image, hole, args.context, predictor, progress)
        except KeyboardInterrupt:
            _write(part, result, origin)
            count = int((result.reason == PENDING).sum())
            number = caught[0] if caught else signal.SIGINT
            raise Stopped(
                f"interrupted; {count} place(s) are left, the others are in {part}; "
                f"go on with: {resume_command()}",
                number,
            ) from None


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
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{part}: cannot be read ({error}); remove it to begin afresh") from None
    for name in {**origin, **before}:
        if name in (*VARYING, "image"):
            continue
        then, now = before.get(name, "none"), origin.get(name, "none")
        if then != now:
            raise InputError(
                f"{part}: was begun with another {name} ({then}, now {now}); "
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
    caption = (
        f"hole: {holes.form}   context: {context}   stride: {args.stride} px   weights: {weights}"
    )
    per_degree = args.pixels_per_degree
    figure = map_overlay(
        image, result, score, holes.sizes[0], per_degree, caption, mask_shape=args.mask_shape
    )
    save(figure, path)
    logger.info("%s: %s over the photograph", path, score)
