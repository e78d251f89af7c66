"""A training step of PyTorch's own calls against the one of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from unetpred.training.optimisation.optimizer import make_optimizer

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch only", allow_module_level=True)

import torch

from unetpred.network.vgg16 import vgg_model
from unetpred.training.optimisation.torch_step import TorchStep, Update

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


@pytest.fixture
def small():
    """A network of a few filters, with its loss and a batch."""
    from unetpred.network.folding import build_training_network
    from unetpred.network.model import Config
    from unetpred.training.optimisation.losses import hole_loss
    from unetpred.training.setup import prepare

    box = (8, 8, 24, 24)
    keras.utils.set_random_seed(0)
    network = build_training_network(Config("paper", 0.0625), 32, 32, box)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    masks = np.ones((2, 32, 32, 1), "uint8")
    masks[:, 10:20, 10:20] = 0
    return network, hole_loss, lambda *arrays: prepare(*arrays, box), (images, masks)


def test_steps_are_those_of_keras(small):
    network, loss, prepare, batch = small
    first = network.get_weights()
    losses = {}
    for way in ("keras", "ours"):
        network.set_weights(first)
        optimizer = make_optimizer(1e-3, 1e-4, 0.9)
        optimizer.build(network.trainable_variables)
        network.compile(optimizer, loss=loss)
        if way == "ours":
            step = TorchStep(network, loss, optimizer, prepare)
            losses[way] = [float(step(*batch)) for _ in range(4)]
        else:
            losses[way] = []
            for _ in range(4):
                network.reset_metrics()
                losses[way].append(float(network.train_on_batch(*prepare(*batch))))
    np.testing.assert_allclose(losses["ours"], losses["keras"], rtol=1e-4)
    assert losses["ours"][-1] < losses["ours"][0]


def test_no_number_is_taken_to_the_device(small, monkeypatch):
    """A GPU would wait for each, and could not have its calls recorded."""
    network, loss, prepare, batch = small
    vgg = vgg_model("tests/data/vgg16_notop_random.h5")
    optimizer = make_optimizer(1e-3, 1e-4, 0.9)
    optimizer.build(network.trainable_variables)
    weights = {"content": 0.1}
    step = TorchStep(network, lambda t, p: loss(t, p, weights, vgg), optimizer, prepare)
    step(*batch)
    step._inputs = [torch.from_numpy(array) for array in batch]
    made = []
    for name in ("tensor", "as_tensor", "from_numpy", "scalar_tensor"):
        real = getattr(torch, name)

        def spy(value, *args, real=real, **more):
            if not isinstance(value, torch.Tensor):
                made.append(value)
            return real(value, *args, **more)

        monkeypatch.setattr(torch, name, spy)
    step._take()
    assert made == []
