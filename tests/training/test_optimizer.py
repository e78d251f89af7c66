"""The optimiser against the singular value decomposition and NumPy's recursion."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from unetpred.training.optimisation.optimizer import make_optimizer, orthogonal


def to_numpy(x):
    return np.array(ops.convert_to_numpy(x), "float64")


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (3, 3, 2, 40), (30, 30), (1, 1, 5, 9)])
def test_orthogonal_against_the_singular_value_decomposition(shape):
    """Same singular vectors, all singular values close to 1."""
    x = np.random.default_rng(0).normal(0, 3, shape).astype("float32")
    y = to_numpy(orthogonal(x)).reshape(-1, shape[-1])
    left, values, right = np.linalg.svd(x.reshape(-1, shape[-1]), full_matrices=False)
    inside = left.T @ y @ right.T
    strong = values > 0.02 * np.linalg.norm(values)
    assert strong.sum() >= len(values) - 2
    assert (np.diag(inside)[strong] > 0.6).all() and (np.diag(inside) < 1.3).all()
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=2e-3)


def polar(x):
    """The quintic of Newton and Schulz, as the blog post writes it."""
    x = x / np.linalg.norm(x)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def test_muon_against_numpy():
    rng = np.random.default_rng(1)
    start = rng.normal(0, 0.1, (3, 3, 4, 6)).astype("float32")
    variable = keras.Variable(start, name="kernel")
    optimizer = make_optimizer(0.01, 0.1, 0.0, "muon", clip=1e9)
    optimizer.build([variable])
    value, momentum = start.reshape(36, 6).astype("float64"), np.zeros((36, 6))
    for _ in range(3):
        gradient = rng.normal(0, 1, start.shape).astype("float32")
        optimizer.apply([ops.convert_to_tensor(gradient)])
        gradient = gradient.reshape(36, 6)
        momentum = 0.95 * momentum + 0.05 * gradient
        update = polar(0.05 * gradient + 0.95 * momentum)
        value = value * (1 - 0.01 * 0.1) - 0.01 * 0.2 * np.sqrt(36) * update
    np.testing.assert_allclose(to_numpy(variable.value).reshape(36, 6), value, atol=2e-5)


@pytest.mark.parametrize(
    ("kind", "shape"), [("adamw", (3, 3, 4, 6)), ("muon", (3, 3, 3, 6)), ("muon", (6,))]
)
def test_all_other_weights_are_those_of_adamw(kind, shape):
    """The first kernel, biases and, if so asked for, everything: AdamW's first step is the rate."""
    rng = np.random.default_rng(2)
    variable = keras.Variable(np.zeros(shape, "float32"), name="kernel")
    optimizer = make_optimizer(0.01, 0.0, 0.0, kind, clip=1e9)
    optimizer.build([variable])
    gradient = rng.normal(0, 1, shape).astype("float32")
    optimizer.apply([ops.convert_to_tensor(gradient)])
    np.testing.assert_allclose(to_numpy(variable.value), -0.01 * np.sign(gradient), rtol=1e-3)
