"""First weights that fill a hole with what surrounds it."""

import keras
import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.folding import SCALE, build_training_network, fold
from unetpred.initial import carry_colours, initialise, measure
from unetpred.masks import hole_mask
from unetpred.model import Config, build_unetpred, config_of, layer_names
from unetpred.weights import save_weights
from unetpred.widening import widen


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (2, 64, 64, 3)).astype("float32")
    return [(image, np.repeat(hole_mask((64, 64), 24)[None, ..., None], 2, axis=0))]


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_even_colour_fills_its_hole(variant):
    keras.utils.set_random_seed(0)
    config = Config(variant, 0.0625)
    training = build_training_network(config, 96, 96)
    carry_colours(training, config)
    model = fold(training, config)
    colours = np.array([[-80.0, -70, 60], [100, -60, 20], [5, 5, 5]], "float32")
    images = np.broadcast_to(colours[:, None, None], (3, 96, 96, 3)).copy()
    mask = np.repeat(hole_mask((96, 96), 40)[None, ..., None], 3, axis=0)
    output = model.predict_on_batch([images * mask, mask])
    hole = output[:, 28:68, 28:68]
    # inside, where no window of the output layer sees the image, the colour is met exactly
    np.testing.assert_allclose(
        hole[:, 1:-1, 1:-1], images[:, 29:67, 29:67], atol=1e-2
    )  # fmt: skip


@pytest.mark.parametrize(("variant", "times"), [("paper", 3), ("released", 2)])
def test_wide_network_fills_holes_as_the_narrow_one_does(variant, times):
    keras.utils.set_random_seed(0)
    narrow, config = build_unetpred(variant, 1 / 64), Config(variant, times / 64)
    wide = widen(narrow, config, seed=1)
    assert config_of(wide) == config
    image = np.random.default_rng(0).normal(0, 50, (1, 64, 96, 3)).astype("float32")
    mask = hole_mask((64, 96), 40)[None, ..., None]
    inputs = [image * mask, mask]
    expected = narrow.predict_on_batch(inputs)[:, 13:51, 29:67]  # all but the hole's outer pixels
    found = wide.predict_on_batch(inputs)[:, 13:51, 29:67]
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_copies_of_a_channel_go_their_own_ways():
    wide = widen(build_unetpred("paper", 1 / 64), Config("paper", 1 / 32))
    kernel = wide.get_layer("vblock2_conv_1").get_weights()[0]  # (3,3,2,F)
    assert np.abs(kernel[:, :, 0] - kernel[:, :, 1]).min() > 0


@pytest.mark.parametrize("config", [Config("released", 0.25), Config("paper", 0.1)])
def test_what_cannot_be_widened(config):
    with pytest.raises(ValueError, match=r"cannot be made|no whole multiple"):
        widen(build_unetpred("paper", 0.0625), config)


def test_run_starts_from_a_narrower_network(tmp_path, batches):
    keras.utils.set_random_seed(0)
    narrow = build_unetpred("paper", 1 / 32)
    save_weights(narrow, Config("paper", 1 / 32), tmp_path / "narrow.weights.h5")
    config = Config("paper", 1 / 16)
    training = build_training_network(config, 64, 64)
    initialise(training, config, str(tmp_path / "narrow.weights.h5"), None, batches)
    image, mask = batches[0]
    expected = narrow.predict_on_batch([image * SCALE, mask])
    found = training.predict_on_batch([image, mask]) * SCALE
    hole = np.s_[:, 21:43, 21:43]
    np.testing.assert_allclose(found[hole], expected[hole], atol=1e-3 * expected.std())
    with pytest.raises(InputError, match=r"narrow\.weights\.h5: is a network of variant paper"):
        initialise(training, Config("released", 1 / 16), str(tmp_path / "narrow.weights.h5"),
                   None, batches)  # fmt: skip


def test_measuring_statistics_changes_nothing_in_inference(batches):
    keras.utils.set_random_seed(0)
    config = Config("paper", 0.0625)
    training = build_training_network(config, 64, 64)
    carry_colours(training, config)
    image, mask = batches[0]
    before = training.predict_on_batch([image, mask]) * SCALE
    measure(training, [f"{n}_norm" for n in layer_names("paper")[:-1]], batches)
    after = training.predict_on_batch([image, mask]) * SCALE
    np.testing.assert_allclose(after, before, atol=1e-3 * before.std())
