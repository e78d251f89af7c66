"""Scoring from Python: what the command line does with files, with the same digits."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT, Context
from unetpred.holes.hole import Hole
from unetpred.holes.masks import DEFAULT_HOLE
from unetpred.holes.own_masks import Masks
from unetpred.holes.polarity import Polarity
from unetpred.holes.scenes import Scenes
from unetpred.holes.sites import Sites
from unetpred.images.inputs import list_inputs
from unetpred.results.tables import to_frame
from unetpred.runs.scoring.outputs import Outputs
from unetpred.runs.scoring.score_batch import Scoring
from unetpred.runs.scoring.score_inputs import Scored, score_inputs
from unetpred.runtime.command_line import Call
from unetpred.runtime.progress import Progress

if TYPE_CHECKING:
    import pandas

logger = logging.getLogger(__name__)


def score(
    inputs: Any,
    *,
    output: Sequence[str] = ("structure",),
    hole: Hole | None = None,
    mask: Any = None,
    mask_polarity: Polarity = "visible",
    sites: str | os.PathLike[str] | pandas.DataFrame | None = None,
    context: int | Literal["full"] | None = None,
    covariates: bool = False,
    weights: str | os.PathLike[str] | None = None,
    vgg_weights: str | os.PathLike[str] | None = None,
    pixels_per_degree: float | None = None,
    key: str | None = None,
    axes: str | None = None,
    recursive: bool = False,
    batch_size: int | None = None,
    save: str | os.PathLike[str] | None = None,
    save_filled: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = None,
    client: Any = None,
) -> pandas.DataFrame:
    """Score images: how predictable is a part of each from what surrounds it?

    It is what `unetpred predict` does, and gives the same digits.

    Parameters
    ----------
    inputs : path-like, array_like, PIL.Image.Image, or sequence of these
        Image files, folders, arrays in files (npy, npz, h5, mat); or arrays (N,H,W,3), (N,H,W),
        (H,W,3) or (H,W): uint8, or float 0..255, RGB or grey, sides at least 84 px. Sizes may
        differ.
    output : sequence of {"structure", "structure_luminance", "content"}
        The scores: structure (higher = more predictable), the same of luminance alone, where
        colours do not count, and content (higher = LESS predictable).
    hole : unetpred.Hole, optional
        What is hidden; a square of 52 px in the middle if not given.
    mask : array_like, path-like, or sequence of these, optional
        Instead of a hole: anything but 0 = visible, 0 = missing. (H,W) for all images, (N,H,W)
        or a sequence with one for each; an image, a .npy, or a folder of such files that are
        named like their images.
    mask_polarity : {"visible", "missing"}
        What anything but 0 stands for in a mask; "missing" for masks whose hole is white. A mask
        that looks inverted is warned of.
    sites : path-like or pandas.DataFrame, optional
        Holes at many places, a row for each: columns x, y (px) or x_deg, y_deg (degrees from the
        image's centre, right and up)[, size (in the hole's units)][, image][, index]; other
        columns go along.
    context : int or "full", optional
        What surrounds a hole: the crop of so many px around its centre, or the whole image.
        "full" if not given, 224 with sites.
    covariates : bool
        Whether contrast, luminance, spectral slope and what simple fillings reach go along. With
        sites they always do.
    weights, vgg_weights : str or path-like, optional
        As for `unetpred.Predictor`.
    pixels_per_degree : float, optional
        Of visual angle.
    key : str, optional
        Which array of an .npz, .h5 or .mat.
    axes : str, optional
        What the axes of a .mat are in MATLAB, such as "HWCN"; needed only where sizes do not tell
        (see `unetpred.images.formats.matlab.matlab_file`).
    recursive : bool
        Whether to descend into folders within folders.
    batch_size : int, optional
        Images per pass; 8, fewer of large images, if not given.
    save : path-like, optional
        Where the table is written too: .csv, .json or .parquet.
    save_filled : path-like, optional
        Folder for the filled-in images, each a png of its input's size, 8 bits.
    resume : bool
        Whether to go on with what an interrupted run has left beside `save`.
    progress : bool or callable, optional
        A bar is shown in a terminal or notebook if not given, always for True, never for False.
        A callable is called with how many are done and how many there are.
    client : dask.distributed.Client, optional
        A cluster that computes, with the same digits; this process if not given.

    Returns
    -------
    pandas.DataFrame
        The table of ``--save``: a row per image, or per site and size, with `image`, `index` (in
        an array, NaN for image files), the scores, and `reason`, why one is NaN. The provenance
        is in ``attrs["provenance"]``.

    Raises
    ------
    InputError
        If an argument cannot be used, or nothing could be scored.

    Examples
    --------
    >>> table = score("stimuli/", hole=Hole(40), output=("structure", "content"))
    >>> table = score("nsd.hdf5", key="imgBrick", sites="prf.csv", pixels_per_degree=51)
    """
    if hole is not None and not isinstance(hole, Hole):
        raise InputError(f"`hole` {hole!r}: unetpred.Hole(size=...) is right")
    given = list_inputs(inputs, key, recursive, axes)
    table = None
    if sites is not None:
        table = Sites(sites, hole.units if hole else "px")
        if hole and hole.size == DEFAULT_HOLE:  # it is no size of the user's, so it is in px
            hole = replace(hole, units="px")
    around = context
    if around is None:
        around = DEFAULT_CONTEXT if table else "full"
    scenes = Scenes(
        hole,
        None if mask is None else Masks(mask, mask_polarity),
        table,
        Context(around),
        pixels_per_degree,
    )
    scoring = Scoring(
        (output,) if isinstance(output, str) else tuple(output),
        None if weights is None else os.fspath(weights),
        None if vgg_weights is None else os.fspath(vgg_weights),
        covariates or table is not None,
        batch_size,
    )
    outputs = Outputs(
        None if save is None else os.fspath(save),
        resume=resume,
        filled=None if save_filled is None else os.fspath(save_filled),
    )
    arguments = {
        "output": scoring.output,
        "hole": hole,
        "mask": mask,
        "mask_polarity": None if mask_polarity == "visible" else mask_polarity,
        "sites": sites,
        "context": context,
        "covariates": covariates or None,
        "weights": scoring.weights,
        "vgg_weights": scoring.vgg_weights,
        "pixels_per_degree": pixels_per_degree,
        "key": key,
        "axes": axes,
        "recursive": recursive or None,
        "batch_size": batch_size,
        "save": outputs.save,
        "save_filled": outputs.filled,
    }
    call = Call(_words(inputs, arguments), "go on with resume=True", is_process=False)
    scored = score_inputs(
        given, scoring, scenes, outputs, call, progress, tell=False, client=client
    )
    if scored.nothing:
        raise InputError(_why_nothing(scored))
    failed = sum(job.error is not None for job in scored.jobs)
    if failed:
        logger.warning("%d of %d could not be scored, see `reason`", failed, len(scored.jobs))
    return to_frame(scored.rows, scored.origin)


def _why_nothing(scored: Scored) -> str:
    reasons = dict.fromkeys(scored.reasons)
    reasons |= dict.fromkeys(job.scores["reason"] for job in scored.jobs if job.scores)
    first, *others = reasons or ("nothing could be scored",)
    return f"{first} (and {len(others)} more)" if others else first


def _words(inputs: Any, arguments: dict[str, Any]) -> str:
    """The call, for provenance."""
    words = [_word(inputs)]
    words += [f"{name}={_word(value)}" for name, value in arguments.items() if value is not None]
    return f"unetpred.score({', '.join(words)})"


def _word(value: Any) -> str:
    """A value as it is written, or what it is where that would be long."""
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, list | tuple) and len(value) > 3:
        return f"[{_word(value[0])}, ... {len(value)} in all]"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_word, value))}]"
    if value is None or isinstance(value, str | int | float | Hole):
        return repr(value)
    shape = "x".join(map(str, np.shape(value))) if hasattr(value, "shape") else ""
    return f"<{' '.join(filter(None, (type(value).__name__, shape)))}>"
