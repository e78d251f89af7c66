"""A cluster of which something is lost, hangs or is wrong."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tables import table, write

import unetpred
from unetpred import InputError
from unetpred.commands.main import main
from unetpred.errors import ClusterError
from unetpred.runs.cluster import connect, worker
from unetpred.runs.cluster import run as cluster_run
from unetpred.runs.long_run import run_batches
from unetpred.runs.scoring import score_inputs as scoring
from unetpred.runtime.interrupt import Stopped

pytest.importorskip("distributed")
from cluster_works import Kept, OnceDeadly, Squares


def test_few_tasks_are_on_their_way(client, monkeypatch):
    flying, send = [], cluster_run._Run._send

    def counted(self, parcel):
        flying.append(len(self._flying))
        send(self, parcel)

    monkeypatch.setattr(cluster_run._Run, "_send", counted)
    batches = [list(range(n, n + 8)) for n in range(0, 8000, 8)]
    kept = Kept()
    run_batches(batches, Squares(slow=0, seconds=0.5), kept, client=client)
    assert kept.rows == {n: n * n for n in range(8000)} and list(kept.rows) == sorted(kept.rows)
    assert max(flying) == cluster_run.AHEAD * 2 and len(flying) < 200


def test_what_is_there_is_kept_when_it_stops(client):
    batches = [[n] for n in range(100)]
    kept = Kept(after=10)
    with pytest.raises(Stopped, match="of 100 are kept") as stopped:
        run_batches(batches, Squares(), kept, client=client)
    assert len(kept.rows) == 10 and stopped.value.number == signal.SIGTERM
    asked = []  # nobody waits for a task that takes long
    timer = threading.Timer(0.5, lambda: (asked.append(1), os.kill(os.getpid(), signal.SIGINT)))
    timer.start()
    with pytest.raises(Stopped, match=r"[0-9]+ of 100 are kept"):
        run_batches(batches, Squares(slow=60, seconds=2), Kept(), client=client)
    assert asked
    with worker._lock:  # it is over there too
        pass


# as Python, PyTorch and JAX say it
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        ValueError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
    ],
)
def test_too_little_memory(client, error):
    kept, work = Kept(), Squares(large=90, error=error)
    with pytest.raises(ClusterError, match=r"too little memory; a smaller `batch_size` .*are kept"):
        run_batches([[n] for n in range(99)], work, kept, client=client)
    assert kept.rows.keys() <= set(range(90))


def test_other_errors_of_workers_are_raised(client):
    kept, work = Kept(), Squares(large=90, error=RuntimeError("of another kind"))
    with pytest.raises(RuntimeError, match="of another kind"):
        run_batches([[n] for n in range(99)], work, kept, client=client)


def test_workers_that_wait_for_memory_are_named():
    class Paused:
        def scheduler_info(self):
            return {"workers": {"b": {"status": "paused"}, "a": {"status": "running"}}}

    assert connect.paused_workers(Paused()) == ["b"]


def test_a_running_cluster_goes_on(client, run, pictures, weights):
    write("a.png", pictures[0])
    alone = run("--input", "a.png")
    # as `dask scheduler` writes it; the client's own way fails on what workers have measured
    about = {"type": "Scheduler", "address": client.scheduler.address, "workers": {}}
    Path("scheduler.json").write_text(json.dumps(about))
    for where in (client.scheduler.address, "scheduler.json"):
        assert run("--input", "a.png", "--cluster", where) == alone
        assert client.submit(abs, -1).result(timeout=5) == 1


def test_a_worker_that_hangs(client):
    import dask

    kept = Kept()
    with (
        # longer than a busy machine takes for a square
        dask.config.set({"unetpred.patience": 2.5}),
        pytest.raises(ClusterError, match=r"nothing has come for 2\.5 s from inproc.*are kept"),
    ):
        run_batches([[n] for n in range(9)], Squares(slow=7, seconds=5), kept, client=client)
    assert list(kept.rows) == list(range(7))


@pytest.mark.slow
def test_a_scheduler_that_goes():
    from distributed import Client, LocalCluster

    with LocalCluster(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        client = Client(cluster.scheduler_address, timeout=2, set_as_default=False)
        kept = Kept(after=5, then=cluster.close)
        with pytest.raises(ClusterError, match=r"inproc://.* is gone; [0-9]+ of 99 are kept"):
            run_batches([[n] for n in range(99)], Squares(), kept, client=client)
        client.close(timeout=1)


def test_wrong_clusters_say_what_is_right(run, pictures, monkeypatch):
    monkeypatch.setattr(connect, "ANSWER", 0.3)
    write("a.png", pictures[0])
    for where, what in (
        ("local:0", "local:N with a number"),
        ("local:x", "local:N with a number"),
        ("nowhere", "tcp://HOST:PORT or a scheduler's file is right"),
        ("tcp://127.0.0.1:9", "no scheduler answers there"),
    ):
        code, out, err = run("--input", "a.png", "--cluster", where)
        assert (code, out) == (2, []) and what in err and len(err.splitlines()) == 1, err
        assert f"--cluster {where}" in err
    with pytest.raises(InputError, match=r"dask\.distributed\.Client is right"):
        unetpred.score("a.png", client="tcp://127.0.0.1:9")
    monkeypatch.setattr(connect, "find_spec", lambda name: None)
    assert r"pip install 'unetpred[cluster]'" in run("--input", "a.png", "--cluster", "local")[2]


def test_other_versions_are_refused(client, run, weights, pictures, monkeypatch):
    write("a.png", pictures[0])
    monkeypatch.setattr(worker, "_works", type(worker._works)())
    monkeypatch.setattr(worker, "versions", lambda: {"keras": "2.0"})
    with pytest.raises(InputError, match=r"a worker has keras 2\.0, and here it is 3"):
        unetpred.score("a.png", weights=weights, client=client)


# -- processes of their own -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("work", [None, OnceDeadly])
def test_two_processes(folder, run, weights, work, monkeypatch):
    """As one process, also where one of them is killed on the way."""
    assert run("--input", *folder, "--save", "one.csv", "--batch_size", 2)[0] == 1
    monkeypatch.setattr(scoring, "ScoreWork", work or scoring.ScoreWork)
    arguments = ["--input", *folder, "--batch_size", 2, "--save"]
    code, out, err = run(*arguments, "two.csv", "--cluster", "local:2")
    assert code == 1 and len(out) == 10, err
    assert table("two.csv")[1] == table("one.csv")[1]
    assert Path("died").exists() == (work is not None)
    told = [line for line in err.splitlines() if " images (" not in line]  # how far it is
    assert len(told) == 1 and "5b.png" in told[0]


@pytest.mark.slow
def test_workers_of_ours_that_hang_start_anew():
    import dask

    kept, started = Kept(), time.monotonic()
    with (
        dask.config.set({"unetpred.patience": 20}),
        connect.cluster_client("local:2") as client,
        pytest.raises(ClusterError, match=r"nothing has come for 20 s from .*are kept"),
    ):
        run_batches([[n] for n in range(9)], Squares(slow=7, seconds=999), kept, client=client)
    assert list(kept.rows) == list(range(7)) and time.monotonic() - started > 55


@pytest.mark.slow
def test_what_kills_its_worker_three_times_is_left_out(monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    kept = Kept()
    batches = [list(range(n, n + 4)) for n in range(0, 24, 4)]
    with connect.cluster_client("local:2") as client:
        # Dask's own would have each operation give its memory back to the system
        assert set(client.run(os.getenv, "MALLOC_TRIM_THRESHOLD_").values()) == {None}
        run_batches(batches, Squares(deadly=9), kept, client=client)
    assert kept.rows.pop(9).startswith("3 workers died of it")
    assert kept.rows == {n: n * n for n in range(24) if n != 9}


def test_the_command_line_says_it(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert "--cluster local[:N]|ADDRESS" in capsys.readouterr().out


def test_processes_that_cannot_be_started(monkeypatch):
    pytest.importorskip("distributed")

    def refused(**_):
        raise RuntimeError("Cluster failed to start: Timed out")

    monkeypatch.setattr("distributed.LocalCluster", refused)
    with (
        pytest.raises(InputError, match="`cluster` local:3: Dask cannot start"),
        connect.cluster_client("local:3"),
    ):
        pass
