"""What long runs are given where the user names no cluster."""

import pytest

from unetpred.runs.cluster import usual

FIVE_GB = 5 << 30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One of two cores, enough memory and no GPU, whatever this one is."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(usual, "GPU", tmp_path / "none")
    monkeypatch.setattr(usual, "free_memory", lambda: FIVE_GB)
    monkeypatch.setattr(usual.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    return monkeypatch


def test_a_long_run_of_lite(machine):
    assert usual.usual_cluster(5000, "lite") == "local"


@pytest.mark.parametrize(("count", "weights"), [(4999, "lite"), (10**6, "full"), (10**6, None)])
def test_short_runs_and_large_networks(machine, count, weights):
    assert usual.usual_cluster(count, weights) is None


def test_little_memory(machine):
    machine.setattr(usual, "free_memory", lambda: 4 << 30)
    assert usual.usual_cluster(5000, "lite") is None


def test_one_core(machine):
    machine.setattr(usual.os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert usual.usual_cluster(5000, "lite") is None


def test_a_gpu(machine, tmp_path):
    machine.setattr(usual, "GPU", tmp_path)
    assert usual.usual_cluster(5000, "lite") is None


def test_no_dask(machine):
    machine.setattr(usual, "find_spec", lambda name: None)
    assert usual.usual_cluster(5000, "lite") is None


def test_free_memory_is_that_of_the_machine():
    pytest.importorskip("distributed")
    with open("/proc/meminfo") as file:
        total = 1024 * int(file.readline().split()[1])
    assert 0 < usual.free_memory() <= total
