"""An evaluation as a long run: with progress, and gone on with after an interruption."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unetpred.evaluation.evaluate import Evaluator
from unetpred.evaluation.measures import Evaluation, Row
from unetpred.io.files import check_target
from unetpred.runs.long_run import Work, run_batches
from unetpred.runs.part_file import VARYING, Part, telling_what_is_kept, warn_of_replacing
from unetpred.runtime.command_line import Call
from unetpred.runtime.progress import Progress

Crops = dict[Path, np.ndarray]


def save_evaluation(
    evaluator: Evaluator,
    origin: Mapping[str, str],
    call: Call,
    resume: bool = False,
    progress: Progress = None,
) -> Evaluation:
    """Measure all photographs, and write tables and gallery.

    Parameters
    ----------
    evaluator : Evaluator
        What is measured.
    origin : mapping of str to str
        Provenance, from `unetpred.runs.provenance.made_with`.
    call : Call
        What asked for it.
    resume : bool
        Whether to go on with what an interrupted run has left in `evaluation.csv.part`.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.

    Raises
    ------
    InputError
        If no photograph can be read, or what was left is of another evaluation.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    for name in ("evaluation.csv", "summary.csv", "summary.md"):
        check_target(evaluator.folder / name, Path(name).suffix)
    sink = _Sink(evaluator, origin, call)
    planned = sink.resume() if resume else sink.begin()
    work, total = EvaluationWork(evaluator), len(evaluator.names)
    with telling_what_is_kept([sink.part.path], call.resume):
        try:
            run_batches(planned, work, sink, total, "photograph", progress)
        finally:
            sink.part.close()
        result = evaluator.finish(sink.rows(), origin)
    sink.part.remove()
    return result


class EvaluationWork(Work[list[Path], Crops, list[Row]]):
    """The measures of a batch of photographs."""

    def __init__(self, evaluator: Evaluator):
        self._evaluator = evaluator

    def read(self, batch: list[Path]) -> Crops:
        """The middle of each photograph."""
        return self._evaluator.read(batch)

    def compute(self, read: Crops) -> list[Row]:
        """One row per photograph that could be read, hole and method."""
        return self._evaluator.compute(read)


class _Sink:
    """Rows of every photograph, also in a file until all are there."""

    def __init__(self, evaluator: Evaluator, origin: Mapping[str, str], call: Call):
        self._evaluator, self._call = evaluator, call
        self._of: dict[Path, list[Row]] = {}
        self._keys = {
            file: hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]
            for file, name in evaluator.names.items()
        }
        settings = {name: value for name, value in origin.items() if name not in VARYING}
        settings |= evaluator.notes
        settings["batch"] = str(evaluator.batch_size)
        target = evaluator.folder / "evaluation.csv"
        self.part = Part(target, settings, list(self._keys.values()), "photograph")

    def begin(self) -> list[list[Path]]:
        """All batches; what an interrupted run has left is given up."""
        if self.part.path.exists():
            warn_of_replacing(self.part.path)
        return self._evaluator.batches

    def resume(self) -> list[list[Path]]:
        """The batches that are left."""
        if not self.part.path.exists():
            return self._evaluator.batches
        kept, changed = self.part.read(), 0
        for file, key in self._keys.items():
            if not (row := kept.get(key)):
                continue
            if row["stamp"] == _stamp(file):
                self._of[file] = [Row(*values) for values in row["rows"]]
            else:
                changed += 1
                del kept[key]
        self.part.tell_changes(changed)
        self.part.go_on(kept.values())
        # whole batches only, or digits would differ in the last places
        return [b for b in self._evaluator.batches if not all(file in self._of for file in b)]

    def put(self, batch: list[Path], rows: list[Row]) -> None:
        names = self._evaluator.names
        for file in batch:
            self._of[file] = [row for row in rows if row.image == names[file]]
        self.part.add(
            {
                "key": self._keys[file],
                "stamp": _stamp(file),
                "rows": [[_plain(value) for value in row] for row in self._of[file]],
            }
            for file in batch
        )

    def stopped(self, finished: int, total: int) -> str:
        return (
            f"interrupted; {finished} of {total} are finished, in {self.part.path}; "
            f"{self._call.resume}"
        )

    def rows(self) -> list[Row]:
        """All rows, in the order of the photographs."""
        return [row for file in self._evaluator.names for row in self._of[file]]


def _plain(value: object) -> object:
    """A value as JSON keeps it, digit by digit."""
    return value.item() if isinstance(value, np.generic) else value


def _stamp(file: Path) -> str:
    """Changes when the file does."""
    try:
        info = os.stat(file)
    except OSError:
        return ""
    return f"{info.st_size}-{info.st_mtime_ns}"
