"""What is finished of the tables of a run, in FILE.part of each, to go on from."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from unetpred.errors import some_of
from unetpred.holes.scenes import Scenes
from unetpred.images.sources import Input
from unetpred.runs.part_file import VARYING, Part, warn_of_replacing
from unetpred.runs.scoring.jobs import Job
from unetpred.runs.scoring.outputs import Outputs
from unetpred.runs.scoring.score_batch import Scoring

logger = logging.getLogger(__name__)


def settings_of(
    origin: dict[str, str], scoring: Scoring, outputs: Outputs, scenes: Scenes, jobs: list[Job]
) -> dict[str, str]:
    """What must be the same for rows to belong into one table.

    Images and sites may be others than before: each row is of one of them.

    Parameters
    ----------
    origin : dict of str to str
        From `unetpred.runs.provenance.provenance`.
    scoring : Scoring
        What is computed.
    outputs : Outputs
        Where it goes.
    scenes : Scenes
        What is missing.
    jobs : list of Job
        All of the run.

    Returns
    -------
    dict of str to str
    """
    settings = {name: value for name, value in origin.items() if name not in VARYING}
    settings["hole"] = scenes.shared
    settings["output"] = " ".join(scoring.output)
    if scoring.covariates:
        settings["covariates"] = "yes"
    for name in ("prediction", "network_output", "images", "filled"):
        settings[f"save_{name}"] = str(getattr(outputs, name) or "none")
    if any(outputs.arrays.values()):  # which have a place for each picture
        digest = hashlib.sha256(" ".join(_keys(jobs)).encode()).hexdigest()[:12]
        settings["pictures"] = f"{len(jobs)}, with names of sha256 {digest}"
    return settings


def _keys(jobs: Iterable[Job]) -> list[str]:
    """Name jobs by picture and place, each differently, however often one is asked for."""
    seen: Counter = Counter()
    keys = []
    for job in jobs:
        what = json.dumps([job.source.path, job.source.index, job.place and vars(job.place)])
        seen[what] += 1
        keys.append(hashlib.sha256(f"{seen[what]} {what}".encode()).hexdigest()[:16])
    return keys


class Parts:
    """The unfinished tables of a run.

    Parameters
    ----------
    save : str or None
        The table of all, if there is one.
    inputs : list of Input
        What is scored.
    tables : dict of str to Path
        From `unetpred.runs.scoring.outputs.check_targets`.
    jobs : list of Job
        All of the run.
    settings : dict of str to str
        From `settings_of`.
    scenes : Scenes
        What is missing.
    """

    def __init__(
        self,
        save: str | None,
        inputs: list[Input],
        tables: dict[str, Path],
        jobs: list[Job],
        settings: dict[str, str],
        scenes: Scenes,
    ):
        self._jobs, self._scenes = jobs, scenes
        self._keys = _keys(jobs)
        of: dict[Path, list[int]] = {}  # positions of jobs by table
        if save:
            of[Path(save)] = list(range(len(jobs)))
        else:
            by_source = {
                id(source): tables[one.path]
                for one in inputs
                if one.path in tables
                for source in one.sources
            }
            for job in jobs:
                if id(job.source) in by_source:
                    of.setdefault(by_source[id(job.source)], []).append(job.position)
        unit = "site" if scenes.sites else "image"
        self._of: dict[int, Part] = {}  # by position
        self._all: list[Part] = []
        for target, positions in of.items():
            part = Part(target, settings, [self._keys[position] for position in positions], unit)
            self._all.append(part)
            self._of |= dict.fromkeys(positions, part)

    def __bool__(self) -> bool:
        return bool(self._all)

    def __str__(self) -> str:
        return some_of(map(str, self.paths))

    @property
    def paths(self) -> list[Path]:
        """Where finished rows are."""
        return [part.path for part in self._all]

    def resume(self) -> list[Job]:
        """Take over what is finished, but for pictures whose files have changed.

        Returns
        -------
        list of Job
            Those that were taken over.

        Raises
        ------
        InputError
            If rows were made with other settings; all is left as it is then.
        """
        found = [part for part in self._all if part.path.exists()]
        if not found:
            logger.info("%s: is not there, so all is scored from the beginning", self)
        rows = {part: part.read() for part in found}
        changed: Counter = Counter()
        taken = []
        for job in self._jobs:
            part = self._of.get(job.position)
            if part not in rows or not (row := rows[part].get(self._keys[job.position])):
                continue
            if row["stamp"] == self._stamp(job):
                job.scores, job.error = row["scores"], row["error"]
                job.sums = row.get("sums", {})
                taken.append(job)
            else:
                changed[part] += 1
                del rows[part][row["key"]]
        for part in found:
            part.tell_changes(changed[part])
            part.go_on(rows[part].values())
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
                part.add(self._row(job) for job in jobs if self._of.get(job.position) is part)

    def _row(self, job: Job) -> dict:
        return {
            "key": self._keys[job.position],
            "stamp": self._stamp(job),
            "scores": job.scores,
            "error": job.error,
            **({"sums": job.sums} if job.sums else {}),
        }

    def _stamp(self, job: Job) -> str:
        """Changes when the picture, or its own hole, does."""
        own = self._scenes.own(job.source.path, job.position)
        return f"{job.stamp} {own}" if own else job.stamp

    def close(self) -> None:
        """Leave all as it is."""
        for part in self._all:
            part.close()

    def remove(self) -> None:
        """Nothing is left to go on with."""
        for part in self._all:
            part.remove()
