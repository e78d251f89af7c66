"""What long runs are given where the user names no cluster."""

import pytest

from unetpred.errors import InputError
from unetpred.runs.cluster import connect, usual

FIVE_GB = 5 << 30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One of two cores, enough memory and no GPU, whatever this one is."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(usual, "GPU", tmp_path / "none")
    monkeypatch.setattr(usual, "free_memory", lambda: FIVE_GB)
    monkeypatch.setattr("dask.system.CPU_COUNT", 2)
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
    machine.setattr("dask.system.CPU_COUNT", 1)
    assert usual.usual_cluster(5000, "lite") is None


def test_a_gpu(machine, tmp_path):
    machine.setattr(usual, "GPU", tmp_path)
    assert usual.usual_cluster(5000, "lite") is None


def test_processes_that_cannot_be_started(machine, log):
    """Whoever asked for none gets the run all the same; who did is told why not."""

    def refused(**_):
        raise RuntimeError("Cluster failed to start: Timed out")

    machine.setattr("distributed.LocalCluster", refused)
    with connect.cluster_client("local", needed=False) as client:
        assert client is None
    assert "Dask cannot start (Cluster failed to start: Timed out); one process" in log.text
    with (
        pytest.raises(InputError, match="`cluster` local:3: Dask cannot start"),
        connect.cluster_client("local:3"),
    ):
        pass


def test_no_dask(machine):
    machine.setattr(usual, "find_spec", lambda name: None)
    assert usual.usual_cluster(5000, "lite") is None


def test_free_memory_is_that_of_the_machine():
    pytest.importorskip("distributed")
    with open("/proc/meminfo") as file:
        total = 1024 * int(file.readline().split()[1])
    assert 0 < usual.free_memory() <= total
