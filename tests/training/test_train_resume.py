"""Training can be stopped anywhere, and goes on as if it had not been."""

import json
import logging
import os
import resource
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from training_runs import assert_same_state, history_of, state_of

from unetpred.errors import InputError, WriteError
from unetpred.training.records.log import RunLog


def test_killed_and_resumed_equals_straight(straight, interrupted):
    folder, done = interrupted.wait().folder, interrupted.resumed
    assert interrupted.killed == 10
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'best.weights.h5'}\theld-out structure {straight.best:.4f}\n"
    assert "going on from step 10 of 20" in done.stderr
    assert "unbroken" not in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("broken.png") == 1
    assert_same_state(state_of(folder), state_of(straight.folder))
    for name in ("best.weights.h5", "last.weights.h5"):
        with h5py.File(folder / name) as a, h5py.File(straight.folder / name) as b:
            keys: list[str] = []
            a.visit(keys.append)
            arrays = [key for key in keys if isinstance(a[key], h5py.Dataset)]
            assert len(arrays) > 20
            for key in arrays:
                np.testing.assert_array_equal(a[key][()], b[key][()])
    curves = ("step", "loss", "lr", "structure", "l1")
    assert [[row[c] for c in curves] for row in history_of(folder)] == [
        [row[c] for c in curves] for row in history_of(straight.folder)
    ]
    assert not [f for f in os.listdir(folder) if f.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_resumed(straight, tmp_path, number, monkeypatch, request):
    """Stopped by a signal after a step, the state is that of this step."""
    from unetpred.training.run import Stopped

    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 0)
    monkeypatch.setattr(
        straight._shipping, "_batches", list
    )  # how good what ships is, is no matter
    steps = []

    def train_on_batch(inputs, target):
        steps.append(straight.step)
        if len(steps) == 3:
            os.kill(os.getpid(), number)
        return float(straight.step)

    monkeypatch.setattr(straight.network, "train_on_batch", train_on_batch)
    handler = signal.getsignal(number)
    with pytest.raises(Stopped, match="step 3 of 20") as stopped:
        straight.train()
    assert stopped.value.number == number and steps == [0, 1, 2]
    assert state_of(tmp_path)[0]["step"] == 3
    assert (tmp_path / "last.weights.h5").exists()
    assert signal.getsignal(number) is handler

    monkeypatch.setattr(straight, "best", -np.inf)
    assert straight.resume(tmp_path)
    assert straight.step == 3
    if number == signal.SIGTERM:
        return
    straight.train()
    assert steps == list(range(3)) + list(range(3, 20))
    first, *rows = history_of(tmp_path)
    assert (first["step"], first["loss"]) == ("0", "") and float(first["structure_telea"]) < 1
    rows = [(int(row["step"]), float(row["loss"])) for row in rows]
    assert rows == [(3, 1), (5, 2), (10, 7), (15, 12), (20, 17)]  # as of a run that never stopped


@pytest.mark.slow
def test_stopped_before_the_first_step_at_once(straight, tmp_path, monkeypatch):
    from unetpred.training.run import Stopped

    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 0)

    def step(*arrays):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr(straight, "_train_on", step)
    started = time.monotonic()
    with pytest.raises(Stopped, match="before anything was done"):
        straight.train()
    assert time.monotonic() - started < 30 and not (tmp_path / "state.h5").exists()


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_state(straight, tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 18)
    monkeypatch.setattr(straight, "_train_on", lambda *arrays: 0.5)
    straight.save()
    before = (tmp_path / "state.h5").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        with pytest.raises(WriteError) as error:
            straight.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "could not be written (File too large)" in str(error.value)
    assert f"the last good checkpoint, of step 18, is kept in {tmp_path}" in str(error.value)
    assert (tmp_path / "state.h5").read_bytes() == before


@pytest.mark.slow
def test_structure_that_is_undefined_is_no_number(straight, tmp_path, monkeypatch, capfd, log):
    """As of photographs of one grey."""
    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "best", -np.inf)
    monkeypatch.setattr(straight.task, "_told", False)
    crops = np.full_like(straight.held_out.crops, 90)
    monkeypatch.setattr(straight.held_out, "crops", crops)
    board = RunLog(tmp_path)
    for step in (5, 10):
        monkeypatch.setattr(straight, "step", step)
        row = straight._measure(board, bool)
        assert np.isnan(row["structure"]) and np.isfinite(row["l1"])
    board.close()
    assert straight.best == -np.inf and (tmp_path / "best.weights.h5").exists()
    assert log.text.count("is undefined (each hole is of one colour)") == 1
    assert "Warning" not in capfd.readouterr().err


