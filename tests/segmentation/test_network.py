"""The network: plain convolutions, any size, folded as it was trained, begun from others."""

import h5py
import keras
import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.network.architecture import SCALE
from unetpred.network.model import Config, build_unetpred
from unetpred.segmentation.data.classes import Classes
from unetpred.segmentation.network import (
    CONVOLUTIONS,
    HEAD,
    build_segmenter,
    build_training_segmenter,
    fold,
    reach,
)
from unetpred.segmentation.training.first_weights import first_weights, width_for
from unetpred.segmentation.weights import is_segmenter, load_segmenter, save_segmenter
from unetpred.weights.files import load_model, save_weights

WIDTH = 0.0625
THREE = Classes(("a", "b", "c"), (0, 1, 2), ((0, 0, 0), (9, 9, 9), (5, 6, 7)), 255)


def output(model, x, training=False):
    return keras.ops.convert_to_numpy(model(x, training=training))


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape)
            if w.ndim > 1
            else rng.uniform(0.5, 1.5, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(1, 64, 96, 3), (2, 50, 33, 3)])
def test_probabilities_at_any_size(classes, shape, rng):
    model = randomised(build_segmenter(classes, WIDTH))
    found = output(model, rng.normal(0, 60, shape).astype("float32"))
    assert found.shape == (*shape[:3], 1 if classes == 2 else classes)
    assert found.min() >= 0 and found.max() <= 1
    if classes > 2:
        np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_names_and_shapes_are_those_of_the_network_that_fills_in():
    filling, segmenting = build_unetpred("paper", WIDTH), build_segmenter(5, WIDTH)
    for name in CONVOLUTIONS:
        assert filling.get_layer(name).kernel.shape == segmenting.get_layer(name).kernel.shape
    assert segmenting.get_layer(HEAD).kernel.shape == (1, 1, 4, 5)


@pytest.mark.parametrize("classes", [2, 4])
def test_fold(classes, rng):
    training = randomised(build_training_segmenter(classes, WIDTH, 64))
    model = fold(training, classes, WIDTH)
    image = rng.normal(0, 60, (2, 64, 64, 3)).astype("float32")
    logits = output(training, image / SCALE).astype("float64")
    if classes == 2:
        expected = 1 / (1 + np.exp(-logits))
    else:
        expected = np.exp(logits - logits.max(-1, keepdims=True))
        expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(output(model, image), expected, atol=1e-4)


def test_plain_convolutions_are_partial_ones_where_nothing_is_missing(rng):
    """Far from the border the features are those of the network that fills in."""
    filling = randomised(build_unetpred("paper", WIDTH))
    segmenting = build_segmenter(3, WIDTH)
    for name in CONVOLUTIONS:
        segmenting.get_layer(name).set_weights(filling.get_layer(name).get_weights())
    image = rng.normal(0, 60, (1, 96, 96, 3)).astype("float32")
    name = "vblock3_conv_3"
    (x, _) = filling.get_layer(name).output
    a = output(keras.Model(filling.inputs, x), [image, np.ones((1, 96, 96, 1), "float32")])
    b = output(keras.Model(segmenting.inputs, segmenting.get_layer(name).output), image)
    inner = np.s_[:, 7:-7, 7:-7]
    np.testing.assert_allclose(b[inner], a[inner], rtol=1e-3, atol=1e-3 * a.std())


def test_reach(rng):
    """Nothing farther away matters, and what is nearly as far does."""
    model = randomised(build_segmenter(2, WIDTH))
    layers = [layer for layer in model.layers if layer.name in (*CONVOLUTIONS, HEAD)]
    for layer in layers:  # all positive: nothing cancels
        layer.set_weights([np.full(w.shape, 0.1) for w in layer.get_weights()])
    features = keras.Model(model.inputs, model.get_layer("vblock10_conv_2").output)
    radius = reach()
    image = np.ones((1, 32, 1024, 3), "float32")
    before = output(features, image)
    image[:, :, 512] = 1e6
    changed = np.flatnonzero((output(features, image) != before).any((0, 1, 3)))
    assert radius - 64 < max(512 - changed[0], changed[-1] - 512) <= radius


