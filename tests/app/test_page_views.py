"""What the page shows of a hole lies where the hole is."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
pytest.importorskip("plotly")

from unetpred.app.engine import Answer, Spot
from unetpred.app.opened import open_picture
from unetpred.app.views import marked, panels
from unetpred.holes.hole import Hole


def answer_of(picture, spot) -> Answer:
    """As a network that fills every hole with black would give it."""
    scene = spot.scenes.scene(picture.source.load(), 0)
    high, wide = scene.hole.shape
    (height, width), (top, left) = picture.size, (scene.top, scene.left)
    inside = max(0, -top), max(0, -left), min(high, height - top), min(wide, width - left)
    black = scene.pixels * scene.hole[..., None]
    names = ("network", "harmonic", "telea", "mean_fill")
    ends = ("", "_harmonic", "_telea", "_mean_fill")
    row = {f"structure{end}": 0.5 for end in ends}
    fillings = dict.fromkeys(names, black)
    return Answer(row, scene.pixels, scene.hole, fillings, (top, left), inside, 0.0)


@pytest.mark.parametrize("size", [(100, 140), (400, 300), (700, 2048)])
@pytest.mark.parametrize("context", [224, "full"])
def test_the_line_is_around_the_hole(size, context, tmp_path):
    height, width = size
    pixels = np.random.default_rng(0).integers(1, 255, (height, width, 3)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    picture = open_picture(tmp_path / "noise.png")
    spot = Spot(Hole(40, "disc", (width - 30, 25)), None, context)
    drawn = marked(picture, spot, answer_of(picture, spot))
    shown = picture.shown()
    high, wide = shown.shape[:2]
    mask = np.zeros(size, bool)
    spot.scenes.scene(picture.source.load(), 0).paste(
        spot.scenes.scene(picture.source.load(), 0).hole == 0, mask
    )
    rows = ((np.arange(high) + 0.5) * height / high).astype(int)
    columns = ((np.arange(wide) + 0.5) * width / wide).astype(int)
    hidden = mask[np.ix_(rows, columns)]
    assert hidden.any()
    np.testing.assert_array_equal(drawn[hidden], shown[hidden])
    line = max(1, round(max(high, wide) / 448))
    beside = np.zeros_like(hidden)
    for row, column in np.argwhere(hidden):
        beside[max(0, row - line) : row + line + 1, max(0, column - line) : column + line + 1] = 1
    # the dashes of what surrounds it may cross the line
    dashed = (drawn == 0).all(axis=-1) & (context != "full")
    assert ((drawn == 255).all(axis=-1) | dashed)[beside & ~hidden].all()


def test_panels_show_the_same_part_of_all_fillings(file):
    picture = open_picture(file)
    spot = Spot(Hole(20, center=(20, 100)), None, 224)
    answer = answer_of(picture, spot)
    images, captions = zip(*panels(answer), strict=True)
    assert {image.shape for image in images} == {(256, 256, 3)}
    assert captions[:3] == ("original", "masked", "U-Net-Pred 0.5000")
    original = picture.source.load().astype("uint8")
    np.testing.assert_array_equal(images[0][::2, ::2], original[8:136, 0:128])
    hole = np.s_[2 * 82 : 2 * 102, 2 * 10 : 2 * 30]
    assert (images[1][hole] == images[1][hole][0, 0]).all()
    assert (images[2][hole] == 0).all()
