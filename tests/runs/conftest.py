"""What tests of runs that stop and go on share."""

import os
import signal

import numpy as np
import pytest

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
