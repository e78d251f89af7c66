"""Progress without a terminal: lines in the log."""

import logging
import time

import pytest

from unetpred.runtime import expected as expecting
from unetpred.runtime.expected import Expected
from unetpred.runtime.progress import Lines, duration, reporting


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5400, "90 min"), (12000, "3 h 20 min")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_lines_come_by_themselves_and_say_how_far_it_is(caplog):
    caplog.set_level(logging.INFO, logger="unetpred")
    with Lines(100, "image", every=0.05) as lines:
        lines.update(20)  # of an earlier run
        lines.update(8)
        lines.set_postfix(loss="0.5000", refresh=False)
        time.sleep(0.12)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0] == "28 of 100 images (28 %) after 0 s, about 0 s left, loss 0.5000"
    time.sleep(0.12)
    assert len(caplog.records) == 2  # no more


def test_the_time_left_counts_what_this_run_has_done(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lines = Lines(100, "place")
    lines.update(50)
    now[0] += 60
    assert lines.line() == "50 of 100 places (50 %) after 60 s"
    lines.update(10)
    assert lines.line() == "60 of 100 places (60 %) after 60 s, about 4 min left"
    assert Lines(None, "image").line() == "0 images after 0 s"


@pytest.mark.parametrize("progress, kind", [(None, Lines), (False, None)])
def test_quiet_runs_have_none(progress, kind):
    bar = reporting(10, "image", progress)  # stderr is no terminal here
    assert isinstance(bar, Lines) == (kind is Lines)
    bar.close()


def test_long_runs_are_told_of_once_with_what_helps(monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="unetpred")
    now = [0.0]
    monkeypatch.setattr(expecting.time, "monotonic", lambda: now[0])
    expected = Expected(1000, "place", "; lite is faster")
    for _ in range(20):
        expected.done(8)
        now[0] += 4
    told = [record.getMessage() for record in caplog.records]
    # the first eight were compiled for; eight more took 4 s, and 984 are left
    assert told == ["984 places are left, which take about 8 min; lite is faster"]
    short = Expected(30, "place", "; lite is faster")
    for _ in range(3):
        short.done(8)
        now[0] += 2
    assert len(caplog.records) == 1
