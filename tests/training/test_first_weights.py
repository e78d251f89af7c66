"""First weights that fill a hole with what surrounds it."""

import keras
import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.network.folding import SCALE, build_training_network, fold
from unetpred.network.model import Config, build_unetpred, config_of, layer_names
from unetpred.network.widening import widen
from unetpred.training.first_weights import (
    carry_colours,
    initialise,
    measure,
    to_unit_size,
    unfold,
)
from unetpred.weights.files import save_weights


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (2, 64, 64, 3)).astype("float32")
    return [(image, np.repeat(hole_mask((64, 64), 24)[None, ..., None], 2, axis=0))]


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_even_colour_fills_its_hole(compute, variant):
    keras.utils.set_random_seed(0)
    config = Config(variant, 0.0625)
    training = build_training_network(config, 96, 96)
    carry_colours(training, config)
    model = fold(training, config)
    colours = np.array([[-80.0, -70, 60], [100, -60, 20], [5, 5, 5]], "float32")
    images = np.broadcast_to(colours[:, None, None], (3, 96, 96, 3)).copy()
    mask = np.repeat(hole_mask((96, 96), 40)[None, ..., None], 3, axis=0)
    output = compute(model, images * mask, mask)
    hole = output[:, 28:68, 28:68]
    # inside, where no window of the output layer sees the image, the colour is met exactly
    np.testing.assert_allclose(
        hole[:, 1:-1, 1:-1], images[:, 29:67, 29:67], atol=1e-2
    )  # fmt: skip


#: What becomes of an image (N,H,W,C), and what undoes it, for each copy in a wide network.
TURNS = [
    (lambda x: x, lambda x: x),
    (lambda x: np.rot90(x, 2, (1, 2)), lambda x: np.rot90(x, 2, (1, 2))),
    (lambda x: x.swapaxes(1, 2), lambda x: x.swapaxes(1, 2)),
    (lambda x: np.rot90(x, 2, (1, 2)).swapaxes(1, 2),) * 2,
    (lambda x: x[:, :, ::-1], lambda x: x[:, :, ::-1]),
    (lambda x: x[:, ::-1], lambda x: x[:, ::-1]),
    (lambda x: np.rot90(x, 1, (1, 2)), lambda x: np.rot90(x, -1, (1, 2))),
    (lambda x: np.rot90(x, -1, (1, 2)), lambda x: np.rot90(x, 1, (1, 2))),
]


@pytest.mark.parametrize(("variant", "times"), [("paper", 3), ("released", 2), ("released", 8)])
def test_wide_network_is_the_mean_of_mirrored_ones(compute, variant, times):
    keras.utils.set_random_seed(0)
    narrow, config = build_unetpred(variant, 1 / 64), Config(variant, times / 64)
    wide = widen(narrow, config)
    assert config_of(wide) == config
    image = np.random.default_rng(0).normal(0, 50, (1, 64, 96, 3)).astype("float32")
    mask = hole_mask((64, 96), 40)[None, ..., None]
    inputs = [image * mask, mask]
    fillings = [
        back(compute(narrow, *(there(x).copy() for x in inputs))) for there, back in TURNS[:times]
    ]
    inner = np.s_[:, 13:51, 29:67]  # all but the hole's outer pixels
    expected, found = np.mean(fillings, axis=0)[inner], compute(wide, *inputs)[inner]
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())
    assert np.abs(fillings[0][inner] - expected).std() > 0.01 * expected.std()


@pytest.mark.parametrize("width", [0.1, 0.0625, 0.5625])
def test_what_cannot_be_widened(width):
    narrow = build_unetpred("paper", 0.0625)
    with pytest.raises(ValueError, match="cannot be made"):
        widen(narrow, Config("released", 0.25))
    with pytest.raises(ValueError, match="filters are not 4 twice to 8 times"):
        widen(narrow, Config("paper", width))


@pytest.mark.slow
def test_run_starts_from_a_narrower_network(tmp_path, compute, batches):
    keras.utils.set_random_seed(0)
    narrow = build_unetpred("paper", 1 / 32)
    save_weights(narrow, Config("paper", 1 / 32), tmp_path / "narrow.weights.h5")
    config = Config("paper", 1 / 16)
    training = build_training_network(config, 64, 64)
    initialise(training, config, str(tmp_path / "narrow.weights.h5"), None, batches)
    image, mask = batches[0]
    expected = np.mean(
        [
            back(compute(narrow, there(image).copy() * SCALE, there(mask).copy()))
            for there, back in TURNS[:2]
        ],
        axis=0,
    )
    found = compute(training, image, mask) * SCALE
    hole = np.s_[:, 21:43, 21:43]
    np.testing.assert_allclose(found[hole], expected[hole], atol=1e-3 * expected.std())
    with pytest.raises(InputError, match=r"narrow\.weights\.h5: is a network of variant paper"):
        initialise(training, Config("released", 1 / 16), str(tmp_path / "narrow.weights.h5"),
                   None, batches)  # fmt: skip


def test_measuring_statistics_changes_nothing_in_inference(compute, batches):
    keras.utils.set_random_seed(0)
    config = Config("paper", 0.0625)
    training = build_training_network(config, 64, 64)
    carry_colours(training, config)
    image, mask = batches[0]
    before = compute(training, image, mask) * SCALE
    measure(training, [f"{n}_norm" for n in layer_names("paper")[:-1]], batches)
    after = compute(training, image, mask) * SCALE
    np.testing.assert_allclose(after, before, atol=1e-3 * before.std())


def test_trained_features_begin_at_size_one_and_are_else_the_same(batches):
    keras.utils.set_random_seed(0)
    config, names = Config("paper", 0.0625), layer_names("paper")[:13]
    start, training = build_unetpred("paper", 0.0625), build_training_network(config, 64, 64)
    rng = np.random.default_rng(1)
    for name in names:  # as VGG-16 is: features grow by far from layer to layer
        kernel, bias = start.get_layer(name).get_weights()
        start.get_layer(name).set_weights([3 * kernel, rng.normal(0, 5, bias.shape)])
    unfold(start, training, names)
    to_unit_size(training, names, batches)
    measure(training, [f"{name}_norm" for name in names], batches)
    image, mask = batches[0]

    given = keras.Model(start.inputs, [start.get_layer(name).output[0] for name in names])
    ours = keras.Model(training.inputs, [training.get_layer(f"{n}_norm").output for n in names])
    sizes = []
    pairs = given.predict_on_batch([image * SCALE, mask]), ours.predict_on_batch([image, mask])
    for theirs, found in zip(*pairs, strict=True):
        features = np.maximum(found, 0)
        sizes.append(theirs.std() / features.std())
        np.testing.assert_allclose(features * sizes[-1], theirs, atol=2e-3 * theirs.std())
        assert np.sqrt(found.var(axis=(0, 1, 2)).mean()) == pytest.approx(1, rel=0.01)
    assert sizes[0] > 30 and sizes[-1] > 100 * sizes[0]
