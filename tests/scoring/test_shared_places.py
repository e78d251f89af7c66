"""Holes at many places of one image that share its features, against each image by itself."""

from __future__ import annotations

import pickle
import weakref

import keras
import numpy as np
import pytest

from unetpred import predictability_map
from unetpred.holes.masks import hole_mask
from unetpred.images.colour import to_network
from unetpred.network.model import Config, build_unetpred, config_of
from unetpred.network.shared import WholeFeatures
from unetpred.scoring import maps, shared
from unetpred.scoring.hole_outputs import HoleOutputs
from unetpred.scoring.maps import blank_map, hole_pattern, plan
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.shared import Region, regions
from unetpred.weights.files import save_weights

SIZE = 131, 150  # neither divided by 32 nor by 16


@pytest.fixture(scope="module", params=["paper", "released"])
def outputs(request):
    keras.utils.set_random_seed(1)
    network = build_unetpred(request.param, 0.03125)
    network.set_weights([w + 0.3 if w.ndim == 1 else w for w in network.get_weights()])
    return HoleOutputs(network, batch_size=4)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    keras.utils.set_random_seed(1)
    network = build_unetpred("paper", 0.03125)
    network.set_weights([w + 3 if w.ndim == 1 else w for w in network.get_weights()])
    path = str(tmp_path_factory.mktemp("weights") / "w.weights.h5")
    save_weights(network, Config("paper", 0.03125), path)
    return Predictor(path, batch_size=2)


@pytest.fixture
def image(rng):
    return rng.uniform(0, 255, (*SIZE, 3)).astype("float32")


def at_places(outputs, *given):
    """All of what is yielded, by place."""
    found = {}
    for index, raw in outputs.at_places(*given):
        assert len(index) == len(raw)
        found |= zip(index, raw, strict=True)
    assert sorted(found) == list(range(len(given[2])))
    return np.stack([found[i] for i in range(len(found))])


