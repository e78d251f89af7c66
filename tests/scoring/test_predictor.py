"""Predictor: what is left uncomputed changes nothing, and few graphs serve all batches."""

import keras
import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.network.partial_convolution import PConv2D
from unetpred.runtime.prefetch import prefetch
from unetpred.scoring import hole_outputs
from unetpred.scoring.predictor import Predictor

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def predictor(weights):
    return Predictor(weights, batch_size=4)


@pytest.fixture
def passes(monkeypatch):
    """Shapes of image and mask of every pass through a network."""
    seen = []
    original = hole_outputs.forward

    def spy(model, inputs):
        seen.append((tuple(inputs[0].shape), tuple(inputs[1].shape)))
        return original(model, inputs)

    monkeypatch.setattr(hole_outputs, "forward", spy)
    return seen


def images_of(count, height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, height, width, 3)).astype("float32")


@pytest.mark.parametrize("seed", range(3))
def test_hole_only_is_the_whole_output_in_the_hole(predictor, seed):
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(84, 140, 2))
    size = int(rng.integers(5, 60))
    x = int(rng.integers(size // 2, width - size + size // 2 + 1))
    y = int(rng.integers(size // 2, height - size + size // 2 + 1))
    images = images_of(3, height, width, seed)
    hole = hole_mask((height, width), size, ("square", "disc")[seed % 2], (x, y))[None, ..., None]
    masks = np.repeat(hole, 3, axis=0)
    # masks differ beyond the borders of their images, their holes do not
    masks[1, :, : rng.integers(1, 30)] = masks[2, : rng.integers(1, 30)] = 0
    part = predictor.score(images, masks, holes=hole)
    whole = predictor.score(images, masks, network_output=True, holes=hole)
    assert len(predictor.outputs().graphs) == 1
    hidden = np.broadcast_to(hole == 0, images.shape)
    np.testing.assert_allclose(part.filled[hidden], whole.filled[hidden], rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(part.filled[~hidden], images[~hidden])
    np.testing.assert_allclose(part.structure, whole.structure, atol=1e-5)


@pytest.mark.parametrize("apart", [True, False])
def test_holes_at_different_places_are_the_whole_output_in_each(predictor, monkeypatch, apart):
    if apart and keras.config.backend() not in ("tensorflow", "torch"):
        pytest.skip("without a graph every operation is compiled for itself")
    monkeypatch.setattr(hole_outputs, "pays_apart", lambda *_: apart)
    images = images_of(6, 90, 101)
    masks = np.ones((6, 90, 101, 1), "float32")
    masks[:2, 5:30, 70:101] = 0  # a place that two have
    for i in range(2, 5):
        masks[i, 12 * i : 12 * i + 25, 15 * i : 15 * i + 20] = 0
    masks[4, :9, :9] = 0
    masks[5, 1:90:9, 1:90:9] = 0  # many holes
    part = predictor.score(images, masks)
    whole = predictor.score(images, masks, network_output=True)
    assert [boxes for _, boxes in predictor.outputs().graphs] == [((5, 70, 30, 101),)]
    # batches differ by 1.5e-5 of the spread of the raw output on torch, and that is 2700 here
    np.testing.assert_allclose(part.filled, whole.filled, atol=0.1)
    np.testing.assert_allclose(part.structure, whole.structure, atol=1e-5)


def test_what_is_no_picture_is_refused(predictor):
    fine = np.zeros((90, 90, 3))
    for wrong, message in (
        (np.zeros((90, 90, 2)), r"images: image 1: has shape \(90, 90, 2\)"),
        (np.zeros((50, 90)), "at least 84x84"),
        (fine - 9, "image 1: has values from -9"),
    ):
        with pytest.raises(InputError, match=message):
            predictor([fine, wrong])
    with pytest.raises(InputError, match=r"does not fit images of shape \(1, 90, 101, 3\)"):
        predictor([fine, np.zeros((90, 101, 3))], hole_mask((90, 90)))


def test_a_shared_mask_goes_in_once(predictor, passes):
    images = images_of(4, 90, 90)
    hole = hole_mask((90, 90), 30)
    once = predictor(images, hole)
    assert passes == [((4, 90, 90, 3), (1, 90, 90, 1))]
    np.testing.assert_array_equal(predictor(images, np.stack([hole] * 4)).filled, once.filled)
    assert passes[1] == passes[0]
    each = np.stack([hole] * 4)
    each[1:, :, 0] = 0  # the first image's mask is the same as before
    result = predictor.score(images, each[..., None], holes=hole[None, ..., None])
    assert passes[2][1] == (4, 90, 90, 1)
    np.testing.assert_allclose(result.filled[0], once.filled[0], atol=1e-3)
    assert np.abs(result.filled[1] - once.filled[1]).max() > 1e-2


def test_few_graphs_serve_batches_of_any_length(predictor, passes, monkeypatch):
    traced = []
    call = PConv2D.call

    def counted(self, *args, **kwargs):
        traced.append(self.name)
        return call(self, *args, **kwargs)

    images = images_of(7, 84, 84)
    expected = predictor(images[:1]).structure[0]  # builds the graph of the hole
    monkeypatch.setattr(PConv2D, "call", counted)
    for count in (4, 3, 2, 1, 7, 5):
        np.testing.assert_allclose(predictor(images[:count]).structure[0], expected, atol=1e-5)
    lengths = [shape[0][0] for shape in passes[1:]]
    if keras.config.backend() in ("tensorflow", "torch"):
        assert lengths == [4, 3, 2, 1, 4, 3, 4, 1]  # no image is computed that was not asked for
    else:
        assert lengths == [4, 4, 2, 1, 4, 4, 4, 1]
    if keras.config.backend() != "torch":  # which compiles nothing
        assert traced.count("block10") <= 2


def test_graphs_are_few_for_many_places(predictor, monkeypatch):
    monkeypatch.setattr(hole_outputs, "MAX_GRAPHS", 2)
    images = images_of(1, 84, 90)
    for x in range(30, 33):
        mask = hole_mask((84, 90), 20, center=(x, 40))
        scored = predictor(images, mask)
    assert len(predictor.outputs().graphs) == 2
    whole = predictor(images, mask, network_output=True)
    np.testing.assert_allclose(scored.structure, whole.structure, atol=1e-5)


def test_ahead_keeps_the_order_and_hands_on_errors():
    made = []

    def make(item):
        made.append(item)
        if item == 4:
            raise ValueError("four")
        return item * item

    results = prefetch(make, iter(range(6)))
    assert next(results) == 0
    assert [next(results) for _ in range(3)] == [1, 4, 9]
    with pytest.raises(ValueError, match="four"):
        next(results)
    assert made[:5] == [0, 1, 2, 3, 4]
    assert list(prefetch(make, [])) == []
