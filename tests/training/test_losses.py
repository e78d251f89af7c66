"""The upstream loss against the original code's values and against NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.network.vgg16 import CONTENT_LAYERS, LOSS_LAYERS, vgg_model
from unetpred.training.optimisation.losses import UPSTREAM_WEIGHTS, upstream_loss

DATA = Path(__file__).parents[1] / "data"
VGG_FILE = DATA / "vgg16_notop_random.h5"
NO_VGG = {"fft_content": 0, "fft_style": 0}


@pytest.fixture(scope="module")
def vgg():
    return vgg_model(VGG_FILE, LOSS_LAYERS)


@pytest.fixture(scope="module")
def oracle():
    with np.load(DATA / "upstream_loss.npz") as file:
        return dict(file)


def pair(seed, shape=(2, 21, 18, 3)):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-120, 150, shape).astype(np.float32)
    return true, (true + rng.normal(0, 40, shape)).astype(np.float32)


def value_and_gradient(function):
    """Give (true, pred) -> function's value and its gradient by pred, compiled where usual."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def both(true, pred):
            with tf.GradientTape() as tape:
                tape.watch(pred)
                value = function(true, pred)
            return value, tape.gradient(value, pred)

        def call(true, pred):
            value, gradient = both(tf.constant(true), tf.constant(pred))
            return float(value), gradient.numpy()
    elif backend == "jax":
        import jax

        both = jax.jit(jax.value_and_grad(function, argnums=1))

        def call(true, pred):
            value, gradient = both(true, pred)
            return float(value), np.asarray(gradient)
    else:
        import torch

        def call(true, pred):
            pred = torch.tensor(pred, requires_grad=True)
            value = function(torch.tensor(true), pred)
            value.backward()
            return float(value.detach()), pred.grad.numpy()

    return call


def numpy_f(true, pred, weights):
    """F of the whole batch, and its three means, in float64."""
    abs_, log, phase = 0.0, 0.0, 0.0
    for t, p in zip(true.astype(np.float64), pred.astype(np.float64), strict=True):
        t, p = np.fft.rfft2(t, axes=(0, 1)), np.fft.rfft2(p, axes=(0, 1))
        abs_ += np.mean(np.abs(np.abs(p) - np.abs(t)))
        log += np.mean(np.abs(np.log(np.abs(p) + 1e-7) - np.log(np.abs(t) + 1e-7)))
        phase += np.mean(np.abs(np.abs(p) * np.abs(t) - (p * np.conj(t)).real))
    parts = np.array([abs_, log, phase])
    return weights @ parts, parts


def numpy_style(true, pred):
    """S of one layer, in float64: the reshape without a transpose, as in the original."""

    def gram(image):
        magnitude = np.abs(np.fft.rfft2(image.astype(np.float64), axes=(0, 1)))  # (h,w',C)
        h, w, c = magnitude.shape
        f = magnitude.transpose(2, 0, 1).ravel().reshape(h * w, c)
        return f.T @ f / (h * w * c)

    return sum(np.abs(gram(p) - gram(t)).mean() for t, p in zip(true, pred, strict=True))


@pytest.mark.parametrize("given", ["file", "model"])
def test_every_term_equals_the_original_code(given, vgg, oracle):
    loss = upstream_loss(
        oracle["y_true"], oracle["y_pred"], vgg_weights=str(VGG_FILE) if given == "file" else vgg
    )
    expected = set(oracle) - {"y_true", "y_pred"}
    assert set(loss) == expected
    for name in expected:
        assert float(loss[name]) == pytest.approx(float(oracle[name]), rel=1e-4), name


@pytest.mark.parametrize("shape", [(2, 21, 18, 3), (1, 16, 23, 3)])
def test_terms_equal_numpy_under_other_weights(shape, vgg):
    from keras import ops

    true, pred = pair(0, shape)
    names = ("fft_abs", "fft_log", "fft_phase")
    weights = {name: 0.5 + i for i, name in enumerate(UPSTREAM_WEIGHTS)}
    loss = {name: float(v) for name, v in upstream_loss(true, pred, vgg, weights).items()}

    f_weights = np.array([weights[name] for name in names])
    fft_pixel, parts = numpy_f(true, pred, f_weights)
    gradients = [np.gradient(y.astype(np.float64), axis=(1, 2)) for y in (true, pred)]
    magnitudes = [np.sqrt(r**2 + c**2 + 1e-7)[:, 1:-1, 1:-1] for r, c in gradients]
    difference = (pred - true).astype(np.float64)
    features = [[ops.convert_to_numpy(layer) for layer in vgg(images)] for images in (true, pred)]
    layers = list(zip(*features, strict=True))
    expected = {
        **dict(zip([f"unit_{name}" for name in names], parts, strict=True)),
        "fft_pixel": fft_pixel,
        "fft_content": sum(numpy_f(t, p, f_weights)[0] for t, p in layers),
        "fft_style": sum(numpy_style(t, p) for t, p in layers),
        "content_l2": sum(
            ((p - t).astype(np.float64) ** 2).mean((1, 2, 3)).sum() for t, p in layers
        ),
        "tv": ((magnitudes[1] - magnitudes[0]) ** 2).mean((1, 2, 3)).sum(),
        "l1": np.abs(difference).mean((1, 2, 3)).sum(),
        "l2": (difference**2).mean((1, 2, 3)).sum(),
    }
    expected["total"] = sum(
        weights[name] * expected[name] for name in UPSTREAM_WEIGHTS if name in expected
    )
    assert set(loss) == set(expected)
    for name, value in expected.items():
        assert loss[name] == pytest.approx(value, rel=1e-3), name


