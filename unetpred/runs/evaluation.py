"""An evaluation as a long run: with progress, and gone on with after an interruption."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unetpred.evaluation.evaluate import Evaluator
from unetpred.evaluation.measures import Evaluation, Row
from unetpred.io.files import check_target, stamp_of
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import vgg_file
from unetpred.runs.cluster.connect import check_client
from unetpred.runs.long_run import NotHere, Work, run_batches
from unetpred.runs.part_file import VARYING, Part, telling_what_is_kept, warn_of_replacing
from unetpred.runtime.command_line import Call
from unetpred.runtime.progress import Progress

logger = logging.getLogger(__name__)

Crops = dict[Path, np.ndarray]


def save_evaluation(
    evaluator: Evaluator,
    origin: Mapping[str, str],
    call: Call,
    resume: bool = False,
    progress: Progress = None,
    client: Any = None,
    weights: str | None = None,
    vgg_weights: str | None = None,
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
    client : dask.distributed.Client, optional
        Where photographs are measured; here if not given.
    weights, vgg_weights : str, optional
        What the networks of `evaluator` were loaded from, for a cluster to do the same.

    Raises
    ------
    InputError
        If no photograph can be read, or what was left is of another evaluation.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    check_client(client)
    for name in ("evaluation.csv", "summary.csv", "summary.md"):
        check_target(evaluator.folder / name, Path(name).suffix)
    sink = _Sink(evaluator, origin, call)
    planned = sink.resume() if resume else sink.begin()
    work, total = EvaluationWork(evaluator, weights, vgg_weights), len(evaluator.names)
    with telling_what_is_kept([sink.part.path], call.resume):
        try:
            run_batches(planned, work, sink, total, "photograph", progress, client)
        finally:
            sink.part.close()
        result = evaluator.finish(sink.rows(), origin)
    sink.part.remove()
    return result


class EvaluationWork(Work[list[Path], Crops, list[Row]]):
    """The measures of a batch of photographs.

    Parameters
    ----------
    evaluator : Evaluator
    weights, vgg_weights : str, optional
        What its networks were loaded from.
    """

    apart = True

    def __init__(
        self, evaluator: Evaluator, weights: str | None = None, vgg_weights: str | None = None
    ):
        self._evaluator, self._content = evaluator, evaluator.measures_content
        self._weights, self._vgg_weights = weights, vgg_weights

    def weights(self) -> dict[str, Path]:
        """As of `Work`."""
        vgg = vgg_file(self._vgg_weights) if self._content else None
        return {"weights": find_weights(self._weights)[1]} | ({"vgg_weights": vgg} if vgg else {})

    def sent(self) -> EvaluationWork:
        """As of `Work`."""
        other = copy(self)
        other._evaluator = self._evaluator.bare()
        return other

    def located(self, files: Mapping[str, Any]) -> EvaluationWork:
        """As of `Work`."""
        from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model
        from unetpred.weights.files import load_model

        vgg = vgg_model(files.get("vgg_weights"), CONTENT_LAYERS) if self._content else None
        self._evaluator.load(load_model(files["weights"]), vgg)
        return self

    def pack(
        self, batch: list[Path], sends: Callable[[str], bool], refused: Mapping[int, str]
    ) -> _Photographs:
        """As of `Work`."""
        for row, reason in refused.items():
            logger.warning("%s: %s; it is left out", batch[row], reason)
        files = [file for row, file in enumerate(batch) if row not in refused]
        names = {file: self._evaluator.names[file] for file in files}
        if any(sends(str(file)) for file in files):
            return _Photographs(names, {}, self.read(files))
        return _Photographs(names, {file: stamp_of(file) for file in files})

    def unpack(self, packed: _Photographs) -> list[Path]:
        """As of `Work`."""
        for file, stamp in packed.stamps.items():
            if stamp_of(file) != stamp:
                raise NotHere(str(file))
        self._evaluator.names = dict(packed.names)
        return _Sent(packed)

    def read(self, batch: list[Path]) -> Crops:
        """The middle of each photograph."""
        crops = batch.crops if isinstance(batch, _Sent) else None
        return self._evaluator.read(batch) if crops is None else crops

    def compute(self, read: Crops) -> list[Row]:
        """One row per photograph that could be read, hole and method."""
        return self._evaluator.compute(read)


class _Photographs(NamedTuple):
    """A batch as it travels."""

    names: dict[Path, str]
    stamps: dict[Path, str]
    crops: Crops | None = None  # of what is not there where they are measured


class _Sent(list[Path]):
    """A batch that has travelled."""

    def __init__(self, packed: _Photographs):
        super().__init__(packed.names)
        self.crops = packed.crops


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
            if row["stamp"] == stamp_of(file):
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
                "stamp": stamp_of(file),
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
