"""A map in memory, made here or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT
from unetpred.holes.masks import DEFAULT_HOLE
from unetpred.images.inputs import load_all
from unetpred.runs.cluster.connect import check_client, loadable
from unetpred.runs.long_run import run_batches
from unetpred.runs.maps.map_work import MapWork
from unetpred.runs.scoring.score_batch import Scoring
from unetpred.scoring.map_grid import PredictabilityMap, blank_map, hole_pattern
from unetpred.scoring.maps import Places, PlaceScore, keep, plan
from unetpred.scoring.scores import OUTPUTS

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor

Progress = Callable[[int], None]


def predictability_map(
    image: Any,
    stride: int = 16,
    context: int | Literal["full"] = DEFAULT_CONTEXT,
    mask_size: int = DEFAULT_HOLE,
    mask_shape: Literal["square", "disc"] = "square",
    output: Sequence[str] = ("structure",),
    predictor: Predictor | None = None,
    progress: Progress | None = None,
    weights: str | os.PathLike[str] | None = None,
    client: Any = None,
) -> PredictabilityMap:
    """Score holes all over an image, each on its own.

    Parameters
    ----------
    image : path-like, array_like (H,W,3) or (H,W), or PIL.Image.Image
        An image file, or uint8 or float, RGB or grey, 0..255.
    stride : int
        Distance of the places, px: x = 0, stride, 2*stride, ... below W, and y alike, so that
        ``structure[i, j]`` is at column ``j * stride`` and row ``i * stride``. Places so near the
        border that the hole leaves the image are NaN.
    context : int or "full"
        What surrounds a hole: the square of so many px around it (see
        `unetpred.holes.contexts.surroundings`), of which what lies beyond the image's border is
        missing, as the hole is; or the whole image. Scores are taken in the hole alone.
    mask_size, mask_shape
        The hole, as in `unetpred.holes.masks.hole_mask`.
    output : sequence of {"structure", "structure_luminance", "content"}
        The scores wanted; structure is always among them.
    predictor : Predictor, optional
        The weights and the batch size; the shipped default's if not given.
    progress : callable, optional
        Called with the number of places that were scored since the last call.
    weights : str or path-like, optional
        Instead of a predictor: its weights.
    client : dask.distributed.Client, optional
        A cluster that computes, with the same digits; this process if not given.

    Returns
    -------
    PredictabilityMap
        With an int as context, the value at (x,y) is the score that a `Predictor` gives the crop
        around (x,y), apart from rounding.

    Raises
    ------
    InputError
        If the image or a number cannot be used, or the hole fits at no place.
    ClusterError
        If the cluster is gone, or does not get on.

    Examples
    --------
    >>> result = predictability_map(image, stride=32)
    >>> result.structure                    # (ceil(H/32), ceil(W/32))
    """
    from unetpred.scoring.predictor import Predictor

    if predictor is not None and weights is not None:
        raise InputError("both predictor and weights are given; one of them is right")
    check_client(client)
    pictures = load_all(image)
    if len(pictures) != 1:
        raise InputError(f"image: holds {len(pictures)} pictures; a map is of one")
    if unknown := [name for name in output if name not in OUTPUTS]:
        raise InputError(f"output {unknown[0]!r} is not one of {', '.join(OUTPUTS)}")
    pixels = pictures[0].load()
    content, luminance = "content" in output, "structure_luminance" in output
    result = blank_map(pixels.shape[:2], stride, mask_size, content, luminance)
    hole = hole_pattern(mask_size, mask_shape, context)
    predictor = predictor or Predictor(weights)
    scoring = Scoring(
        ("structure", *(name for name in OUTPUTS if name in output)),
        loadable(predictor.weights),
        loadable(predictor.vgg_weights),
        batch_size=predictor.batch_size,
    )
    work = MapWork(pixels, hole, context, predictor, scoring, result)
    planned, sink = plan(result, pixels, hole, context, predictor), _Kept(result, progress)
    if client is None:
        for batch in planned:
            sink.put(batch, work(batch))
    else:
        run_batches(planned, work, sink, unit="place", progress=False, client=client)
    return result


class _Kept:
    """A sink that is the map itself."""

    def __init__(self, result: PredictabilityMap, progress: Progress | None):
        self._result, self._progress = result, progress

    def put(self, batch: Places, rows: list[PlaceScore]) -> None:
        keep(self._result, batch, rows)
        if self._progress:
            self._progress(len(batch))

    def stopped(self, finished: int, total: int) -> str:
        return f"interrupted; {finished} of {total} places were finished"