def test_another_vgg_is_named_where_the_loss_has_one(straight, tmp_path):
    from dataclasses import asdict, replace

    from unetpred.training.setup import changes

    small = Path("tests/data/vgg16_notop_random.h5").resolve()
    (tmp_path / "moved.h5").write_bytes(small.read_bytes())
    config = replace(straight.config, loss="upstream", window=None, vgg_weights=str(small))
    run = {"config": {**asdict(config), "vgg_weights": str(tmp_path / "moved.h5")}}
    assert changes(config, {}, run) == ""
    run["config"]["vgg_weights"] = None
    assert changes(config, {}, run) == f"vgg_weights {small} (was None)"
    assert changes(straight.config, {}, {"config": asdict(straight.config)}) == ""


@pytest.mark.slow
def test_resume_of_a_finished_run(straight, caplog):
    before = state_of(straight.folder)
    with caplog.at_level(logging.INFO):
        assert straight.resume()
        straight.train()
    assert "finished" in caplog.text
    assert_same_state(state_of(straight.folder), before)


def test_nothing_complete_to_resume(straight, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(straight, "folder", tmp_path)
    assert not straight.resume()
    assert "nothing to go on from" in caplog.text
    (tmp_path / "state.h5").write_bytes(straight.config.checkpoint_dir.encode())
    with pytest.raises(InputError, match=r"kept as state\.h5\.damaged-1"):
        straight.resume()
    with pytest.raises(InputError, match="no such file"):
        straight.resume(tmp_path / "other.h5")


def test_earlier_run_is_moved_aside(straight, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(straight, "folder", tmp_path)
    for number in (1, 2):
        (tmp_path / "state.h5").write_text(str(number))
        (tmp_path / "last.weights.h5").write_text("weights")
        straight.begin()
        assert (tmp_path / f"earlier-{number}" / "state.h5").read_text() == str(number)
        assert not (tmp_path / "state.h5").exists()
    assert "earlier-2" in caplog.text


def test_first_weights_that_cannot_be_read_leave_an_earlier_run(straight, tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight.config, "init", "nowhere.h5")
    (tmp_path / "state.h5").write_text("an earlier run")
    with pytest.raises(InputError, match=r"nowhere\.h5"):
        straight.begin()
    assert [path.name for path in tmp_path.iterdir()] == ["state.h5"]


def test_going_on_from_elsewhere_moves_an_earlier_run_aside(straight, tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "best", -np.inf)
    for name in ("state.h5", "best.weights.h5"):
        (tmp_path / name).write_text("an earlier run")
    elsewhere = Path(straight.config.checkpoint_dir)
    assert straight.resume(elsewhere)
    for name in ("state.h5", "best.weights.h5"):
        assert (tmp_path / "earlier-1" / name).read_text() == "an earlier run"
    assert straight.best == -np.inf  # of this folder, where there is no best one yet
    assert str(elsewhere) in straight._last_good("no number", [])


def test_leftovers_of_writers_that_are_gone(tmp_path):
    """Of a process that had our number too: in a container it may be the same after a restart."""
    from unetpred.training.records.checkpoints import remove_leftovers

    other = f".{os.getppid()}-abcdefghstate.h5"  # a process that is there
    gone = f".{os.getpid()}-abcdefghstate.h5", ".4194999-abcdefghlast.weights.h5"
    for name in (*gone, other, "state.h5"):
        (tmp_path / name).write_text("begun")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {other, "state.h5"}


def test_a_state_that_this_process_has_open(straight):
    """HDF5 refuses to open a file with a lock and without one at the same time."""
    from unetpred.training.records.checkpoints import read_run

    with h5py.File(straight.folder / "state.h5"):
        assert read_run(straight.folder / "state.h5")["step"] == 20


def test_state_of_another_network(straight, tmp_path):
    from unetpred.training.records.checkpoints import load_state, named_variables

    variables = named_variables(straight.network, straight.optimizer)
    del variables[f"optimizer/{len(straight.optimizer.variables) - 1}"]
    before = straight.network.get_weights()
    with pytest.raises(InputError, match="--preset and --ema"):
        load_state(straight.folder / "state.h5", variables)
    for a, b in zip(before, straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_states_of_the_first_trainer(straight, tmp_path, monkeypatch, request):
    """They have no fingerprint of the photographs."""
    from unetpred.training.records.checkpoints import read_run

    path = straight.folder / "first.h5"
    request.addfinalizer(path.unlink)
    path.write_bytes((straight.folder / "state.h5").read_bytes())
    with h5py.File(path, "a") as file:
        config = {"dataset_dir": "x", "preset": "lite", "correlation": 0.5, "init_from": None}
        file.attrs["run"] = json.dumps({"step": 20, "best": 0.25, "config": config})
    assert read_run(path)["step"] == 20
    monkeypatch.setattr(straight, "best", -np.inf)
    assert straight.resume(path)
    assert straight.best == 0.25
    # in another folder, where there is no network yet that good
    monkeypatch.setattr(straight, "best", -np.inf)
    monkeypatch.setattr(straight, "folder", tmp_path)
    assert straight.resume(path)
    assert straight.best == -np.inf
