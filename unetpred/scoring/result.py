"""What a predictor gives: scores, and pictures filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.network.vgg16 import CONTENT_LAYERS

if TYPE_CHECKING:
    import pandas


@dataclass
class Result:
    """Scores of N images, and their filled-in versions.

    Attributes
    ----------
    structure : numpy.ndarray, (N,) float64, or None if not asked for
        Pearson's r in the hole, -1..1; higher = more predictable. NaN where undefined.
    content : numpy.ndarray, (N,) float64, or None if not asked for
        VGG-16 feature distance in the hole, from 0; higher = LESS predictable. NaN where undefined.
    content_layers : numpy.ndarray, (N,5) float64, or None
        Its terms, in the order of `unetpred.network.vgg16.CONTENT_LAYERS`.
    filled : numpy.ndarray, (N,H,W,3) float32
        RGB 0..255; the visible pixels are the original's. A list of N arrays (H,W,3) where sizes
        differ.
    network_output : numpy.ndarray, (N,H,W,3) float32, or None if not asked for
        What the network gives everywhere, RGB, before clipping. A list where sizes differ.
    reasons : list of str
        Per image why a score is undefined; empty where all are defined.
    content_of_others : list of numpy.ndarray, (N,) float64
        Content of the same holes as others have filled them in; empty if not asked for.
    images : list of str
        What the images are called: their paths, or "images" in memory.
    indices : list of int or None
        Their positions in an array; None for image files.
    structure_luminance : numpy.ndarray, (N,) float64, or None if not asked for
        Structure of luminance alone, see `unetpred.scoring.luminance`.
    """

    structure: np.ndarray | None
    content: np.ndarray | None
    content_layers: np.ndarray | None
    filled: np.ndarray | list[np.ndarray] = field(
        repr=False
    )  # a notebook that shows a result shows scores
    network_output: np.ndarray | list[np.ndarray] | None = field(repr=False)
    reasons: list[str] = field(default_factory=list)
    content_of_others: list[np.ndarray] = field(default_factory=list, repr=False)
    images: list[str] = field(default_factory=list)
    indices: list[int | None] = field(default_factory=list)
    structure_luminance: np.ndarray | None = None

    def to_frame(self) -> pandas.DataFrame:
        """The scores as a table, with the columns of `unetpred.score`.

        Returns
        -------
        pandas.DataFrame
            One row per image: `image`, `index`, the scores that were asked for, content by layer,
            and `reason`, why a score is undefined.
        """
        import pandas

        count = len(self.reasons)
        columns: dict[str, Any] = {
            "image": self.images or ["images"] * count,
            "index": self.indices or list(range(count)),
        }
        if self.structure is not None:
            columns["structure"] = self.structure
        if self.structure_luminance is not None:
            columns["structure_luminance"] = self.structure_luminance
        if self.content is not None and self.content_layers is not None:
            columns["content"] = self.content
            for layer, values in zip(CONTENT_LAYERS, self.content_layers.T, strict=True):
                columns[f"content_{layer}"] = values
        frame = pandas.DataFrame({**columns, "reason": self.reasons})
        frame["index"] = pandas.to_numeric(frame["index"])
        return frame


def combined(results: Sequence[Result], groups: Sequence[Sequence[int]]) -> Result:
    """One result of several, each of images of one size.

    Parameters
    ----------
    results : sequence of Result
    groups : sequence of sequence of int
        For each result the rows of its images in the whole.

    Returns
    -------
    Result
        With lists of pictures instead of arrays, where sizes differ.
    """
    if len(results) == 1:
        return results[0]
    order = np.argsort(np.concatenate([np.asarray(rows) for rows in groups]))

    def scores(name: str) -> np.ndarray | None:
        parts = [getattr(result, name) for result in results]
        return None if parts[0] is None else np.concatenate(parts)[order]

    def pictures(name: str) -> list[np.ndarray] | None:
        parts = [getattr(result, name) for result in results]
        if parts[0] is None:
            return None
        listed = [picture for part in parts for picture in part]
        return [listed[row] for row in order]

    reasons = [reason for result in results for reason in result.reasons]
    return Result(
        scores("structure"),
        scores("content"),
        scores("content_layers"),
        pictures("filled") or [],
        pictures("network_output"),
        [reasons[row] for row in order],
        structure_luminance=scores("structure_luminance"),
    )
