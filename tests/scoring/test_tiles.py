"""Outputs computed in tiles against those of the whole image."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from unetpred.holes.masks import hole_mask
from unetpred.network.model import build_unetpred
from unetpred.scoring import hole_outputs, tiles
from unetpred.scoring.predictor import Predictor


def rounding(output, strict):
    """What parts may differ by. JAX and PyTorch round differently for every size of a part."""
    return strict if keras.config.backend() == "tensorflow" else 1e-5 * np.abs(output).max()


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["paper", "released"])
def test_tiles_give_the_whole_output(variant):
    keras.utils.set_random_seed(0)
    model = build_unetpred(variant, width=0.0625)
    rng = np.random.default_rng(0)
    image = rng.normal(0, 50, (1, 203, 331, 3)).astype("float32")
    mask = (rng.random((1, 203, 331, 1)) < 0.9).astype("float32")
    mask[:, 50:90, 100:160] = 0
    whole = ops.convert_to_numpy(model([image, mask]))
    bound = rounding(whole, 1e-5 * whole.std())
    output = tiles.tiled_output(model, image, mask, [(0, 0, 203, 331)], side=96)
    np.testing.assert_allclose(output, whole, atol=bound)

    box = (50, 100, 90, 160)
    part = tiles.tiled_output(model, image, mask, [box], side=32)
    np.testing.assert_allclose(part[:, 50:90, 100:160], whole[:, 50:90, 100:160], atol=bound)
    assert not part[:, :18].any()  # where no tile reaches into the box


def test_large_images_are_scored_alike(weights, monkeypatch):
    images = np.random.default_rng(1).uniform(0, 255, (2, 130, 150, 3)).astype("float32")
    masks = np.stack([hole_mask((130, 150), size) for size in (30, 40)])
    expected = Predictor(weights)(images, masks)
    whole = Predictor(weights)(images[:1], masks[0], network_output=True)
    monkeypatch.setattr(hole_outputs, "LARGE", 100)
    result = Predictor(weights)(images, masks)
    np.testing.assert_allclose(result.structure, expected.structure, atol=1e-5)
    bound = rounding(whole.network_output, 1e-3)
    np.testing.assert_allclose(result.filled, expected.filled, atol=bound)
    again = Predictor(weights)(images[:1], masks[0], network_output=True)
    np.testing.assert_allclose(again.network_output, whole.network_output, atol=bound)
