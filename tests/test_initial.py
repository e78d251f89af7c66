"""First weights that fill a hole with what surrounds it."""

import keras
import numpy as np
import pytest

from unetpred.folding import SCALE, build_training_network, fold
from unetpred.initial import carry_colours, measure
from unetpred.masks import hole_mask
from unetpred.model import Config, layer_names


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


def test_measuring_statistics_changes_nothing_in_inference():
    keras.utils.set_random_seed(0)
    config = Config("paper", 0.0625)
    training = build_training_network(config, 64, 64)
    carry_colours(training, config)
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (2, 64, 64, 3)).astype("float32")
    mask = np.repeat(hole_mask((64, 64), 24)[None, ..., None], 2, axis=0)
    before = training.predict_on_batch([image, mask]) * SCALE
    measure(training, [f"{n}_norm" for n in layer_names("paper")[:-1]], [(image, mask)])
    after = training.predict_on_batch([image, mask]) * SCALE
    np.testing.assert_allclose(after, before, atol=1e-3 * before.std())
