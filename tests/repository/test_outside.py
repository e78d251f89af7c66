"""The script that tells where the networks are ahead of a harmonic filling."""

import sys

import numpy as np
import pandas
import pytest
from PIL import Image

sys.path.insert(0, "examples")
import outside_photographs as outside


@pytest.fixture
def drawn(tmp_path):
    """A place in a picture."""

    def draw(pixels):
        Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(tmp_path / "a.png")
        return pandas.Series({"image": str(tmp_path / "a.png"), "x": 112, "y": 112})

    return draw


def test_kinds_of_places(drawn):
    rng = np.random.default_rng(0)
    across = np.arange(224)
    stripes = 128 + 60 * np.sin(across / 4 + across[:, None] / 7)
    assert outside.kind(drawn(stripes)) == "one orientation"
    assert outside.kind(drawn(stripes.T)) == "one orientation"
    assert outside.kind(drawn(128 + rng.normal(0, 40, (224, 224)))) == "texture and mixed"
    assert outside.kind(drawn(128 + rng.normal(0, 2, (224, 224)))) == "smooth"


def test_interval_draws_photographs_not_places():
    values, groups = np.array([1.0, 1.0, 1.0, 0.0]), np.array(["a", "a", "a", "b"])
    # two photographs: both drawn are a (1), b (0), or one of each (0.75)
    assert outside.interval(values, groups) == "+0.750 [+0.000, +1.000]"
    assert outside.interval(np.full(4, 0.5), groups) == "+0.500 [+0.500, +0.500]"


def test_contexts_lie_within_the_photograph(drawn, tmp_path):
    Image.new("RGB", (640, 230)).save(tmp_path / "wide.png")
    table = outside.places([tmp_path / "wide.png"])
    assert table["x"].tolist()[:4] == [112, 250, 389, 528]
    assert sorted(set(table["y"])) == [112, 115, 118]
    assert outside.crop(table.iloc[0], 224).shape == (224, 224, 3)
