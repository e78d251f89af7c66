"""What a training run leaves to look at: history.csv, TensorBoard's files, pictures."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.io.files import atomic_path, set_damaged_aside, writing
from unetpred.plots.strips import strip
from unetpred.training.records.board import Board
from unetpred.training.records.checkpoints import PREVIEWS, TENSORBOARD

logger = logging.getLogger(__name__)

MEASURES = ("structure", "l1", "content")
PICTURE = "original, masked, filled in"


class RunLog:
    """The curves of a run.

    Parameters
    ----------
    folder : path-like
        Of the run.
    step : int
        Where the run stands; what an interrupted run has written of later steps is dropped, and
        all that it wrote where none was saved: step 0 is measured anew.
    measures : sequence of str
        The columns of what is measured on held-out images.
    picture : str
        What the pictures show.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        step: int = 0,
        measures: Sequence[str] = MEASURES,
        picture: str = PICTURE,
    ):
        self.folder, self._picture = Path(folder), picture
        self._columns = ("step", "loss", "lr", *measures, "images_per_second", "waiting")
        self._path = self.folder / "history.csv"
        rows = [row for row in read_history(self._path) if step and int(row["step"]) <= step]
        self._set_aside_if_damaged()
        with atomic_path(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        self._board = Board(self.folder / TENSORBOARD, step)

    def _set_aside_if_damaged(self) -> None:
        if _damaged_lines(self._path):
            aside = set_damaged_aside(self._path)
            logger.warning(
                "%s: has damaged lines, which are left out; it is kept as %s",
                self._path,
                aside.name,
            )

    def record(self, row: Mapping[str, Any]) -> None:
        """Append a row with some of the columns, `step` among them."""
        with writing(self._path), self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self._board.scalars(row)

    def picture(self, picture: np.ndarray, step: int, text: str = "") -> None:
        """Keep a picture: the latest as preview.png, all of them in `PREVIEWS` and TensorBoard.

        Parameters
        ----------
        picture : numpy.ndarray, (H,W,3) uint8
        step : int
            Where the run stands.
        text : str
            What was measured, which stands above with the step and the names of the columns.
        """
        from PIL import Image

        above = f"step {step}: {text}" if text else f"step {step}"
        width = picture.shape[1]
        titles = strip(width, self._picture.split(", "))
        titled = np.concatenate([strip(width, [above]), titles, picture])
        folder = self.folder / PREVIEWS
        with writing(folder):
            folder.mkdir(exist_ok=True)
        for path in (folder / f"step_{step:07d}.png", self.folder / "preview.png"):
            with atomic_path(path) as temporary:
                Image.fromarray(titled).save(temporary)
        self._board.picture(self._picture, titled, step)

    def close(self) -> None:
        """End what is being written."""
        self._board.close()


def read_history(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Read the complete rows of a history.csv; none if there is no such file."""
    path = Path(path)
    if not path.is_file():
        return []
    return [row for row in _rows(path) if _is_whole(row)]


def _rows(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes().replace(b"\0", b"?").decode(errors="replace")
    # a run that was killed may have left the beginning of a line
    lines = [line for line in content.splitlines(keepends=True) if line.endswith("\n")]
    rows = csv.reader(lines)
    try:
        names = next(rows, [])
        return [dict(zip(names, row, strict=len(row) == len(names))) for row in rows]
    except csv.Error:
        return []


def _is_whole(row: Mapping[str, str]) -> bool:
    """Whether a row has a step, and only numbers or nothing in all other columns."""
    try:
        for value in row.values():
            float(value or 0)
    except (TypeError, ValueError):
        return False
    step = row.get("step") or ""
    return step.isascii() and step.isdigit()


def _damaged_lines(path: Path) -> int:
    """Number of complete lines below the names that are no rows."""
    if not path.is_file():
        return 0
    lines = path.read_bytes().count(b"\n") - 1
    return max(0, lines) - len(read_history(path))
