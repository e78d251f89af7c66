"""What is hidden is never seen: other values in the hole leave every filling as it is."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from unetpred import features, predictability_map
from unetpred.evaluation.fillers import Filler
from unetpred.fillings.simple import BASELINES
from unetpred.holes.contexts import Context
from unetpred.holes.hole import Hole
from unetpred.holes.masks import hole_mask
from unetpred.holes.scenes import Scenes
from unetpred.network.model import build_unetpred
from unetpred.scoring import hole_outputs
from unetpred.scoring.maps import PlaceScore
from unetpred.scoring.predictor import Predictor

SIZE = 90, 101
COLOURS = {"red": [0], "green and blue": [1, 2]}


@pytest.fixture(scope="module")
def predictor(weights):
    return Predictor(weights, batch_size=4)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (1, *SIZE, 3)).astype("float32")


def hidden(colours, shape="square"):
    """One mask (H,W,3) in which a hole is missing in some colours."""
    mask = np.ones((*SIZE, 3), "float32")
    mask[..., colours] = hole_mask(SIZE, 30, shape, (40, 50))[..., None]
    return mask


def other(image, mask):
    """The image with other values where the mask hides them."""
    mask = np.broadcast_to(mask if mask.ndim >= 3 else mask[..., None], image.shape)
    return np.where(mask == 0, 255 - image, image)


def same(one, two):
    """Fillings agree, and are such as can be scored."""
    np.testing.assert_array_equal(one.filled, two.filled)
    assert np.isfinite(one.structure).all()


@pytest.mark.parametrize("colours", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("way", ["hole", "whole", "tiles", "apart", "many holes"])
def test_of_some_colours(predictor, image, monkeypatch, colours, way):
    mask = hidden(colours)
    if way == "tiles":
        monkeypatch.setattr(hole_outputs, "LARGE", 100)
    if way == "apart":
        monkeypatch.setattr(hole_outputs, "MAX_GRAPHS", 0)
        monkeypatch.setattr(hole_outputs, "pays_apart", lambda *_: True)
        if keras.config.backend() == "jax":
            pytest.skip("without a graph every operation is compiled for itself")
    if way == "many holes":
        mask[5:80:15, 5:95:15, colours] = 0
    scored = [
        predictor(values, mask, network_output=way == "whole")
        for values in (image, other(image, mask))
    ]
    same(*scored)
    if way == "whole":
        np.testing.assert_array_equal(scored[0].network_output, scored[1].network_output)


def test_of_other_colours_in_every_image(predictor, rng):
    images = rng.integers(0, 256, (4, *SIZE, 3)).astype("float32")
    masks = np.stack([hidden(colours, "disc") for colours in ([0], [1, 2], [2], [0, 1, 2])])
    one, two = predictor(images, masks), predictor(other(images, masks), masks)
    same(one, two)
    for i in range(4):  # and each is what it is alone
        alone = predictor(images[i : i + 1], masks[i])
        np.testing.assert_allclose(one.filled[i], alone.filled[0], atol=0.1)


def test_a_visible_colour_is_what_the_network_sees(predictor, image):
    # of a hole in red, the green and blue beside it are known, and change the filling
    mask = hidden([0])
    changed = image.copy()
    changed[:, 50, 40, 1:] = 255 - changed[:, 50, 40, 1:]
    one, two = predictor(image, mask), predictor(changed, mask)
    assert np.abs(one.filled[..., 0] - two.filled[..., 0]).max() > 0.1


def test_of_equal_masks_of_all_colours_is_one_mask(predictor, image):
    mask = hidden([0, 1, 2])
    one, three = predictor(image, mask[..., 0]), predictor(image, mask)
    np.testing.assert_allclose(one.filled, three.filled, atol=0.1)


@pytest.mark.parametrize("shape", ["square", "disc"])
@pytest.mark.parametrize("context", ["full", 84])
def test_of_holes_of_the_command_line(predictor, image, shape, context):
    scenes = Scenes(Hole(shape=shape, center=(30, 40)), context=Context(context))
    results = []
    scene = scenes.scene(image[0], 0)
    hole = np.ones(SIZE, "float32")
    scene.paste(scene.hole, hole)
    for values in (image[0], other(image, hole)[0]):
        scene = scenes.scene(values, 0)
        visible, hole = (m[None, ..., None] for m in (scene.visible, scene.hole))
        results.append(predictor.score(scene.pixels[None], visible, holes=hole))
    same(*results)


@pytest.mark.parametrize("context", ["full", 84])
def test_in_maps(predictor, image, monkeypatch, context):
    fillings = []

    def spy(image, hole, places, cut, filled, *_):
        top, left = cut[0].corner
        fillings.append(filled[0, top : top + 20, left : left + 20])
        return [PlaceScore(0.0, 0.0, "")]

    monkeypatch.setattr("unetpred.scoring.maps._scores", spy)
    mask = hole_mask(SIZE, 20, center=(64, 64))
    for values in (image, other(image, mask)):
        predictability_map(values, 64, mask_size=20, context=context, predictor=predictor)
    assert len(fillings) == 2 and fillings[0].std() > 0
    np.testing.assert_array_equal(*fillings)


def test_in_features(weights, image):
    mask = hole_mask(SIZE, 30, center=(40, 50))
    one, two = (
        features(values, ["vblock1_conv_1", "block10"], mask, weights)
        for values in (image, other(image, mask))
    )
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name])


@pytest.mark.parametrize("channels", [1, 3])
def test_in_evaluation(rng, channels):
    mask = hole_mask((96, 96), 30)
    crops = rng.integers(0, 256, (2, 96, 96, 3)).astype("uint8")
    filler = Filler(build_unetpred(width=0.0625, mask_channels=channels), mask, list(BASELINES))
    one, two = filler(crops), filler(other(crops, mask).astype("uint8"))
    for method, values in one.items():
        np.testing.assert_array_equal(values, two[method])


@pytest.mark.parametrize("way", ["sites", "mask"])
def test_in_tables(run, tmp_path, image, way):
    mask = hole_mask(SIZE, 20, center=(60, 40))
    Path("sites.csv").write_text("x,y,size\n60,40,20\n")
    Image.fromarray((255 * mask).astype("uint8")).save("mask.png")
    where = ["--sites", "sites.csv"] if way == "sites" else ["--mask", "mask.png"]
    for name, values in (("a", image[0]), ("b", other(image, mask)[0])):
        Image.fromarray(values.astype("uint8")).save(tmp_path / f"{name}.png")
        code, _, err = run(
            "--input", f"{name}.png", *where, "--save", f"{name}.csv", "--context", "full",
            "--save_prediction", f"{name}.npy",
        )  # fmt: skip
        assert code == 0, err
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))
