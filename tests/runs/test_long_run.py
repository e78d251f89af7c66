"""The one way to run long: batches, work, a sink."""

import pickle
import signal

import numpy as np
import pytest
from tables import table, write

from unetpred.commands.main import main
from unetpred.commands.options import with_options
from unetpred.evaluation.evaluate import Evaluator
from unetpred.holes.hole import Hole
from unetpred.holes.scenes import Scenes
from unetpred.images.inputs import list_inputs
from unetpred.runs.long_run import Work, run_batches
from unetpred.runs.scoring.jobs import Failures, Job, batches
from unetpred.runs.scoring.score_batch import ScoreWork, Scoring
from unetpred.runtime.interrupt import Stopped


class Squares(Work):
    def read(self, batch):
        return list(batch)

    def compute(self, read):
        return [value * value for value in read]


class Kept:
    def __init__(self, stop_after=None):
        self.rows, self._stop_after = {}, stop_after

    def put(self, batch, rows):
        self.rows |= dict(zip(batch, rows, strict=True))
        if len(self.rows) == self._stop_after:
            signal.raise_signal(signal.SIGTERM)

    def stopped(self, finished, total):
        return f"{finished} of {total}"


def test_every_batch_is_kept_in_order():
    kept, told = Kept(), []
    run_batches([[1, 2], [3]], Squares(), kept, 5, progress=lambda *seen: told.append(seen))
    assert kept.rows == {1: 1, 2: 4, 3: 9} and list(kept.rows) == [1, 2, 3]
    assert told == [(2, 5), (4, 5), (5, 5)]  # two were done before
    assert Squares()([3]) == [9]


def test_what_is_computed_is_kept_before_it_stops():
    kept = Kept(stop_after=2)
    with pytest.raises(Stopped, match="2 of 3") as stopped:
        run_batches([[1, 2], [3]], Squares(), kept)
    assert kept.rows == {1: 1, 2: 4} and stopped.value.number == signal.SIGTERM
    kept = Kept(stop_after=3)  # nothing is left to stop
    run_batches([[1, 2], [3]], Squares(), kept)
    assert len(kept.rows) == 3


def test_scores_of_a_batch_are_the_same_in_another_process(weights, pictures, tmp_path):
    """Work and batches travel; they change nothing of what they are given."""
    for i, picture in enumerate(pictures):
        write(tmp_path / f"{i}.png", picture)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:2000])
    (given,) = list_inputs(tmp_path)
    jobs = [Job(source, i, {}) for i, source in enumerate(given.sources)]
    scenes = Scenes(Hole(30))
    (batch,) = batches(jobs, scenes, None, Failures(tell=False))
    work = ScoreWork(Scoring(weights=weights, covariates=True), scenes, images=True)
    outcomes = work(batch)
    assert [bool(one.error) for one in outcomes] == [False, True, False]
    assert all(job.scores is job.error is None for job in jobs)
    sent, batch = pickle.loads(pickle.dumps((work, batch)))
    for one, other in zip(outcomes, sent(batch), strict=True):
        assert (one.scores, one.error) == (other.scores, other.error)
        for name in one.arrays:
            np.testing.assert_array_equal(one.arrays[name], other.arrays[name])


def test_messages_name_options():
    assert with_options("`size` 0, `shape`, `reason`") == "--mask_size 0, --mask_shape, `reason`"


@pytest.mark.slow
def test_an_evaluation_is_gone_on_with(weights, photographs, tmp_path, monkeypatch, capsys):
    arguments = ["evaluate", "--weights", weights, "--data_dir", str(photographs), "--holes", "30",
                 "--output", "structure", "--batch_size", "2", "--quiet"]  # fmt: skip
    assert main([*arguments, "--output_dir", str(tmp_path / "whole")]) == 0
    original, measured = Evaluator.compute, []

    def counted(self, crops):
        measured.append(len(crops))
        if len(measured) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(self, crops)

    monkeypatch.setattr(Evaluator, "compute", counted)
    again = [*arguments, "--output_dir", str(tmp_path / "b")]
    assert main(again) == 130
    err = capsys.readouterr().err
    assert "4 of 9 are finished" in err and "evaluation.csv.part" in err and "--resume" in err
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["evaluation.csv.part"]
    assert main([*again, "--resume", "--seed", "3"]) == 2
    assert "other settings (intervals: " in capsys.readouterr().err
    assert main([*again, "--resume"]) == 0 and len(measured) == 5  # of nine, in batches of two
    for name in ("evaluation.csv", "summary.csv"):
        assert table(tmp_path / "b" / name)[1] == table(tmp_path / "whole" / name)[1]
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {path.name for path in (tmp_path / "b").iterdir()} == names
