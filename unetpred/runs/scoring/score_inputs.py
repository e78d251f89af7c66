"""Scoring whatever is given: files, arrays, directories; at their holes or at sites."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from unetpred.backends.keras_import import import_keras
from unetpred.errors import InputError, some_of
from unetpred.holes.scenes import Scenes
from unetpred.images.sources import Input
from unetpred.io.registry import find_weights
from unetpred.network.vgg16 import find_vgg
from unetpred.results.arrays import Arrays
from unetpred.runs.cluster.connect import check_client
from unetpred.runs.long_run import run_batches
from unetpred.runs.part_file import telling_what_is_kept
from unetpred.runs.partial import Parts, settings_of
from unetpred.runs.provenance import provenance
from unetpred.runs.scoring.drawing import Drawn
from unetpred.runs.scoring.jobs import Failures, Job, Outcome, batches, check_batch_size, label
from unetpred.runs.scoring.outputs import Earlier, Outputs, check_targets
from unetpred.runs.scoring.results import row_of, score_columns, write_files
from unetpred.runs.scoring.score_batch import ScoreWork, Scoring
from unetpred.runs.scoring.sites import site_jobs
from unetpred.runtime.command_line import Call
from unetpred.runtime.progress import Progress
from unetpred.scoring.shared import PASSES

logger = logging.getLogger(__name__)

TOLD = 10  # undefined scores that are told one by one


@dataclass
class Scored:
    """What came of a run.

    Attributes
    ----------
    inputs : list of Input
        What was to be scored.
    scoring : Scoring
        What was computed.
    jobs : list of Job
        Everything that has a row, and what came of it; empty if it did not come to that.
    origin : dict of str to str
        Provenance.
    reasons : list of str
        Why inputs failed, each once.
    """

    inputs: list[Input]
    scoring: Scoring
    jobs: list[Job] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @cached_property
    def rows(self) -> list[dict]:
        """One tidy row of each job, once all are done."""
        columns = score_columns(self.scoring)
        return [row_of(job, columns) for job in self.jobs]

    @property
    def nothing(self) -> bool:
        """Whether nothing could be scored."""
        return not any(job.scored for job in self.jobs)

    @property
    def failed(self) -> bool:
        """Whether some inputs could not be used."""
        return any(job.error for job in self.jobs) or any(one.error for one in self.inputs)


def score_inputs(
    inputs: list[Input],
    scoring: Scoring,
    scenes: Scenes,
    outputs: Outputs,
    call: Call,
    progress: Progress = None,
    tell: bool = True,
    client: Any = None,
) -> Scored:
    """Score all inputs and write what was asked for.

    Parameters
    ----------
    inputs : list of Input
        What is scored.
    scoring : Scoring
        What is computed.
    scenes : Scenes
        What is missing.
    outputs : Outputs
        The files that are wanted.
    call : Call
        What asked for it.
    progress : bool or callable, optional
        As for `unetpred.runtime.progress.reporting`.
    tell : bool
        Whether failures and undefined scores are told as they come.
    client : dask.distributed.Client, optional
        Where scores are computed; here if not given.

    Returns
    -------
    Scored

    Raises
    ------
    InputError
        If arguments or files cannot be used.
    Stopped
        If Ctrl-C or SIGTERM ended it before its time.
    """
    check_batch_size(scoring.batch_size)
    check_client(client)
    earlier = Earlier(outputs, inputs, bool(scenes.sites))
    run = _Run(Scored(inputs, scoring), scenes, outputs, call, Failures(tell))
    run.score(progress, client)
    scored = run.scored
    if scored.nothing or scored.failed:
        for path in earlier.left():
            logger.warning("%s: is left from an earlier run; this one could not make it", path)
    scored.reasons = run.fail.said
    return scored


class _Run:
    """One run of `score_inputs`; a sink of what its batches give.

    Parameters
    ----------
    scored : Scored
        What is to be completed.
    scenes, outputs, call
        As for `score_inputs`.
    fail : Failures
        What is told about what fails.
    """

    def __init__(
        self, scored: Scored, scenes: Scenes, outputs: Outputs, call: Call, fail: Failures
    ):
        self.scored, self.fail = scored, fail
        self._scenes, self._outputs, self._call = scenes, outputs, call

    def score(self, progress: Progress, client: Any) -> None:
        """Plan, score, write."""
        inputs, outputs, scoring = self.scored.inputs, self._outputs, self.scored.scoring
        sites = self._scenes.sites
        sources = [source for one in inputs for source in one.sources]
        if sites or not sources:
            for one in inputs:
                if one.error:
                    self.fail.say(one.error)
        if not sources:
            return
        self._tables = check_targets(outputs, inputs, bool(sites), self._files_read())
        if outputs.resume and not (outputs.table or self._tables):
            raise InputError("`resume` needs a table to go on with; `save` FILE names it")
        find_weights(scoring.weights)
        if scoring.content and scoring.vgg_weights:
            find_vgg(scoring.vgg_weights)
        jobs = self.scored.jobs = self._jobs(sources)
        planned = self._planned(jobs)
        if not planned:
            self._explain()
            return
        sizes = [job.source.size for batch in planned for job in batch]
        self._arrays = Arrays(outputs.arrays, len(jobs), sizes)
        self._drawn = Drawn(outputs, jobs, scoring.output)

        import_keras(self._call.is_process)
        work = ScoreWork(
            scoring,
            self._scenes,
            self._arrays.wanted or bool(self._drawn),
            outputs.network_output is not None,
        )
        if client is None:
            _ = work.predictor  # before anything is written that a missing file would waste
        self.scored.origin = self._origin()
        settings = settings_of(self.scored.origin, scoring, outputs, self._scenes, jobs)
        self._parts = Parts(outputs.table, inputs, self._tables, jobs, settings, self._scenes)
        if outputs.resume:
            planned = self._left(planned)
        else:
            self._parts.begin()
        try:
            with telling_what_is_kept(self._parts.paths, self._call.resume):
                if planned:
                    unit = "site" if sites else "image"
                    run_batches(planned, work, self, len(jobs), unit, progress, client)
                if sites or not self.scored.nothing:  # a table of sites says why each has no score
                    if self.fail.tell:
                        _tell_undefined(self.scored, self._scenes, outputs)
                    self._write()
                    self._arrays.finish()  # after the tables: FILE.npy.part is needed to go on
            self._parts.remove()
        finally:
            self._parts.close()
            self._arrays.drop(keep=any(path.exists() for path in self._parts.paths))

    def put(self, batch: list[Job], rows: list[Outcome]) -> None:
        """Keep what came of a batch."""
        for job, outcome in zip(batch, rows, strict=True):
            self.fail.keep(job, outcome)
            if outcome.arrays:
                job.sums = self._arrays.put(job.position, outcome.arrays)
                self._drawn.draw(job, outcome)
        self._arrays.flush()  # before the rows that say that they are there
        self._parts.add(batch)

    def stopped(self, finished: int, total: int) -> str:
        """Where what is finished can be found."""
        if not self._parts:
            return "interrupted"
        return (
            f"interrupted; {finished} of {total} are finished, in {self._parts}; "
            f"{self._call.resume}"
        )

    def _files_read(self) -> dict[str, str]:
        read = {}
        if self._scenes.sites and self._scenes.sites.path:
            read[self._scenes.sites.path] = "`sites`"
        if self._scenes.masks and self._scenes.masks.path:
            read[self._scenes.masks.path] = "`mask`"
        return read

    def _jobs(self, sources: Iterable) -> list[Job]:
        if self._scenes.sites:
            return site_jobs(self._scenes, list(sources), self.fail)
        # what cannot be used has its place too: masks are counted by it, and it has a row
        places = [source for one in self.scored.inputs for source in one.places]
        self._scenes.check_count(len(places))
        return [
            Job(source, position, {"image": source.path, "index": source.index})
            for position, source in enumerate(places)
        ]

    def _planned(self, jobs: list[Job]) -> list[list[Job]]:
        outputs, passes = self._outputs, 0
        if self._scenes.together and not (any(outputs.arrays.values()) or outputs.folders):
            passes = PASSES
        return batches(jobs, self._scenes, self.scored.scoring.batch_size, self.fail, passes)

    def _explain(self) -> None:
        """Say why there is nothing to score; a table of sites says it too."""
        if not self._scenes.sites:
            return
        for job in self.scored.jobs:
            if job.scores:
                self.fail.say(f"{self._scenes.sites.name}: {job.scores['reason']}")
        if self._outputs.table:
            import_keras(self._call.is_process)
            self.scored.origin = self._origin()
            self._write()

    def _origin(self) -> dict[str, str]:
        given = self.scored.scoring
        notes = [one.note for one in self.scored.inputs if one.note]
        origin = provenance(
            given.weights,
            str(self._scenes),
            given.output,
            given.vgg_weights,
            str(self._scenes.context),
            self._call.command,
        )
        return {**origin, "inputs": "; ".join(notes)} if notes else origin

    def _left(self, planned: list[list[Job]]) -> list[list[Job]]:
        """The batches that an interrupted run has not finished."""
        taken = self._parts.resume()
        for job in taken:
            if job.error:
                self.fail.say(job.error)
        if self._arrays.wanted:
            self._forget_damaged({job.position: job for job in taken if job.scored})
        left = [batch for batch in planned if not all(job.done for job in batch)]
        for batch in left:
            for job in batch:
                job.forget()  # whole batches only, or digits would differ in the last places
        return left

    def _forget_damaged(self, jobs: dict[int, Job]) -> None:
        """Go on with whole pictures; those that are not as they were written are made again."""
        damaged = self._arrays.resume({at: job.sums for at, job in jobs.items()}) if jobs else ()
        for position in damaged:
            jobs[position].forget()
        if damaged:
            files = some_of(f"{file}.part" for file in self._outputs.arrays.values() if file)
            logger.warning(
                "%s: damaged; what it has of %d image(s) is made again", files, len(damaged)
            )

    def _write(self) -> None:
        write_files(
            self.scored.inputs,
            self.scored.rows,
            self._tables,
            self._outputs,
            self.scored.scoring.output,
            self.scored.origin,
        )


def _tell_undefined(scored: Scored, scenes: Scenes, outputs: Outputs) -> None:
    """Say why scores are undefined, where no table does, and how many sites have no place."""
    jobs = scored.jobs
    if not outputs.save and not scenes.sites:
        tabled = {id(s) for one in scored.inputs if one.kind == "directory" for s in one.places}
        told = [
            (job, job.scores["reason"])
            for job in jobs
            if job.scores and job.scores["reason"] and id(job.source) not in tabled
        ]
        for job, reason in told[:TOLD]:
            logger.warning("%s: %s", label(job.source), reason)
        if len(told) > TOLD:
            logger.warning("and %d more; `save` has all reasons", len(told) - TOLD)
    nowhere = sum(job.scores is not None and not job.scored for job in jobs)
    if nowhere and scenes.sites:
        name = scenes.sites.name
        logger.warning("%s: %d of %d sites are NaN, see `reason`", name, nowhere, len(jobs))
