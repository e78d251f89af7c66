"""Drawn patterns: ranges, seeds, and what makes a stripe a stripe."""

from __future__ import annotations

import numpy as np
import pytest

from unetpred.photographs.dataset import Photographs
from unetpred.photographs.patterns import KINDS, random_pattern


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_values_and_seed(kind):
    for seed in range(20):
        pattern = random_pattern(seed, 48, kind)
        assert pattern.shape == (48, 48, 3)
        assert pattern.dtype == np.float32
        assert pattern.min() >= 0
        assert pattern.max() <= 255
        np.testing.assert_array_equal(pattern, random_pattern(seed, 48, kind))


def test_unknown_kind():
    with pytest.raises(ValueError, match="spiral"):
        random_pattern(0, 48, "spiral")


@pytest.mark.parametrize("kind", ["bars", "edge"])
def test_they_go_on_through_a_hole(kind):
    """Gradients of parallel stripes share one orientation: the structure tensor has rank one.

    Half of the patterns are bent, so it must hold for at least a quarter of them.
    """
    straight = 0
    for seed in range(40):
        luminance = random_pattern(seed, 64, kind).mean(axis=-1)
        gy, gx = np.gradient(luminance)
        tensor = np.array([[(gx * gx).sum(), (gx * gy).sum()], [(gx * gy).sum(), (gy * gy).sum()]])
        small, large = np.linalg.eigvalsh(tensor)
        straight += small < 0.2 * large
    assert straight >= 10


def test_their_share_of_the_crops(tmp_path):
    """Among crops of one even photograph, those with any variance are patterns."""
    from PIL import Image

    Image.fromarray(np.full((40, 40, 3), 90, "uint8")).save(tmp_path / "even.png")
    files = [tmp_path / "even.png"]
    for share in (0.0, 0.3, 1.0):
        photographs = Photographs(files, 32, 20, augmentation="none", patterns=share)
        batches = [photographs.batch(step) for step in range(10)]
        drawn = np.concatenate([batch.images.std(axis=(1, 2, 3)) > 0 for batch in batches])
        assert [name == "a pattern" for batch in batches for name in batch.files] == drawn.tolist()
        assert abs(drawn.mean() - share) < 0.1
