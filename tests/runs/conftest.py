"""What tests of runs that stop and go on, and of clusters, share."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tables import write

from unetpred.scoring.predictor import Predictor


@pytest.fixture
def stack(pictures):
    return np.concatenate([pictures, pictures[:, ::-1], pictures[:, :, ::-1]])  # (9,100,120,3)


@pytest.fixture
def scored(monkeypatch):
    """Count the images that are scored; stop by a signal after so many batches."""

    class Counter:
        images, stop_after, signal = 0, None, signal.SIGINT

    counter, original = Counter(), Predictor.score

    def score(self, images, *args, **kwargs):
        counter.images += len(images)
        result = original(self, images, *args, **kwargs)
        if counter.stop_after is not None:
            counter.stop_after -= 1
            if counter.stop_after == 0:
                counter.stop_after = None
                os.kill(os.getpid(), counter.signal)
        return result

    monkeypatch.setattr(Predictor, "score", score)
    return counter


@pytest.fixture(scope="module")
def client():
    """Two workers of one thread in this process, which start at once."""
    import dask
    from distributed import Client

    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        Client(
            processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as found,
    ):
        yield found


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Wait for what a test has left to the workers of `client`, which change the folder."""
    yield
    if "client" not in request.fixturenames:
        return
    from unetpred.runs.cluster import worker

    client, latest = request.getfixturevalue("client"), time.monotonic() + 30
    while any(client.processing().values()) and time.monotonic() < latest:
        time.sleep(0.05)
    with worker._lock:
        pass


@pytest.fixture
def folder(run, pictures):
    """Pictures of two sizes, a broken one, an array."""
    for i in range(9):
        write(f"d/{i}.png", np.roll(pictures[i % 3], 7 * i, 0)[: 100 - 4 * (i % 2)])
    Path("d/5b.png").write_text("no picture")
    np.save("s.npy", pictures)
    return ["d", "s.npy"]
