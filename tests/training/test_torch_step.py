"""The optimiser's step on PyTorch's own calls against the one of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from unetpred.training.optimizer import make_optimizer

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch only", allow_module_level=True)

import torch

from unetpred.training.torch_step import Update

SHAPES = {
    "vblock1_conv_1/kernel": (3, 3, 3, 8),
    "vblock1_conv_2/kernel": (3, 3, 8, 8),
    "vblock7_conv_1/kernel": (3, 3, 8, 16),
    "vblock7_conv_1/bias": (16,),
}


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("ema", [0, 0.9])
def test_same_as_the_step_of_keras(kind, ema):
    def begin():
        variables = []
        for path, shape in SHAPES.items():
            value = np.random.default_rng(1).normal(size=shape).astype("float32")
            variables.append(keras.Variable(value, name=path.split("/")[1]))
            variables[-1]._path = path
        optimizer = make_optimizer(1e-2, 0.1, ema, kind, factors={"vblock1_": 0.3})
        optimizer.build(variables)
        return optimizer, variables

    (first, expected), (second, variables) = begin(), begin()
    update, rng = Update(second, variables), np.random.default_rng(0)
    for _ in range(12):
        gradients = [torch.tensor(rng.normal(size=s).astype("float32")) for s in SHAPES.values()]
        with torch.no_grad():
            first.apply([g.clone() for g in gradients], expected)
        update([g.clone() for g in gradients])
    for a, b in zip((*first.variables, *expected), (*second.variables, *variables), strict=True):
        a, b = (keras.ops.convert_to_numpy(v.value) for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
