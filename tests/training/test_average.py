"""Trained weights, and states of runs, to begin with."""

from dataclasses import replace

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.training.run import Run


@pytest.mark.slow
def test_trained_weights_as_first_weights(straight):
    """A network unfolded for training computes in inference what it did, in training nearly so."""
    from keras import ops

    from unetpred.network.folding import SCALE, build_training_network
    from unetpred.network.model import build_unetpred
    from unetpred.training.first_weights import initialise
    from unetpred.weights.files import save_weights

    config = straight.architecture
    model = build_unetpred(config.variant, config.width)
    rng = np.random.default_rng(1)
    model.set_weights(
        [w + rng.normal(0, 0.02, w.shape) * (w.ndim == 1) for w in model.get_weights()]
    )
    path = straight.folder / "first.weights.h5"
    save_weights(model, config, path)
    network = build_training_network(config, 32, 32)
    batches = [straight._inputs(step) for step in range(16)]
    batch = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    initialise(network, config, str(path), None, [batch])

    image, mask = batch
    expected = ops.convert_to_numpy(model([image * SCALE, mask])) / SCALE
    spread = expected.std()
    inference = ops.convert_to_numpy(network([image, mask], training=False))
    np.testing.assert_allclose(inference, expected, rtol=0, atol=1e-3 * spread)
    training = ops.convert_to_numpy(network([image, mask], training=True))
    np.testing.assert_allclose(training, expected, rtol=0, atol=0.05 * spread)

    other = build_training_network(type(config)("paper", 0.125), 32, 32)
    with pytest.raises(InputError, match=r"width 0\.25; one of variant paper and width 0\.125"):
        initialise(other, type(config)("paper", 0.125), str(path), None, [batch])


@pytest.mark.slow
def test_state_as_first_weights(straight):
    from unetpred.network.folding import build_training_network
    from unetpred.training.first_weights import initialise

    config = straight.architecture
    network = build_training_network(config, 32, 32)
    initialise(network, config, str(straight.folder / "state.h5"), None, [])
    for a, b in zip(network.get_weights(), straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_state_of_a_run_on_other_photographs(straight, tmp_path, caplog, monkeypatch):
    state = str(straight.folder / "state.h5")
    config = replace(straight.config, init=state)
    monkeypatch.setattr(straight, "config", config)
    straight._compare_photographs()
    assert not caplog.messages
    run = Run(replace(config, seed=5, checkpoint_dir=str(tmp_path / "run")))
    assert run.photographs.files != straight.photographs.files
    run.begin()
    assert any("held out here may be among them" in line for line in caplog.messages)
