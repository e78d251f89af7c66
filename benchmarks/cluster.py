"""One process against workers of one thread each, and what a cluster adds to a picture."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unetpred.runs.cluster.connect import ONE_THREAD
from unetpred.runs.scoring.jobs import Outcome
from unetpred.runs.scoring.score_batch import ScoreWork

ROOT = Path(__file__).resolve().parent.parent
SIDE = 224


def run(options: argparse.Namespace) -> Iterator:
    """Measure, each way in a process of its own."""
    from benchmarks.tables import Table

    few, many = (40, 160) if options.quick else (1000, 20_000)
    count = 64 if options.quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        stack = _pictures(f"{folder}/s.npy", count, SIDE)
        ways = {
            "one process": _timed(stack, count, 0),
            "one process, one thread": _timed(stack, count, 0, ONE_THREAD),
            "a cluster of one worker": _timed(stack, count, 1),
            "a cluster of two workers": _timed(stack, count, 2),
        }
        alone = ways["one process, one thread"]["seconds"]
        one = ways["a cluster of one worker"]["seconds"]
        yield Table(
            "Workers",
            ("way", "ms per picture", "pictures/s", "times one worker"),
            [
                (name, 1000 * t["seconds"] / count, count / t["seconds"], one / t["seconds"])
                for name, t in ways.items()
            ],
            f"`lite`, {count} pictures of {SIDE} px from one array, from the first score to the "
            "last: what starts before it is not counted. A cluster of one worker takes "
            f"{1000 * abs(one - alone) / count:.2f} ms a picture "
            f"{'more' if one > alone else 'less'} than one process of one thread.",
        )
        sizes = {}
        for number in (few, many):
            tiny = _pictures(f"{folder}/t.npy", number, 84)
            sizes[number] = _timed(tiny, number, 1, {"NOTHING": "1"})
        yield Table(
            "What a cluster adds",
            ("pictures", "ms per picture", "client at the start, MB", "most, MB", "tasks at once"),
            [
                (n, 1000 * t["seconds"] / n, t["before"] / 1e6, t["most"] / 1e6, t["flying"])
                for n, t in sizes.items()
            ],
            "Pictures that one worker gives a number without looking at them: what is left is "
            "handing out the work, Dask, and keeping the rows. Memory is that of the client's "
            "process, in which the scheduler is too.",
        )


def _pictures(path: str, count: int, side: int) -> str:
    noise = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    np.save(path, noise)
    return path


class Nothing(ScoreWork):
    """Gives all pictures the same score."""

    def read(self, batch):
        """Nothing is read."""
        return batch

    def compute(self, read):
        """Nothing is computed."""
        return [Outcome({"structure": 0.5, "reason": ""}) for _ in read]


def _timed(path: str, count: int, workers: int, environment: dict | None = None) -> dict:
    words = [sys.executable, __file__, path, str(count), str(workers)]
    known = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    done = subprocess.run(words, env=known, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(path: str, count: int, workers: int) -> dict:
    """Score the first pictures of an array, and say how long it took."""
    import time

    import unetpred
    from unetpred.runs.cluster import run as cluster_run
    from unetpred.runs.cluster.connect import cluster_client

    seen: list[tuple[float, int]] = []
    flying, send = [0], cluster_run._Run._send

    def counted(self, parcel) -> None:
        flying[0] = max(flying[0], len(self._flying))
        send(self, parcel)

    cluster_run._Run._send = counted
    memory = [_resident()]

    def progress(done: int, total: int) -> None:
        seen.append((time.perf_counter(), done))
        memory.append(_resident())

    if os.environ.get("NOTHING"):
        from unetpred.runs.scoring import score_inputs as scoring

        scoring.ScoreWork = Nothing  # type: ignore[misc]
    with cluster_client(f"local:{workers}" if workers else None) as client:
        unetpred.score(path, weights="lite", progress=progress, client=client)
    # the first rows come when all workers have begun; from there on the pace is even
    first = next(i for i, (_, done) in enumerate(seen) if done >= count // 10)
    (start, before), (end, total) = seen[first], seen[-1]
    return {
        "seconds": (end - start) * count / (total - before),
        "before": memory[first],
        "most": max(memory),
        "flying": flying[0],
    }


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    from benchmarks.cluster import _measure  # so that workers find what is here by its name

    sys.stdout.write(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))) + "\n")
