"""What ships computes what the averaged training network computes in training."""

import keras
import numpy as np
import pytest

from unetpred.network.folding import SCALE, build_training_network, fold
from unetpred.network.model import Config
from unetpred.training.optimisation.losses import hole_loss
from unetpred.training.optimisation.optimizer import make_optimizer
from unetpred.training.records.exported import Shipping


@pytest.mark.slow
def test_statistics_belong_to_the_averaged_weights():
    keras.utils.set_random_seed(1)
    config = Config("released", 0.0625)
    network = build_training_network(config, 32, 32)
    optimizer = make_optimizer(0.02, 1e-4, 0.9)
    network.compile(optimizer, loss=hole_loss, jit_compile=False, run_eagerly=True)
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (4, 32, 32, 3)).astype("float32")
    mask = np.ones((4, 32, 32, 1), "float32")
    mask[:, 8:24, 8:24] = 0
    for _ in range(3):
        network.train_on_batch([image, mask], np.concatenate([image, 1 - mask], axis=-1))
    before = network.get_weights()

    shipped = Shipping(network, optimizer, lambda x: fold(x, config), lambda: [[image, mask]]).at(3)
    output = shipped.predict_on_batch([image * SCALE, mask]) / SCALE
    for a, b in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)

    optimizer.finalize_variable_values(network.trainable_variables)
    expected = keras.ops.convert_to_numpy(
        keras.ops.stop_gradient(network([image, mask], training=True))
    )
    assert np.abs(output - expected).max() < 1e-3 * expected.std()