def test_terms_are_sums_over_the_batch(oracle, vgg):
    true, pred = oracle["y_true"], oracle["y_pred"]
    whole = upstream_loss(true, pred, vgg)
    parts = [upstream_loss(true[i : i + 1], pred[i : i + 1], vgg) for i in range(2)]
    for name, value in whole.items():
        assert float(value) == pytest.approx(sum(float(part[name]) for part in parts), rel=1e-5)


def test_weighted_terms_leave_out_the_others_and_their_vgg(oracle, vgg):
    true, pred = oracle["y_true"], oracle["y_pred"]
    full = upstream_loss(true, pred, vgg)
    loss = upstream_loss(true, pred, vgg, terms="weighted")
    assert not {"tv", "l1", "l2", "content_l2"} & set(loss)
    assert float(loss["total"]) == pytest.approx(float(full["total"]), rel=1e-6)

    only = upstream_loss(true, pred, "absent.h5", {**NO_VGG, "l1": 2.0}, terms="weighted")
    expected = float(full["fft_pixel"]) + 2 * float(full["l1"])
    assert float(only["total"]) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(InputError, match=r"absent\.h5"):
        upstream_loss(true, pred, "absent.h5", terms="weighted")


@pytest.mark.slow
def test_gradient_is_finite_also_at_empty_spectra(oracle, vgg):
    zero = np.zeros_like(oracle["y_pred"])
    differentiate = value_and_gradient(lambda t, p: upstream_loss(t, p, vgg)["total"])
    for true, pred in (
        (oracle["y_true"], oracle["y_pred"]),
        (oracle["y_true"], zero),
        (oracle["y_true"], oracle["y_true"]),
        (zero, zero),
    ):
        value, gradient = differentiate(true, pred)
        assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["fft_abs", "fft_log", "fft_phase"])
@pytest.mark.parametrize("shape", [(1, 9, 12, 3), (1, 12, 9, 3)])
def test_gradient_of_f_equals_differences_of_numpy(name, shape):
    names = ("fft_abs", "fft_log", "fft_phase")
    true, pred = pair(1, shape)
    weights = {**dict.fromkeys(names, 0.0), **NO_VGG, name: 1.0}
    differentiate = value_and_gradient(
        lambda t, p: upstream_loss(t, p, None, weights, terms="weighted")["total"]
    )
    _, gradient = differentiate(true, pred)
    f_weights = np.array([float(n == name) for n in names])
    rng = np.random.default_rng(2)
    for _ in range(3):
        direction = rng.normal(size=shape)
        step = 1e-5 * direction
        slope = (
            numpy_f(true, pred + step, f_weights)[0] - numpy_f(true, pred - step, f_weights)[0]
        ) / 2e-5
        # A kink between the two ends would show as a larger error; there is none with this seed.
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert float((gradient * direction).sum()) == pytest.approx(slope, abs=1e-3 * scale)


def test_gradient_reaches_the_prediction_through_vgg(oracle, vgg):
    weights = dict.fromkeys(UPSTREAM_WEIGHTS, 0.0) | {"content_l2": 1.0}

    def loss(t, p):
        return upstream_loss(t, p, vgg, weights, terms="weighted")["total"]

    value, gradient = value_and_gradient(loss)(oracle["y_true"], oracle["y_pred"])
    step = 1e-2 * gradient / np.abs(gradient).max()
    after = float(loss(oracle["y_true"], oracle["y_pred"] - step.astype(np.float32)))
    assert value - after == pytest.approx(float((gradient * step).sum()), rel=0.05)


def test_half_precision_is_computed_in_float32(vgg):
    import keras

    # Half-precision numbers that are exact, with spectra beyond the largest one (65504).
    true, pred = (np.round(y) for y in pair(3, (1, 64, 64, 3)))
    true, pred = true + 60, pred + 60
    expected = upstream_loss(true, pred, vgg)
    halves = [keras.ops.cast(y, "float16") for y in (true, pred)]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        loss = upstream_loss(*halves, vgg_model(VGG_FILE, LOSS_LAYERS))
    finally:
        keras.config.set_dtype_policy(policy)
    for name, value in loss.items():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-5), name


def test_names_what_is_wrong(oracle):
    true, pred = oracle["y_true"], oracle["y_pred"]
    with pytest.raises(InputError, match=r"fft_sytle.*fft_style"):
        upstream_loss(true, pred, VGG_FILE, {"fft_sytle": 1})
    with pytest.raises(InputError, match="some"):
        upstream_loss(true, pred, VGG_FILE, terms="some")
    with pytest.raises(InputError, match=r"\(1, 64, 64, 3\)"):
        upstream_loss(true, pred[:1], VGG_FILE)
    with pytest.raises(InputError, match="LOSS_LAYERS"):
        upstream_loss(true, pred, vgg_model(VGG_FILE, CONTENT_LAYERS))
