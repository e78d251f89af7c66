"""Training on several devices gives what training on one does."""

import os
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest
from training_runs import ROOT, SMALL, command, state_of

from unetpred.errors import InputError
from unetpred.training.config import TrainConfig


def test_other_backends_say_so(photographs, tmp_path):
    import keras

    from unetpred.training.run import Run

    if keras.backend.backend() == "jax":
        pytest.skip("it is JAX")
    config = TrainConfig(str(photographs), str(tmp_path / "run"), **SMALL, devices="all")
    with pytest.raises(InputError, match=r"--devices all: .* JAX alone, .* KERAS_BACKEND=jax"):
        Run(config)
    with pytest.raises(InputError, match="devices is 'two'; all, or at least 1"):
        TrainConfig("d", devices="two")
    with pytest.raises(InputError, match="devices is 0; all, or at least 1"):
        TrainConfig("d", devices=0)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("jax"), reason="needs JAX")
def test_two_devices_are_one(photographs, tmp_path):
    """Twenty steps on two virtual devices of the processor."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": str(ROOT),
    }
    more = ["--lr", 1e-4, "--batch_size", 4, "--quiet"]

    def train(name, *options):
        words = command(photographs, tmp_path / name, *more, *options)
        return subprocess.run(words, env=environment, capture_output=True, text=True)

    one, two = train("one"), train("two", "--devices", "all")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    (run, values), (other, others) = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    assert run["step"] == other["step"] == 20 and values.keys() == others.keys()
    network = [name for name in values if not name.startswith("optimizer/")]
    assert len(network) > 20
    for name, value in values.items():
        # momenta are gradients, which are larger than what is left of them in the weights
        bound = 1e-5 if name in network else 1e-4
        np.testing.assert_allclose(value, others[name], atol=bound, rtol=1e-5, err_msg=name)
    # the state of two devices is gone on with on one, and the other way round
    assert train("two", "--resume", "--epochs", 3, "--devices", 1).returncode == 0
    wrong = train("three", "--devices", 3)
    assert wrong.returncode == 2 and "--devices 3: there are 2: cpu:0, cpu:1" in wrong.stderr
    wrong = train("three", "--devices", 2, "--batch_size", 3)
    assert wrong.returncode == 2 and "a multiple of 2 is needed for 2 devices" in wrong.stderr
