"""The loss our weights are trained with against NumPy, and the loss of a run."""

from pathlib import Path

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.training.config import TrainConfig
from unetpred.training.optimisation.losses import HOLE_STD, hole_loss

VGG_FILE = Path(__file__).parents[1] / "data" / "vgg16_notop_random.h5"


def numpy_hole_loss(true, pred, hidden, l1=1, correlation=0.5, hue=0.5):
    losses = []
    for t, p, h in zip(true, pred, hidden, strict=True):
        t, p = t[h == 1].astype("float64"), p[h == 1].astype("float64")  # (pixels,BGR)
        blue, green, red = (p - t).mean(0)
        axes = abs(red - blue) / 2 + abs(green - (red + blue) / 2)
        t, p = t.ravel(), p.ravel()
        covariance = np.mean((t - t.mean()) * (p - p.mean()))
        r = covariance / np.sqrt((t.var() + HOLE_STD**2) * (p.var() + HOLE_STD**2))
        losses.append(l1 * np.abs(t - p).mean() + correlation * (1 - r) + hue * axes)
    return np.mean(losses)


def test_hole_loss_against_numpy():
    from keras import ops

    rng = np.random.default_rng(0)
    true = rng.normal(0, 1, (4, 9, 11, 3)).astype("float32")
    pred = (true + rng.normal(0, 1, true.shape)).astype("float32")
    hidden = (rng.random((4, 9, 11)) < 0.4).astype("float32")
    true[1] = 0.5  # a constant patch
    both = np.concatenate([true, hidden[..., None]], axis=-1)
    for weights in ({}, {"l1": 0, "correlation": 2}, {"correlation": 0, "hue": 3}):
        expected = numpy_hole_loss(true, pred, hidden, **weights)
        value = float(ops.convert_to_numpy(hole_loss(both, pred, weights)))
        assert value == pytest.approx(expected, rel=1e-5)
    pred[hidden == 0] += 100  # what is visible does not count
    assert float(ops.convert_to_numpy(hole_loss(both, pred))) == pytest.approx(
        numpy_hole_loss(true, pred, hidden), rel=1e-5
    )
    nothing = np.zeros((2, 4, 4, 4), "float32")
    assert float(ops.convert_to_numpy(hole_loss(nothing, nothing[..., :3]))) == 0.5
    with pytest.raises(InputError, match="unknown loss weights l2"):
        hole_loss(both, pred, {"l2": 1})


def test_upstream_loss_of_a_run_is_the_upstream_loss():
    from keras import ops

    from unetpred.training.optimisation.losses import upstream_loss
    from unetpred.training.setup import loss_vgg, make_loss

    rng = np.random.default_rng(0)
    true, pred = (rng.uniform(-2, 2, (2, 32, 32, 3)).astype("float32") for _ in range(2))
    weights = {"l1": 3.0, "fft_style": 0.1}
    config = TrainConfig(
        "x", loss="upstream", loss_weights=weights, vgg_weights=str(VGG_FILE), image_size=32
    )
    assert config.box == (0, 0, 32, 32)
    value = make_loss(config, loss_vgg(config))(
        np.concatenate([true, true[..., :1]], axis=-1), pred
    )
    expected = upstream_loss(64 * true, 64 * pred, VGG_FILE, weights)["total"]
    assert float(ops.convert_to_numpy(value)) == pytest.approx(
        float(ops.convert_to_numpy(expected)), rel=1e-5
    )


def test_upstream_loss_without_its_vgg_terms_needs_no_vgg():
    off = {"fft_content": 0.0, "fft_style": 0.0}
    assert not TrainConfig("x", loss="upstream", loss_weights=off).loss_needs_vgg
    assert TrainConfig("x", loss="upstream", loss_weights={"fft_style": 0.0}).loss_needs_vgg
    assert not TrainConfig("x").loss_needs_vgg


def test_content_in_the_loss_is_the_score_of_the_middle():
    """Of the filled-in image, holes anywhere; against the score, whose values the oracle checks."""
    from keras import ops

    from unetpred.images.colour import from_network
    from unetpred.network.vgg16 import vgg_model
    from unetpred.scoring.scores import content

    rng = np.random.default_rng(0)
    true, pred = (rng.uniform(-1.5, 1.5, (2, 64, 64, 3)).astype("float32") for _ in range(2))
    hidden = (rng.random((2, 64, 64, 1)) < 0.5).astype("float32")
    vgg = vgg_model(VGG_FILE)
    both = np.concatenate([true, hidden], axis=-1)
    off = {"l1": 0, "correlation": 0, "hue": 0}
    value = hole_loss(both, pred, {**off, "content": 3}, vgg)
    filled = np.where(hidden == 1, pred, true)
    middle = (slice(None), slice(6, 58), slice(6, 58))
    expected = content(from_network(64 * filled[middle]), from_network(64 * true[middle]), vgg)
    assert float(ops.convert_to_numpy(value)) == pytest.approx(3 * expected.total.mean(), rel=1e-4)
    assert TrainConfig("x", loss_weights={"content": 0.1}).loss_needs_vgg
