"""The network as trained equals the network as shipped."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from unetpred.network.folding import SCALE, build_training_network, fold
from unetpred.network.model import Config, _normalisation, build_hole_model
from unetpred.network.partial_convolution import PConv2D

WIDTH = 0.125
SIZE = {"paper": (64, 96), "released": (64, 80)}


def randomise(model, seed):
    """Give every kernel, statistic, gamma and beta values far from where they start."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, PConv2D):
            kernel, *bias = layer.get_weights()
            scale = np.sqrt(2 / np.prod(kernel.shape[:3]))
            layer.set_weights(
                [rng.normal(0, scale, kernel.shape), *(rng.normal(0, 0.3, b.shape) for b in bias)]
            )
        elif layer.get_weights():
            count = layer.get_weights()[0].shape
            gamma = rng.uniform(0.5, 1.5, count) * rng.choice([-1, 1], count)
            beta, mean = rng.normal(0.3, 1, count), rng.normal(0, 0.5, count)
            layer.set_weights([gamma, beta, mean, rng.uniform(0.3, 2, count)])
    return model


@pytest.mark.parametrize("variant", SIZE)
def test_fold_equals_the_training_network(compute, picture, variant):
    config, size = Config(variant, WIDTH), SIZE[variant]
    training = randomise(build_training_network(config, *size), seed=1)
    shipped = fold(training, config)
    image, mask = picture(2, *size, batch=2)
    mask[1] = 0  # almost nothing visible: windows stay empty down to the last pooling
    mask[1, :20, :12] = 1
    expected = SCALE * compute(training, image / np.float32(SCALE), mask)
    result = compute(shipped, image, mask)
    assert result.shape == expected.shape == (2, *size, 3)
    for n in range(2):
        np.testing.assert_allclose(result[n], expected[n], rtol=0, atol=1e-4 * expected[n].std())
    # the shipped network is the published one: nothing but partial convolutions has weights
    assert all(isinstance(layer, PConv2D) for layer in shipped.layers if layer.weights)


@pytest.mark.parametrize(
    ("variant", "window"),
    [
        ("paper", (6, 22, 58, 74)),
        ("paper", (0, 0, 20, 96)),
        ("paper", (33, 51, 64, 96)),
        ("released", (6, 14, 58, 66)),
        ("released", (17, 0, 64, 9)),
    ],
)
def test_fold_equals_the_training_network_of_a_window(compute, picture, variant, window):
    config, size = Config(variant, WIDTH), SIZE[variant]
    training = randomise(build_training_network(config, *size, window), seed=3)
    shipped = fold(training, config)
    image, mask = picture(4, *size)
    top, left, bottom, right = window
    expected = SCALE * compute(training, image / np.float32(SCALE), mask)
    whole = compute(shipped, image, mask)
    part = compute(build_hole_model(shipped, *size, window), image, mask)
    for result in (whole[:, top:bottom, left:right], part):
        assert result.shape == expected.shape == (1, bottom - top, right - left, 3)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4 * expected.std())


def test_window_changes_no_weight():
    config = Config("paper", 0.0625)
    whole = build_training_network(config, 64, 64)
    part = build_training_network(config, 64, 64, (6, 6, 58, 58))
    assert [w.path.split("/", 1)[-1] for w in whole.weights] == [
        w.path.split("/", 1)[-1] for w in part.weights
    ]


@pytest.mark.parametrize("variant", SIZE)
def test_output_layer_starts_as_identity(compute, picture, variant):
    model = build_training_network(Config(variant, WIDTH), *SIZE[variant])
    kernel, bias = model.get_layer("block10").get_weights()
    identity = np.zeros((3, 3, 3, 3))
    identity[1, 1] = np.eye(3)
    np.testing.assert_array_equal(kernel[:, :, -3:], identity)
    np.testing.assert_array_equal(bias, 0)
    features = kernel[:, :, :-3]
    assert 0 < features.std() < 0.15 * np.sqrt(2 / np.prod(kernel.shape[:3]))

    kernel[:, :, :-3] = 0  # with silent features, what is seen comes out as it went in
    model.get_layer("block10").set_weights([kernel, bias])
    image, mask = picture(5, *SIZE[variant])
    mask[:] = 1
    mask[:, 20:40, 30:50] = 0
    image /= SCALE
    output = compute(model, image, mask)
    seen = np.ones(SIZE[variant], bool)  # the whole 3x3 window is visible
    seen[[0, -1]] = seen[:, [0, -1]] = False
    seen[19:41, 29:51] = False
    np.testing.assert_allclose(output[0][seen], image[0][seen], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(output[:, 20:40, 30:50], 0)


def test_half_precision_training_gives_float32_out(compute, picture):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_training_network(Config("released", 0.0625), 48, 48)
    finally:
        keras.config.set_dtype_policy(before)
    image, mask = picture(6, 48, 48)
    assert keras.backend.standardize_dtype(model.outputs[0].dtype) == "float32"
    assert np.all(np.isfinite(compute(model, image / np.float32(SCALE), mask)))


@pytest.mark.parametrize(("variant", "size"), [("paper", (64, 80)), ("released", (72, 64))])
def test_crops_must_be_multiples(variant, size):
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}.*{Config(variant).multiple}"):
        build_training_network(Config(variant, WIDTH), *size)


def test_normalisation_uses_the_batch_and_follows_it():
    """One training pass of the layer that the backend gets, against NumPy."""
    rng = np.random.default_rng(7)
    x = rng.normal(1, 2, (4, 6, 5, 3)).astype("float32")
    gamma, beta, mean, variance = (rng.uniform(0.5, 2, 3).astype("float32") for _ in range(4))
    layer = _normalisation("norm")
    layer.build(x.shape)
    layer.set_weights([gamma, beta, mean, variance])

    still = keras.ops.convert_to_numpy(layer(x, training=False))
    expected = (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta
    np.testing.assert_allclose(still, expected, rtol=1e-4, atol=1e-4)

    moving = keras.ops.convert_to_numpy(layer(x, training=True))
    m, v = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - m) / np.sqrt(v + layer.epsilon) * gamma + beta
    np.testing.assert_allclose(moving, expected, rtol=1e-4, atol=1e-4)
    _, _, new_mean, new_variance = layer.get_weights()
    step = 1 - layer.momentum
    np.testing.assert_allclose(new_mean, mean + step * (m - mean), rtol=1e-5)
    np.testing.assert_allclose(new_variance, variance + step * (v - variance), rtol=1e-5)

    layer.trainable = False  # frozen: the statistics hold still
    frozen = keras.ops.convert_to_numpy(layer(x, training=True))
    expected = (x - new_mean) / np.sqrt(new_variance + layer.epsilon) * gamma + beta
    np.testing.assert_allclose(frozen, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(layer.get_weights()[2], new_mean)