def test_weights_round_trip(tmp_path, rng):
    model = randomised(build_segmenter(3, WIDTH))
    path = tmp_path / "a.weights.h5"
    image = rng.normal(0, 2, (1, 32, 32, 3)).astype("float32")
    for dtype, atol in (("float32", 0), ("float16", 1e-2)):
        save_segmenter(model, THREE, WIDTH, path, dtype, threshold=0.4)
        again, about = load_segmenter(path)
        assert Classes.from_dict(about) == THREE
        assert about["width"] == WIDTH and about["threshold"] == 0.4
        np.testing.assert_allclose(output(again, image), output(model, image), atol=atol)
    assert is_segmenter(path) and not is_segmenter("lite") and not is_segmenter(tmp_path / "b")


def test_damaged_weights_are_refused(tmp_path):
    path, model = tmp_path / "a.weights.h5", randomised(build_segmenter(3, WIDTH))
    save_segmenter(model, THREE, WIDTH, path)
    with h5py.File(path, "r+") as file:
        file["layers/conv2d_3/vars/0"][0, 0, 0, 0] += 0.25
    with pytest.raises(InputError, match=r"a\.weights\.h5: .* check sum"):
        load_segmenter(path)
    save_segmenter(model, THREE, WIDTH, path, threshold=0.6)
    path.write_bytes(path.read_bytes().replace(b'"threshold": 0.6', b'"threshold": 0.2'))
    with pytest.raises(InputError, match=r"a\.weights\.h5: its notes do not match the check sum"):
        load_segmenter(path)


@pytest.mark.parametrize("name", ["membranes", "camvid"])
def test_those_that_ship_have_a_check_sum(name):
    _, about = load_segmenter(name)
    assert len(about["arrays_sha256"]) == 64


def test_weights_that_are_none(tmp_path, weights):
    with pytest.raises(InputError, match="not weights of a network that segments"):
        load_segmenter(weights)
    with pytest.raises(InputError, match="is not a file of weights"):
        load_segmenter("nothing")
    path = tmp_path / "a.weights.h5"
    save_segmenter(build_segmenter(3, WIDTH), THREE, WIDTH, path)
    with pytest.raises(InputError, match=r"a\.weights\.h5"):
        load_model(path)
    two = Classes(("a", "b"), (0, 1), ((0, 0, 0), (1, 1, 1)))
    save_segmenter(build_segmenter(3, WIDTH), two, WIDTH, path)
    with pytest.raises(InputError, match="layer head is missing or damaged"):
        load_segmenter(path)
    with pytest.raises(InputError, match=r"ends in \.weights\.h5"):
        save_segmenter(build_segmenter(3, WIDTH), THREE, WIDTH, tmp_path / "a.h5")


@pytest.fixture(scope="module")
def begun():
    """Images / 64 to measure on."""
    rng = np.random.default_rng(0)
    return [rng.normal(0, 1, (8, 64, 64, 3)).astype("float32") for _ in range(2)]


def test_begun_from_a_network_that_fills_in(tmp_path, begun):
    start = randomised(build_unetpred("paper", WIDTH))
    save_weights(start, Config("paper", WIDTH), tmp_path / "fill.weights.h5")
    source = str(tmp_path / "fill.weights.h5")
    assert width_for(source) == WIDTH and width_for("random") == 0.25 and width_for("vgg16") == 1
    training = build_training_segmenter(3, WIDTH, 64)
    first_weights(training, WIDTH, THREE, source, None, begun)
    model = fold(training, 3, WIDTH)
    for name in CONVOLUTIONS:
        for a, b in zip(
            model.get_layer(name).get_weights(), start.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * np.abs(b).max())
    with pytest.raises(InputError, match=r"width 0\.1 is needed"):
        first_weights(build_training_segmenter(3, 0.1, 64), 0.1, THREE, source, None, begun)


def test_begun_from_a_network_that_segments(tmp_path, begun):
    start = randomised(build_segmenter(3, WIDTH))
    source = str(tmp_path / "a.weights.h5")
    save_segmenter(start, THREE, WIDTH, source)
    training = build_training_segmenter(3, WIDTH, 64)
    first_weights(training, WIDTH, THREE, source, None, begun)
    model = fold(training, 3, WIDTH)
    for a, b in zip(model.get_weights(), start.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * np.abs(b).max())
    with pytest.raises(InputError, match="leave --width away"):
        first_weights(build_training_segmenter(3, 0.1, 64), 0.1, THREE, source, None, begun)


def test_vgg16_has_a_width_of_its_own(begun):
    training = build_training_segmenter(2, WIDTH, 64)
    with pytest.raises(InputError, match="fits width 1"):
        first_weights(training, WIDTH, THREE, "vgg16", None, begun)
