"""Training from Python, on files or on one's own data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from unetpred.backends.keras_import import import_keras
from unetpred.segmentation.data.datasets import Dataset
from unetpred.segmentation.training.config import SegmentationConfig

if TYPE_CHECKING:
    from unetpred.training.run import Run


def train(
    data: Dataset | None = None,
    held_out: Dataset | None = None,
    resume: bool = False,
    progress: bool | None = False,
    started: float | None = None,
    begun: Callable[[], object] = bool,
    **settings: Any,
) -> Run:
    """Train a network that segments.

    Parameters
    ----------
    data, held_out : Dataset, optional
        One's own images and labels, to train on and to measure on; without them `settings` name
        files. Without `held_out` a part of the data is held out.
    resume : bool
        Go on from the last complete checkpoint, if there is one.
    progress : bool, optional
        Whether a bar on stderr shows how far it is.
    started : float, optional
        When the program began, by `time.monotonic`; for `max_minutes`.
    begun : callable, optional
        Called once the first step is done.
    **settings
        Fields of `SegmentationConfig`.

    Returns
    -------
    Run
        Finished. Its folder holds `best.weights.h5`, `last.weights.h5`, `history.csv`,
        `preview.png`, `augmented.png` and what resuming needs.

    Raises
    ------
    InputError
        If settings or data cannot be used.
    unetpred.training.run.Stopped
        On Ctrl-C or SIGTERM, with the state saved.
    """
    known = {field.name for field in fields(SegmentationConfig)}
    if unknown := set(settings) - known:
        raise TypeError(f"unknown settings {', '.join(sorted(unknown))}")
    config = SegmentationConfig(**settings)
    import_keras()  # quietly, before what needs it
    from unetpred.segmentation.training.task import Segmenting
    from unetpred.training.run import Run

    run = Run(
        config,
        time.monotonic() if started is None else started,
        lambda config: Segmenting(config, data, held_out),
    )
    if not (resume and run.resume()):
        run.begin()
    run.train(progress, begun)
    return run
