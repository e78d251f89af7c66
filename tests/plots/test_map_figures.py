"""Figures of maps: their layout in every format, their colours, and axes of the caller's own."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unetpred.errors import InputError
from unetpred.plots import map_overlay


def photograph(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype("uint8")


def scores(height: int, width: int, stride: int = 20) -> SimpleNamespace:
    """As a `PredictabilityMap`, as far as it is drawn."""
    rng = np.random.default_rng(1)
    x, y = np.arange(10, width, stride), np.arange(10, height, stride)
    structure = rng.uniform(0, 1, (len(y), len(x)))
    structure[0, 0] = np.nan
    return SimpleNamespace(x=x, y=y, structure=structure, content=2 * structure)


FORMATS = [(300, 300), (100, 500), (300, 200), (84, 900), (900, 84)]


@pytest.mark.parametrize("width", [50, 85, 180])
@pytest.mark.parametrize("size", FORMATS)
def test_everything_is_in_the_figure_and_the_bar_is_as_long_as_the_map(size, width):
    drawn = map_overlay(photograph(*size), scores(*size), caption="one\ntwo", width=width)
    assert drawn.get_figwidth() * 25.4 == pytest.approx(width)
    assert drawn.get_figheight() * 25.4 < 240
    drawn.draw_without_rendering()
    photo, overlay, bar = (axes.get_window_extent() for axes in drawn.axes)
    assert photo.size == pytest.approx(overlay.size, abs=1)
    assert overlay.height / overlay.width == pytest.approx(size[0] / size[1], rel=0.05)
    if bar.x0 > overlay.x1:
        assert (bar.y0, bar.y1) == pytest.approx((overlay.y0, overlay.y1), abs=1)
    else:
        assert (bar.x0, bar.x1) == pytest.approx((overlay.x0, overlay.x1), abs=1)
    boxes = [axes.get_tightbbox() for axes in drawn.axes]
    boxes.append(drawn.texts[0].get_window_extent())
    for index, box in enumerate(boxes):
        if index < 2 and min(photo.size) < 150:
            continue  # a title is longer than so narrow a picture
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_colours_are_the_callers_and_arrows_say_what_lies_beyond():
    image, result = photograph(100, 150), scores(100, 150)
    overlay, bar = map_overlay(image, result, vmin=0.2, vmax=0.7, cmap="magma").axes[1:]
    assert overlay.images[-1].get_clim() == (0.2, 0.7)
    assert overlay.images[-1].get_cmap().name == "magma"
    assert bar._colorbar.extend == "both"
    assert map_overlay(image, result).axes[2]._colorbar.extend == "neither"
    upper = map_overlay(image, result, "content", vmax=1.0).axes[2]._colorbar
    assert (upper.vmin, upper.vmax, upper.extend) == (0, 1, "max")
    with pytest.raises(InputError, match=r"vmin 2 and vmax 1: vmin has to be below"):
        map_overlay(image, result, vmin=2)
    with pytest.raises(InputError, match="cmap 'virids': matplotlib has none"):
        map_overlay(image, result, cmap="virids")


def test_a_bare_map_has_the_colours_of_its_bar():
    image, result = photograph(100, 150), scores(100, 150)
    overlay = map_overlay(image, result, blend=False).axes[1]
    (drawn,) = overlay.images
    assert drawn.get_alpha() is None
    canvas = FigureCanvasAgg(overlay.figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    transform = overlay.transData.transform
    for row, y in enumerate(result.y):
        for column, x in enumerate(result.x):
            left, up = transform((x, y)).astype(int)
            seen = pixels[len(pixels) - 1 - up, left, :3] / 255
            value = result.structure[row, column]
            bare = (0xE6 / 255,) * 3
            wanted = bare if np.isnan(value) else drawn.get_cmap()(value)[:3]
            np.testing.assert_allclose(seen, wanted, atol=0.005)
    assert len(map_overlay(image, result).axes[1].images) == 2  # blended: the photograph below


def test_maps_go_into_given_axes():
    image, result = photograph(100, 150), scores(100, 150)
    own = Figure(layout="constrained")
    alone, left, right = own.subplots(1, 3)
    assert map_overlay(image, result, ax=alone, mask_size=30, caption="no") is own
    assert map_overlay(image, result, ax=[left, right], mask_size=30, bar=False) is own
    assert len(own.axes) == 3 and not own.texts  # a bar is a part of its map
    (bar,) = alone.child_axes
    assert not right.child_axes and not alone.patches and len(left.patches) == 1
    own.draw_without_rendering()
    map_box, bar_box = alone.get_window_extent(), bar.get_window_extent()
    assert (bar_box.y0, bar_box.y1) == pytest.approx((map_box.y0, map_box.y1), abs=1)
    with pytest.raises(InputError, match="ax: 3 axes for photograph and map; 2 are needed"):
        map_overlay(image, result, ax=[alone, left, right])
