"""What is drawn around holes and contexts covers no filling and lies where it should."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.plots import triptych
from unetpred.plots.outlines import around_hole, outline_box, outline_hole


def rendered(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (height, width, 3)).astype("uint8")


def panels(figure, shape, rows: int) -> list[list[np.ndarray]]:
    """The pictures of a triptych, all of one shape, row by row."""
    pixels, (tall, wide) = rendered(figure), shape
    pad, line = int(0.05 * figure.dpi), round(0.15 * figure.dpi)
    corners = [
        (pad + line + row * (tall + pad + line), pad + column * (wide + pad))
        for row in range(rows)
        for column in range(3)
    ]
    shown = [pixels[top : top + tall, left : left + wide] for top, left in corners]
    return [shown[3 * row : 3 * row + 3] for row in range(rows)]


def test_an_outline_lies_around_the_hole_by_a_pixel_loop():
    levels, hole = photograph(40, 50), np.zeros((40, 50), bool)
    hole[10:20, 30:50] = True  # to the border
    hole[30, 5] = True
    drawn = outline_hole(levels, hole)
    for row in range(40):
        for column in range(50):
            rows, columns = np.nonzero(hole)
            distance = np.maximum(abs(rows - row), abs(columns - column)).min()
            expected = {0: levels[row, column], 1: (255,) * 3, 2: (0,) * 3}
            wanted = expected.get(int(distance), levels[row, column])
            np.testing.assert_array_equal(drawn[row, column], wanted)


def test_noise_has_no_outline():
    hole = np.random.default_rng(0).random((60, 60)) < 0.5
    np.testing.assert_array_equal(outline_hole(photograph(60, 60), hole), photograph(60, 60))


def test_a_context_is_dashed_and_may_leave_the_picture():
    levels = photograph(100, 120)
    drawn = outline_box(levels, (20, -30, 70, 60))
    changed = (drawn != levels).any(axis=-1)
    wanted = np.zeros((100, 120), bool)
    wanted[20:70, :60] = True
    wanted[22:68, :58] = False
    np.testing.assert_array_equal(changed, wanted)
    assert {tuple(pixel) for pixel in drawn[wanted]} == {(0, 0, 0), (255, 255, 255)}


@pytest.mark.parametrize("centre", [(112, 112), (20, 200)])
def test_a_small_hole_is_shown_enlarged_and_its_filling_whole(centre):
    image, filled = photograph(224, 224), photograph(224, 224, 1)
    mask = np.ones((224, 224))
    hole = np.s_[centre[0] - 16 : centre[0] + 16, centre[1] - 16 : centre[1] + 16]
    mask[hole] = 0
    first, second = panels(triptych(image, mask, filled), (448, 448), 2)
    np.testing.assert_array_equal(first[0], image.repeat(2, 0).repeat(2, 1))
    inside = np.s_[2 * hole[0].start : 2 * hole[0].stop, 2 * hole[1].start : 2 * hole[1].stop]
    np.testing.assert_array_equal(first[2][inside], filled[hole].repeat(2, 0).repeat(2, 1))
    region = around_hole(mask == 0, (448, 448))
    assert region.factor == 7 and region.size == (64, 64)
    part = image[region.rows, region.columns]
    np.testing.assert_array_equal(second[0], part.repeat(7, 0).repeat(7, 1))
    missing = (mask == 0)[region.rows, region.columns].repeat(7, 0).repeat(7, 1)
    assert missing.sum() == 7 * 7 * 32 * 32  # all of the hole
    assert (second[1][missing] == 128).all()
    result = filled[region.rows, region.columns].repeat(7, 0).repeat(7, 1)
    np.testing.assert_array_equal(second[2][missing], result[missing])
    assert (second[2][~missing] != result[~missing]).any()  # the line


def test_large_holes_and_holes_on_demand():
    image = photograph(224, 224)
    mask = hole_mask((224, 224), 56)  # a quarter
    assert len(triptych(image, mask, image).axes) == 3
    assert len(triptych(image, mask, image, zoom=True).axes) == 6
    assert len(triptych(image, hole_mask((224, 224)), image).axes) == 6
    assert len(triptych(image, hole_mask((224, 224)), image, zoom=False).axes) == 3
    assert len(triptych(image, hole_mask((224, 224), 200), image, zoom=True).axes) == 3  # no gain
    assert len(triptych(image, np.ones((224, 224)), image, zoom=True).axes) == 3


def test_a_hole_in_a_reduced_image_is_enlarged_from_its_own_pixels():
    image, mask = photograph(1500, 2100), np.ones((1500, 2100))
    mask[1400:1450, 10:60] = 0
    region = around_hole(mask == 0, (500, 700))
    assert region.factor == 5 and region.size == (100, 140)
    assert region.rows == slice(1375, 1475) and region.columns == slice(0, 140)
    _, second = panels(triptych(image, mask, image, outline=False), (500, 700), 2)
    part = image[region.rows, region.columns]
    np.testing.assert_array_equal(second[0], part.repeat(5, 0).repeat(5, 1))


def test_the_context_is_on_the_original_alone():
    image = photograph(224, 224)
    mask = hole_mask((224, 224), 100)
    ((first, _, _),) = panels(
        triptych(image, mask, image, context=(10, 20, 110, 300)), (448, 448), 1
    )
    large = image.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(first, outline_box(large, (20, 40, 220, 600)))
    ((plain, masked, _),) = panels(triptych(image, mask, image), (448, 448), 1)
    np.testing.assert_array_equal(plain, large)
    np.testing.assert_array_equal(masked[mask.repeat(2, 0).repeat(2, 1) == 1],
                                  large[mask.repeat(2, 0).repeat(2, 1) == 1])  # fmt: skip


def test_a_triptych_goes_into_given_axes():
    own, image = Figure(), photograph(100, 100)
    cells = own.subplots(1, 3)
    assert triptych(image, hole_mask((100, 100), 20), image, ax=cells) is own
    assert [cell.get_title(loc="left") for cell in cells] == ["original", "masked", "filled in"]
    assert len(own.axes) == 3
    with pytest.raises(InputError, match="ax: 2 axes for original, masked and filled in; 3 are"):
        triptych(image, hole_mask((100, 100), 20), image, ax=cells[:2])