def one_by_one(outputs, image, hole, places, visible=None):
    """The whole network on each image with its hole."""
    masks = np.repeat(np.ones((1, *image.shape[:2]), "float32"), len(places), axis=0)
    if visible is not None:
        masks *= visible
    side = len(hole)
    corners = [(y - side // 2, x - side // 2) for x, y in places]
    for mask, (top, left) in zip(masks, corners, strict=True):
        mask[top : top + side, left : left + side] *= hole
    inputs = [to_network(np.repeat(image[None], len(places), axis=0)), masks[..., None]]
    whole = np.asarray(outputs.network.predict_on_batch(inputs))
    parts = [
        one[top : top + side, left : left + side]
        for one, (top, left) in zip(whole, corners, strict=True)
    ]
    return np.stack(parts), np.abs(whole).max()


# at corners, at borders, inside, twice
PLACES = [(15, 15), (134, 15), (15, 115), (134, 115), (70, 15), (61, 66), (92, 40), (61, 66)]


@pytest.mark.parametrize(("shape", "masked"), [("square", False), ("disc", True)])
def test_the_output_is_that_of_each_image_by_itself(outputs, image, shape, masked, rng):
    hole = hole_pattern(30, shape)
    visible = (rng.random(SIZE) < 0.8).astype("float32") if masked else None
    height = 160 if config_of(outputs.network).multiple == 32 else 144
    assert regions(outputs.network, SIZE, 30, PLACES) == [
        (Region(0, 0, height, 160), [*range(len(PLACES))])
    ]
    found = at_places(outputs, image, hole, PLACES, visible)
    expected, largest = one_by_one(outputs, image, hole, PLACES, visible)
    assert expected.std() > 1e-3 * largest
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.slow
def test_places_of_a_large_image_share_a_part_of_it(outputs, rng, monkeypatch):
    monkeypatch.setattr(shared, "AT_ONCE", 100)
    monkeypatch.setattr(shared, "TILE", 64)
    image = rng.uniform(0, 255, (90, 1100, 3)).astype("float32")
    hole = hole_pattern(21)
    # many of the left border and of the middle, one alone, and a few of the right border
    places = [(10 + 3 * i, 20 + i) for i in range(15)] + [(520 + 2 * i, 60) for i in range(12)]
    places += [(800, 40)] + [(1089 - i, 79) for i in range(9)]
    found = regions(outputs.network, image.shape[:2], 21, places)
    parts, last = [region for region, _ in found[:-1]], found[-1]
    assert last[0] is None and 27 in last[1]
    assert all(part.right - part.left < 520 for part in parts) and len(parts) >= 3
    assert sorted(i for _, index in found for i in index) == list(range(len(places)))
    # the part is that of any of its places
    index = found[0][1]
    few = regions(outputs.network, image.shape[:2], 21, [places[i] for i in index[::2]])
    assert few[0][0] == found[0][0]
    values = at_places(outputs, image, hole, places)
    expected, largest = one_by_one(outputs, image, hole, places[::9])
    np.testing.assert_allclose(values[::9], expected, rtol=0, atol=1e-5 * largest)


def test_few_places_and_large_holes_are_computed_one_by_one(outputs, image):
    network = outputs.network
    assert regions(network, SIZE, 30, [(70, 70)]) == [(None, [0])]
    assert regions(network, (90, 90), 90, [(45, 45)] * 9) == [(None, [*range(9)])]
    assert regions(network, SIZE, 131, [(70, 65)] * 9) == [(None, [*range(9)])]
    hole = np.zeros((30, 30), "float32")
    found = at_places(outputs, image, hole, [(70, 71)])
    expected, largest = one_by_one(outputs, image, hole, [(70, 71)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * largest)


def test_hidden_values_change_no_filling(outputs, image):
    hole = hole_pattern(30, "disc")
    expected = at_places(outputs, image, hole, PLACES[3:6])
    for i, (x, y) in enumerate(PLACES[3:6]):
        mask = hole_mask(SIZE, 30, "disc", (x, y))
        other = np.where(mask[..., None] == 0, 255 - image, image)
        assert (other != image).any()
        found = at_places(outputs, other, hole, PLACES[3:6])
        np.testing.assert_array_equal(found[i], expected[i])
        assert not np.array_equal(found, expected)  # the others see them


def test_features_of_one_part_are_kept_at_a_time(outputs, image, monkeypatch):
    hole, places = hole_pattern(30), PLACES[:4]
    at_places(outputs, image, hole, places)
    first = outputs.shared._features
    at_places(outputs, image, hole_pattern(21), [(40, 40), (60, 60)])  # another hole
    assert outputs.shared._features is first
    gone = weakref.ref(first)
    del first
    made = []

    class Spy(WholeFeatures):
        def __init__(self, *given):
            made.append(gone() is None)  # before others are computed
            super().__init__(*given)

    monkeypatch.setattr("unetpred.network.shared.WholeFeatures", Spy)
    at_places(outputs, image + 1, hole, places)
    assert made == [True]


@pytest.mark.slow
def test_maps_share_and_batches_can_be_sent(predictor, image, monkeypatch):
    result = predictability_map(image, 25, "full", 30, "disc", predictor=predictor)
    hole = hole_pattern(30, "disc", "full")
    planned = plan(blank_map(SIZE, 25, 30), image, hole, "full", predictor)
    assert [type(batch.part) for batch in planned] == [Region] * len(planned)
    assert max(map(len, planned)) == predictor.batch_size * shared.PASSES
    assert pickle.loads(pickle.dumps(planned)) == planned
    monkeypatch.setattr(maps, "regions", lambda *given: [(None, list(range(len(given[3]))))])
    alone = predictability_map(image, 25, "full", 30, "disc", predictor=predictor)
    np.testing.assert_allclose(result.structure, alone.structure, atol=1e-5)
    assert np.isfinite(result.structure).sum() > 12
    np.testing.assert_array_equal(result.reason, alone.reason)


def test_many_sizes_of_holes(predictor, image, monkeypatch):
    # with a graph for each of few sizes, and layer by layer
    if keras.config.backend() == "jax":
        pytest.skip("has a graph for every size")
    monkeypatch.setattr(shared, "MAX_SIZES", 0)
    outputs = HoleOutputs(predictor.network(), 4)
    hole = hole_pattern(17)
    found = at_places(outputs, image, hole, PLACES)
    np.testing.assert_allclose(
        found, at_places(predictor.outputs(), image, hole, PLACES), atol=1e-4
    )
    assert not outputs.shared._graphs
