"""Pictures of the network: their panels hold the arrays that were given."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.network.layer_outputs import layer_masks
from unetpred.network.model import build_unetpred
from unetpred.plots import activation_grid, filters, mask_evolution


def rendered(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def panels(figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def shrunk(hole: int, layers: int) -> int:
    """Side of a centred hole after so many 3x3 partial convolutions."""
    return max(hole - 2 * layers, 0)


def test_masks_close_by_two_units_a_layer():
    model = build_unetpred("released", 1 / 64, kernel_initializer="zeros")
    masks = layer_masks(model, hole_mask((96, 128), 20), "vblock[12]_*")
    assert [mask.shape for mask in masks.values()] == [(96, 128)] * 2 + [(48, 64)] * 2
    # a pooled unit is missing where all four of its pixels are: 16 px are 8 units
    sides = [shrunk(20, 1), shrunk(20, 2), shrunk(8, 1), shrunk(8, 2)]
    for mask, side in zip(masks.values(), sides, strict=True):
        np.testing.assert_array_equal(mask, hole_mask(mask.shape, side))
    figure = mask_evolution(masks, columns=3)
    for shown, mask in zip(panels(figure), masks.values(), strict=True):
        np.testing.assert_array_equal(shown, mask)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "vblock1_conv_1\n128x96\n2.6 % missing"
    assert titles[3] == "vblock2_conv_2\n64x48\n0.5 % missing"


def test_masks_are_drawn_in_two_colours():
    mask = hole_mask((40, 40), 20)
    pixels = rendered(mask_evolution({"a": mask}))
    dark = (pixels == (0x08, 0x30, 0x6B)).all(-1)
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    assert dark[rows[0] : rows[-1], columns[0] : columns[-1]].all()
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    assert pixels.shape[1] == 1417  # 180 mm at 200 dpi


def test_filters_are_shown_in_rgb_on_their_own_scales():
    kernel = np.random.default_rng(0).normal(0, 1, (3, 3, 3, 6))
    kernel[..., 4] = 0
    (sheet,) = panels(filters(kernel, columns=4))
    assert sheet.shape == (7, 15, 3)
    for index in range(6):
        row, column = divmod(index, 4)
        shown = sheet[4 * row : 4 * row + 3, 4 * column : 4 * column + 3]
        scale = np.abs(kernel[..., index]).max() or 1
        for red_first, blue_first in ((0, 2), (1, 1), (2, 0)):
            np.testing.assert_allclose(
                shown[..., red_first], 0.5 + kernel[:, :, blue_first, index] / scale / 2
            )
    assert (sheet[3] == 1).all() and (sheet[:, 3::4] == 1).all() and (sheet[4:, 8:] == 1).all()


def test_activations_share_a_scale_and_the_liveliest_are_chosen():
    rng = np.random.default_rng(0)
    values = rng.gamma(1, 1, (12, 20, 40)).astype("float32")
    values[..., 3:11] = 2.5  # eight that say nothing
    figure = activation_grid(values, title="vblock2_conv_1")
    kept = [channel for channel in range(40) if not 3 <= channel < 11]
    assert [int(axes.get_title(loc="left")) for axes in figure.axes[:32]] == kept
    for shown, channel in zip(panels(figure), kept, strict=False):
        np.testing.assert_array_equal(shown, values[..., channel])
    limits = 0, np.quantile(values[..., kept].astype("float64"), 0.999)
    for axes in figure.axes[:32]:
        np.testing.assert_allclose(axes.images[0].get_clim(), limits)
    assert rendered(figure).shape[1] == 1417


def test_bars_begin_at_nothing_without_an_arrow_unless_told():
    values = np.random.default_rng(0).gamma(1, 1, (12, 20, 4)) + 0.5
    bar = activation_grid(values).axes[-1]
    assert bar.get_xlim()[0] == 0 and bar._colorbar.extend == "max"
    figure = activation_grid(values, vmin=1, vmax=20, cmap="magma")
    assert figure.axes[0].images[0].get_clim() == (1, 20)
    assert figure.axes[0].images[0].get_cmap().name == "magma"
    assert figure.axes[-1]._colorbar.extend == "min"
    assert activation_grid(values - 1, vmax=3).axes[0].images[0].get_clim()[0] < 0


@pytest.mark.parametrize("width", [85, 180])
def test_long_labels_have_room(width):
    names = [f"vblock{number}_conv_2" for number in range(6, 11)]
    masks = {name: hole_mask((56, 56), 8) for name in names}
    values = np.random.default_rng(0).gamma(1, 1, (14, 14, 5))
    grid = activation_grid(values, range(5), labels=names, width=width)
    for figure in (mask_evolution(masks, width=width), grid):
        figure.draw_without_rendering()
        shown = [axes._left_title.get_window_extent() for axes in figure.axes[:5]]
        for index, box in enumerate(shown):
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in shown[index + 1 :])


def test_little_that_is_missing_is_not_called_nothing():
    mask = np.ones((100, 100))
    titles = []
    for missing in (0, 1, 5):
        mask.flat[:missing] = 0
        titles.append(mask_evolution({"a": mask}).axes[0].get_title(loc="left").split("\n")[-1])
    assert titles == ["0.0 % missing", "<0.1 % missing", "0.1 % missing"]


def test_networks_are_drawn_into_given_axes():
    from matplotlib.figure import Figure

    own = Figure()
    cells = own.subplots(2, 2)
    values = np.random.default_rng(0).gamma(1, 1, (12, 20, 3))
    assert activation_grid(values, ax=cells.flat[:3], vmax=9) is own
    assert len(own.axes) == 4  # no bar
    np.testing.assert_array_equal(cells[0, 1].images[0].get_array(), values[..., 1])
    assert filters(np.ones((3, 3, 3, 2)), ax=cells[1, 1]) is own
    assert cells[1, 1].images[0].get_array().shape == (3, 7, 3)
    other = Figure().subplots(1, 2)
    assert mask_evolution({"a": np.ones((4, 4)), "b": np.ones((4, 4))}, ax=other) is other[0].figure
    with pytest.raises(InputError, match="ax: 2 axes for one per picture; 1 are needed"):
        mask_evolution({"a": np.ones((4, 4))}, ax=other)


def test_signed_activations_have_zero_in_the_middle():
    values = np.random.default_rng(0).normal(1, 2, (12, 20, 3))
    figure = activation_grid(values, channels=[2, 0], labels=["two", "none"], width=85)
    assert figure.get_figwidth() * 25.4 == pytest.approx(85)
    assert figure.axes[2].get_xlabel() == "activation"
    named = activation_grid(values, scale="parts of the largest")
    assert named.axes[-1].get_xlabel() == "parts of the largest"
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["two", "none"]
    np.testing.assert_array_equal(panels(figure)[0], values[..., 2])
    np.testing.assert_array_equal(panels(figure)[1], values[..., 0])
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high and high > 5


def test_silent_layers_can_be_shown():
    assert panels(activation_grid(np.zeros((4, 4, 2))))[0].tolist() == np.zeros((4, 4)).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mask_evolution({}), "no mask"),
        (lambda: mask_evolution({"a": np.ones((1, 4, 4))}), r"a: mask of shape \(1, 4, 4\)"),
        (lambda: filters(np.ones((3, 3, 4, 2))), r"\(3, 3, 4, 2\)"),
        (lambda: activation_grid(np.ones((4, 4))), r"\(4, 4\)"),
        (lambda: activation_grid(np.ones((4, 4, 2)), [2]), r"channels \[2\]"),
        (lambda: activation_grid(np.ones((4, 4, 2)), labels=["a"]), "labels: 1 for 2"),
        (lambda: activation_grid(np.full((4, 4, 2), np.nan)), "NaN"),
        (lambda: activation_grid(np.ones((4, 4, 2)), vmin=3, vmax=2), "vmin 3 and vmax 2"),
        (lambda: activation_grid(np.ones((4, 4, 2)), cmap="blueish"), "cmap 'blueish'"),
    ],
)
def test_what_cannot_be_shown_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
