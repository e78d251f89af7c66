"""The slider of sizes, in px and in degrees of visual angle."""

import pytest

import unetpred

pytest.importorskip("gradio")
pytest.importorskip("plotly")

from unetpred.app.sizes import Scale, hole_side, rescaled, scale_of

PX = Scale()


@pytest.mark.parametrize("per_degree", [0.3, 2, 20, 33.3, 60, 1000, 1e6])
def test_a_size_survives_the_way_to_degrees_and_back(per_degree):
    degrees = Scale("deg", per_degree)
    for side in (8, 9, 52, 131, 160):
        size = rescaled(side, PX, degrees)
        least, most, _ = degrees.ends()
        assert least <= size <= most
        assert rescaled(size, degrees, PX) == side


@pytest.mark.parametrize("per_degree", [0.3, 2, 20, 33.3, 60, 1000])
def test_the_ends_in_degrees_are_those_in_px(per_degree):
    least, most, step = Scale("deg", per_degree).ends()
    assert hole_side(least, "deg", per_degree) in (8, 9)
    assert hole_side(most, "deg", per_degree) in (159, 160)
    assert step * per_degree <= 1 or step == 0.01


def test_degrees_stay_where_a_degree_gets_other_px():
    assert rescaled(2.6, Scale("deg", 20.0), Scale("deg", 40.0)) == 2.6
    assert rescaled(7.5, Scale("deg", 20.0), Scale("deg", 40.0)) == 4  # 160 px


@pytest.mark.parametrize("per_degree", [None, 0, 1e-9, 1e9, float("nan")])
def test_degrees_need_px_per_degree(per_degree):
    assert scale_of("px", per_degree) == PX
    with pytest.raises(unetpred.InputError, match="pixels per degree"):
        scale_of("deg", per_degree)
