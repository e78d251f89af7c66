"""Masks of whole images, and of images in tiles."""

import numpy as np
import pytest
from segmenters import THREE, TWO

from unetpred.errors import InputError
from unetpred.images.colour import to_network
from unetpred.segmentation.network import reach
from unetpred.segmentation.predictor import SYMMETRIES, Segmenter, _Axis


@pytest.fixture
def picture(rng):
    """Coarse and fine structure, (H,W) -> (H,W,3) uint8."""

    def make(height, width):
        coarse = rng.normal(128, 50, (-(-height // 16), -(-width // 16), 3))
        image = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
        return np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype("uint8")

    return make


def test_one_tile_is_the_network(networks, picture):
    from keras import ops

    image = picture(64, 96)
    direct = ops.convert_to_numpy(networks[3](to_network(image[None].astype("float32"))))[0]
    found = Segmenter(networks[3], THREE).probabilities(image)
    np.testing.assert_allclose(found, direct, atol=1e-6)
    assert found.dtype == np.float32 and found.shape == (64, 96, 3)
    binary = Segmenter(networks[2], TWO).probabilities(image)
    assert binary.shape == (64, 96) and 0 <= binary.min() < binary.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (33, 31), (100, 70)])
def test_any_size(networks, picture, shape):
    image = picture(*shape)
    segmenter = Segmenter(networks[3], THREE)
    mask = segmenter(image)
    assert mask.shape == shape and mask.dtype == np.uint8 and mask.max() < 3
    np.testing.assert_array_equal(mask, segmenter.probabilities(image).argmax(-1))


def test_borders_are_mirrored(networks, picture):
    image = picture(50, 70)
    wide = np.pad(image, ((7, 7), (13, 13), (0, 0)), "symmetric")  # 64 x 96
    segmenter = Segmenter(networks[2], TWO)
    found = segmenter.probabilities(wide)[7:-7, 13:-13]
    np.testing.assert_allclose(segmenter.probabilities(image), found, atol=1e-6)


def test_tiles_are_the_whole_away_from_seams(networks, picture):
    """Farther than the reach of the network from the borders of tiles nothing differs."""
    image = picture(70, 1500)
    whole = Segmenter(networks[2], TWO, tile=2048).probabilities(image)
    tiled = Segmenter(networks[2], TWO, tile=768).probabilities(image)
    assert tiled.shape == whole.shape
    padded = 1504  # 2 px on either side
    starts = [0, 576, padded - 768]
    assert _Axis(padded, 768).starts == starts
    far = np.ones(padded, bool)
    for start in starts:
        for edge in (start, start + 768):
            if 0 < edge < padded:
                far[max(0, edge - reach()) : edge + reach()] = False
    far = far[2:-2]
    assert far.sum() > 100
    np.testing.assert_allclose(tiled[:, far], whole[:, far], atol=2e-6)
    assert np.abs(tiled - whole).max() > 0  # there are seams
    # where tiles blend, what they differ by goes from one to the other without a step
    difference = tiled - whole
    steps = np.abs(np.diff(difference, axis=1)).max()
    assert steps < 5 * np.abs(np.diff(whole, axis=1)).mean()


@pytest.mark.parametrize(("length", "tile"), [(64, 64), (96, 64), (1024, 96), (640, 256)])
def test_weights_of_tiles_add_up(length, tile):
    total, done, last = np.zeros(length), 0, None
    for start, weight, end in _Axis(length, tile):
        assert len(weight) == tile and weight.min() >= 0
        total[start : start + tile] += weight
        assert start <= end <= start + tile and start == done
        done = end
        if last is not None:
            assert (start - last) % 32 == 0
        last = start
    assert done == length
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_bands_are_flat_in_memory(networks, picture):
    segmenter = Segmenter(networks[2], TWO, tile=64)
    image = picture(300, 40)
    bands = list(segmenter.bands(image))
    assert len(bands) > 4 and max(len(band) for band in bands) <= 64
    np.testing.assert_array_equal(np.concatenate(bands), segmenter.probabilities(image))


def test_tiles_of_a_constant_network(networks):
    """Whatever the tiles, a network that gives one number gives it everywhere."""
    from unetpred.segmentation.network import HEAD, build_segmenter

    model = build_segmenter(2, 0.0625, "zeros")
    model.get_layer(HEAD).set_weights([w + 1 for w in model.get_layer(HEAD).get_weights()])
    image = np.zeros((170, 230, 3), "uint8")
    found = Segmenter(model, TWO, tile=64).probabilities(image)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-1)), atol=1e-6)


@pytest.mark.slow
def test_turning(networks, picture):
    """The mean over symmetries turns with the image."""
    segmenter = Segmenter(networks[2], TWO, turning=True)
    image = picture(64, 64)
    found = segmenter.probabilities(image)
    for turn, back in SYMMETRIES:
        np.testing.assert_array_equal(back(turn(image)), image)
        np.testing.assert_allclose(back(segmenter.probabilities(turn(image))), found, atol=1e-5)
    assert len({turn(image).tobytes() for turn, _ in SYMMETRIES}) == 8
    plain = Segmenter(networks[2], TWO).probabilities(image)
    assert np.abs(plain - found).max() > 1e-4


def test_thresholds(files, networks, picture):
    image = picture(40, 40)
    segmenter = Segmenter(files[2], threshold=0.55)
    shares = segmenter.probabilities(image)
    np.testing.assert_array_equal(segmenter(image), shares >= 0.55)
    assert Segmenter(files[2]).threshold == 0.5
    for wrong in ({"threshold": 1.5}, {"tile": 20}):
        with pytest.raises(InputError):
            Segmenter(files[2], **wrong)
    with pytest.raises(InputError, match="has shape"):
        segmenter(np.zeros((3, 40, 40, 3)))


def test_grey_and_deep_images(networks, rng):
    segmenter = Segmenter(networks[3], THREE)
    grey = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    found = segmenter.probabilities(grey)
    for same in (
        grey.astype("float32"),
        grey.astype("uint16") * 257,
        np.repeat(grey[..., None], 3, -1),
    ):
        np.testing.assert_array_equal(segmenter.probabilities(same), found)
