"""What is finished of a table that is not: FILE.part, from which a run can be taken up again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from unetpred.errors import InputError
from unetpred.images.sources import Input
from unetpred.runs.jobs import Job
from unetpred.runs.outputs import Outputs
from unetpred.runs.score_batch import Scoring

logger = logging.getLogger(__name__)

#: What of a provenance may differ between rows of one table; weights go by their sha256.
VARYING = ("date", "command", "note", "weights")


def settings_of(
    origin: dict[str, str], scoring: Scoring, outputs: Outputs, jobs: list[Job]
) -> dict[str, str]:
    """What must be the same for rows to belong into one table.

    Parameters
    ----------
    origin : dict of str to str
        From `unetpred.runs.provenance.provenance`.
    scoring : Scoring
        What is computed.
    outputs : Outputs
        Where it goes.
    jobs : list of Job
        All of the run.

    Returns
    -------
    dict of str to str
    """
    settings = {name: value for name, value in origin.items() if name not in VARYING}
    settings["output"] = " ".join(scoring.output)
    if scoring.covariates:
        settings["covariates"] = "yes"
    for name in ("prediction", "network_output", "images", "filled"):
        settings[f"save_{name}"] = str(getattr(outputs, name) or "none")
    columns = [[job.columns, job.place and vars(job.place)] for job in jobs]
    listed = json.dumps(columns, default=str)
    settings["inputs"] = hashlib.sha256(listed.encode()).hexdigest()
    return settings


def warn_of_replacing(path: Path) -> None:
    """Say that what an interrupted run has left is given up."""
    logger.warning(
        "%s: what an interrupted run had finished is replaced; `resume` goes on with it instead",
        path,
    )


class Part:
    """The finished rows of one table, in FILE.part: a line of settings, then a line for each row.

    Parameters
    ----------
    target : Path
        The table, FILE.
    settings : dict
        From `settings_of`.
    """

    def __init__(self, target: Path, settings: dict):
        self.path = Path(f"{target}.part")
        self._settings = settings
        self._file: TextIO | None = None

    def read(self) -> dict[int, dict]:
        """The rows that are there, by position, as `add` got them.

        Raises
        ------
        InputError
            If they were made with other settings, or the file is none of ours.
        """
        if not self.path.exists():
            return {}
        wrong = InputError(
            f"{self.path}: is not what an interrupted run leaves; remove it, or leave `resume` away"
        )
        try:
            *lines, _ = self.path.read_text("utf-8").split("\n")  # what a kill tore apart is last
            first, *rows = [json.loads(line) for line in lines] or [{}]
            kept = {row.pop("position"): row for row in rows}
            given = first["settings"] if lines else self._settings
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            raise wrong from None
        for name in {**self._settings, **given}:
            before, now = given.get(name, "none"), self._settings.get(name, "none")
            if before != now:
                raise InputError(
                    f"{self.path}: its rows were made with other settings ({name}: {before}; now: "
                    f"{now}); give the same as then, or leave `resume` away to start afresh"
                )
        return kept

    def add(self, rows: Iterable[dict]) -> None:
        """Write rows down, at once for all of a batch; each has a `position` and whatever else."""
        lines = [json.dumps(row) + "\n" for row in rows]
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="\n")
            lines.insert(0, json.dumps({"settings": self._settings}) + "\n")
        self._file.write("".join(lines))
        self._file.flush()

    def go_on(self) -> None:
        """Append to what `read` has read; without it the file begins anew."""
        content = self.path.read_bytes()
        if whole := content.rfind(b"\n") + 1:
            self._file = self.path.open("r+", encoding="utf-8", newline="\n")
            self._file.truncate(whole)
            self._file.seek(whole)

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """The table is there, or nothing could be scored: nothing is left to go on with."""
        self.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


def _row(job: Job) -> dict:
    return {
        "position": job.position,
        "stamp": job.stamp,
        "scores": job.scores,
        "error": job.error,
    }


class Parts:
    """The unfinished tables of a run.

    Parameters
    ----------
    save : str or None
        The table of all, if there is one.
    inputs : list of Input
        What is scored.
    tables : dict of str to Path
        From `unetpred.runs.outputs.check_targets`.
    jobs : list of Job
        All of the run.
    settings : dict of str to str
        From `settings_of`.
    """

    def __init__(
        self,
        save: str | None,
        inputs: list[Input],
        tables: dict[str, Path],
        jobs: list[Job],
        settings: dict[str, str],
    ):
        self._jobs = jobs
        self._of: dict[int, Part] = {}  # by position
        if save:
            self._of = dict.fromkeys(range(len(jobs)), Part(Path(save), settings))
        else:
            by_source = {
                id(source): Part(tables[one.path], settings)
                for one in inputs
                if one.path in tables
                for source in one.sources[:1]
            }
            first = {id(s): id(one.sources[0]) for one in inputs for s in one.sources}
            for job in jobs:
                part = by_source.get(first.get(id(job.source), 0))
                if part:
                    self._of[job.position] = part
        self._all = list(dict.fromkeys(self._of.values()))

    def __bool__(self) -> bool:
        return bool(self._all)

    def __str__(self) -> str:
        return ", ".join(str(part.path) for part in self._all)

    def resume(self) -> list[Job]:
        """Take over what is finished, but for pictures whose files have changed.

        Returns
        -------
        list of Job
            Those that were taken over.
        """
        found = [part for part in self._all if part.path.exists()]
        if not found:
            logger.info("%s: is not there, so all is scored from the beginning", self)
        rows = {part: part.read() for part in found}
        taken = []
        for job in self._jobs:
            part = self._of.get(job.position)
            row = rows[part].get(job.position) if part in rows else None
            if row and row["stamp"] == job.stamp:
                job.scores, job.error = row["scores"], row["error"]
                taken.append(job)
        for part in found:
            part.go_on()
        return taken

    def begin(self) -> None:
        """Say so where finished rows are given up."""
        for part in self._all:
            if part.path.exists():
                warn_of_replacing(part.path)

    def add(self, jobs: list[Job]) -> None:
        """Write down what is done."""
        for part in dict.fromkeys(self._of.get(job.position) for job in jobs):
            if part:
                part.add(_row(job) for job in jobs if self._of.get(job.position) is part)

    def close(self) -> None:
        """Leave all as it is."""
        for part in self._all:
            part.close()

    def remove(self) -> None:
        """Nothing is left to go on with."""
        for part in self._all:
            part.remove()
