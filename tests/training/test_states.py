"""States and histories of training that are damaged: refused or left out, never deleted."""

import resource

import h5py
import keras
import numpy as np
import pytest

from unetpred.errors import InputError, WriteError
from unetpred.io.checksum import append_checksum, matches_checksum
from unetpred.training.records.checkpoints import (
    PREVIOUS,
    STATE,
    DamagedState,
    Diverged,
    last_state,
    load_state,
    read_run,
    write_state,
)
from unetpred.training.records.log import RunLog, read_history


@pytest.fixture
def variables(rng):
    shapes = {"network/0": (3, 3, 4, 8), "network/1": (8,), "optimizer/0": (3, 3, 4, 8)}
    return {name: keras.Variable(rng.random(s).astype("float32")) for name, s in shapes.items()}


@pytest.fixture
def folder(tmp_path, variables):
    """The folder of a run of two states, of steps 10 and 20."""
    for step in (10, 20):
        write_state(tmp_path / STATE, variables, {"step": step, "best": 0.5})
    return tmp_path


def flip(path, place, bits=0xFF):
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def test_the_last_two_states_are_kept(folder, variables):
    assert read_run(folder / STATE)["step"] == 20 and read_run(folder / PREVIOUS)["step"] == 10
    assert {path.name for path in folder.iterdir()} == {STATE, PREVIOUS}
    assert matches_checksum(folder / STATE) and last_state(folder) == folder / STATE
    before = {name: np.array(v.value) for name, v in variables.items()}
    for variable in variables.values():
        variable.assign(variable * 0)
    load_state(folder / STATE, variables)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable.value, before[name])


def test_any_damage_is_seen_and_nothing_is_deleted(folder, rng):
    size = (folder / STATE).stat().st_size
    flip(folder / STATE, size // 2)
    damaged = (folder / STATE).read_bytes()
    with pytest.raises(DamagedState, match="of step 10, is in its place: --resume again"):
        last_state(folder)
    assert (folder / f"{STATE}.damaged-1").read_bytes() == damaged
    assert last_state(folder) == folder / STATE and read_run(folder / STATE)["step"] == 10
    flip(folder / STATE, 3)
    with pytest.raises(DamagedState, match="no good one before it"):
        last_state(folder)
    assert {path.name for path in folder.iterdir()} == {f"{STATE}.damaged-{i}" for i in (1, 2)}
    assert last_state(folder) is None


def test_every_kind_of_damage(folder, rng):
    whole = (folder / STATE).read_bytes()
    for place in rng.integers(0, len(whole), 200):
        flip(folder / STATE, place, 1 << rng.integers(8))
        with pytest.raises(DamagedState):
            read_run(folder / STATE)
        (folder / STATE).write_bytes(whole)
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        (folder / STATE).write_bytes(whole[:size])
        if size < len(whole) - 100:  # without its check sum alone it is one of an older version
            with pytest.raises(DamagedState):
                read_run(folder / STATE)


def test_a_kill_between_the_two(folder):
    (folder / STATE).unlink()
    assert last_state(folder) == folder / STATE and read_run(folder / STATE)["step"] == 10


def test_a_file_of_another_name_is_left_where_it_is(folder):
    other = (folder / STATE).rename(folder / "mine.h5")
    flip(other, 5000)
    with pytest.raises(DamagedState):
        last_state(other)
    assert other.exists() and (folder / PREVIOUS).exists()
    with pytest.raises(InputError, match="no such file"):
        last_state(folder / "nothing.h5")


def test_states_without_a_check_sum_are_read(tmp_path, variables):
    path = tmp_path / STATE
    write_state(path, variables, {"step": 3})
    path.write_bytes(path.read_bytes()[:-82])
    assert matches_checksum(path) is None and read_run(path)["step"] == 3
    with h5py.File(path, "a") as file:
        file["network/1"][0] = np.nan
    before = np.array(variables["network/0"].value)
    with pytest.raises(InputError, match="network/1 holds NaN"):
        load_state(path, variables)
    np.testing.assert_array_equal(variables["network/0"].value, before)


def test_a_full_disk_leaves_both_states(folder, variables):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 3000, len(before[folder / STATE]) - 10):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
            with pytest.raises(WriteError, match=STATE):
                write_state(folder / STATE, variables, {"step": 30})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_weights_that_are_no_numbers_leave_both_states(folder, variables):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    variables["network/1"].assign(variables["network/1"] * np.nan)
    with pytest.raises(Diverged):
        write_state(folder / STATE, variables, {"step": 30})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_check_sums_of_any_file(tmp_path, rng):
    path = tmp_path / "a"
    for size in (0, 1, 81, 82, 5000):
        path.write_bytes(rng.bytes(size))
        assert matches_checksum(path) is None
        append_checksum(path)
        assert matches_checksum(path)
        assert path.stat().st_size == size + 82
        if size:
            flip(path, size - 1)
            assert matches_checksum(path) is False


HEAD = "step,loss,lr,structure,l1,content,images_per_second,waiting\n"
GOOD = "5,0.5,0.001,,,,10.0,0.1\n10,0.4,0.001,0.3,20.0,,10.0,0.1\n"


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe,1,1\n",
        b"15,0.\x00,1,,,,1,1\n",
        b'1"5,0.4\n',
        b"\xb2,1,1,,,,1,1\n",
        b"15,zero,1,,,,1,1\n",
    ],
    ids=str,
)
def test_a_damaged_history_is_kept_beside_the_good_rows(tmp_path, caplog, damage):
    path = tmp_path / "history.csv"
    content = (HEAD + GOOD).encode() + damage
    path.write_bytes(content)
    assert [row["step"] for row in read_history(path)] == ["5", "10"]
    RunLog(tmp_path, 20).close()
    assert (tmp_path / "history.csv.damaged-1").read_bytes() == content
    assert "history.csv.damaged-1" in caplog.text
    assert [row["step"] for row in read_history(path)] == ["5", "10"]
    caplog.clear()
    RunLog(tmp_path, 20).close()
    assert "damaged" not in caplog.text


def test_a_history_without_its_head(tmp_path):
    (tmp_path / "history.csv").write_text(GOOD)
    RunLog(tmp_path, 20).close()
    assert (tmp_path / "history.csv.damaged-1").read_text() == GOOD
    assert read_history(tmp_path / "history.csv") == []


def test_a_run_without_a_state_begins_its_history_anew(tmp_path):
    """It was killed before its first checkpoint, and step 0 is measured again."""
    for _ in range(2):
        log = RunLog(tmp_path)
        log.record({"step": 0, "structure": 0.25})
        log.close()
    rows = read_history(tmp_path / "history.csv")
    assert [(row["step"], row["structure"]) for row in rows] == [("0", "0.25")]
