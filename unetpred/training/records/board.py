"""TensorBoard's files, which are to look at: where they cannot be written, a run goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import reason_of

logger = logging.getLogger(__name__)


class Board:
    """Curves and pictures for TensorBoard, by tensorboardX; TensorFlow is not needed for it.

    Nothing is written where tensorboardX is not installed, or the disk is full.

    Parameters
    ----------
    folder : Path
    step : int
        What an interrupted run has written of later steps is not shown.
    """

    def __init__(self, folder: Path, step: int):
        self._folder, self._writer, self._file = folder, None, _Sheltered()
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            logger.info(
                "tensorboardX is not installed, so there are no files for TensorBoard; history.csv "
                "and preview.png have the curves and pictures (pip install tensorboardX)"
            )
            return
        try:
            self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
            self._file.take_over(self._writer)
        except OSError as error:
            self._give_up(error)

    def scalars(self, row: Mapping[str, Any]) -> None:
        """Add the numbers of a row, which has a `step`."""
        if self._writer:
            for name, value in row.items():
                if name != "step":
                    self._writer.add_scalar(name, value, row["step"])
            self._writer.flush()
            self._check()

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """Add a picture (H,W,3) uint8."""
        if self._writer:
            self._writer.add_image(name, picture, step, dataformats="HWC")
            self._check()

    def close(self) -> None:
        """End what is being written."""
        if self._writer:
            self._writer.close()
            self._check()

    def _check(self) -> None:
        if self._file.error is not None:
            self._give_up(self._file.error)

    def _give_up(self, error: OSError) -> None:
        why = error.strerror or reason_of(error)
        logger.warning("%s: cannot be written any more (%s)", self._folder, why)
        self._writer = None


class _Sheltered:
    """The file of a writer of tensorboardX, whose thread must not end: its queue would block."""

    def __init__(self) -> None:
        self.error: OSError | None = None

    def take_over(self, writer: Any) -> None:
        events = writer.file_writer.event_writer
        self._file = events._ev_writer
        events._ev_writer = events._worker._record_writer = self

    def write_event(self, event: Any) -> None:
        self._try(self._file.write_event, event)

    def flush(self) -> None:
        self._try(self._file.flush)

    def close(self) -> None:
        self._try(self._file.close)

    def _try(self, do: Any, *given: Any) -> None:
        if self.error is None:
            try:
                do(*given)
            except OSError as error:
                self.error = error
