"""Windows of a network's output, computed alone, equal the whole output there."""

from __future__ import annotations

import numpy as np
import pytest
from nets import close

from unetpred.network.model import Config, aligned_field, build_hole_model, build_unetpred
from unetpred.network.windows import Window

# (top, left, bottom, right) within the size; "random" is drawn from the seed
HOLES = [
    ("paper", 1, (96, 128), "random"),
    ("paper", 1, (96, 128), (0, 0, 52, 52)),
    ("paper", 1, (96, 128), (40, 70, 96, 128)),
    ("paper", 1, (100, 151), "random"),
    ("paper", 1, (100, 151), (0, 60, 17, 151)),
    ("paper", 1, (100, 151), (0, 0, 100, 151)),
    ("paper", 1, (100, 151), (51, 77, 52, 78)),
    ("paper", 3, (100, 151), "random"),
    ("paper", 3, (100, 151), (83, 0, 100, 30)),
    ("released", 1, (85, 98), "random"),
    ("released", 1, (85, 98), "random"),
    ("released", 1, (85, 98), (60, 44, 85, 98)),
    ("released", 1, (96, 128), (0, 100, 96, 128)),
    ("released", 3, (85, 98), "random"),
    ("released", 3, (85, 98), (0, 0, 31, 33)),
]


@pytest.mark.parametrize("seed", range(len(HOLES)), ids=lambda i: "-".join(map(str, HOLES[i])))
def test_a_window_equals_the_whole_output_there(network, compute, picture, seed):
    variant, mask_channels, (height, width), box = HOLES[seed]
    if box == "random":
        rng = np.random.default_rng(seed)
        bottom, right = rng.integers(20, height), rng.integers(20, width)
        box = (int(rng.integers(0, bottom)), int(rng.integers(0, right)), int(bottom), int(right))
    top, left, bottom, right = box
    # the mask's hole need not be the window
    image, mask = picture(seed, height, width, batch=2, channels=mask_channels)
    model = network(variant, mask_channels)
    hole_model = build_hole_model(model, height, width, box)
    assert hole_model.output_shape == (None, bottom - top, right - left, 3)
    part = compute(hole_model, image, mask)
    whole = compute(model, image, mask)
    assert part.shape == (2, bottom - top, right - left, 3)
    close(part, whole[:, top:bottom, left:right], whole)


def test_hole_model_shares_the_weights(compute, picture):
    model = build_unetpred("released", 0.0625)
    hole_model = build_hole_model(model, 90, 90, (30, 20, 60, 50))
    assert {id(w) for w in hole_model.weights} == {id(w) for w in model.weights}
    image, mask = picture(10, 90, 90)
    before = compute(hole_model, image, mask)
    model.get_layer("block10").bias.assign([1.0, 2.0, 3.0])
    difference = compute(hole_model, image, mask) - before
    np.testing.assert_allclose(
        difference, np.broadcast_to([1, 2, 3], difference.shape), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (-1, 0, 5, 5), (0, 0, 91, 20), (30, 20, 10, 40)])
def test_hole_model_rejects_boxes_that_are_not_in_the_image(network, box):
    with pytest.raises(ValueError, match=r"box .*90x90"):
        build_hole_model(network("released"), 90, 90, (1, 1, 9, 9), box)


def test_hole_model_needs_a_box(network):
    with pytest.raises(ValueError, match="at least one box"):
        build_hole_model(network("released"), 90, 90)


@pytest.mark.slow
def test_several_windows_at_once(network, compute, picture):
    image, mask = picture(14, 85, 98)
    model, boxes = network("paper"), [(0, 3, 20, 40), (10, 30, 60, 98), (84, 97, 85, 98)]
    parts = build_hole_model(model, 85, 98, *boxes).predict([image, mask], verbose=0)
    whole = compute(model, image, mask)
    for part, (top, left, bottom, right) in zip(parts, boxes, strict=True):
        assert part.shape == (1, bottom - top, right - left, 3)
        close(part, whole[:, top:bottom, left:right], whole)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["paper", "released"])
def test_windows_of_an_image_larger_than_the_receptive_field(variant, compute, picture):
    model = build_unetpred(variant, 0.03125)
    model.set_weights([w + 0.1 if w.ndim == 1 else w for w in model.get_weights()])
    image, mask = picture(8, 90, 1100)
    whole = compute(model, image, mask)
    # at the border, in the middle; the last two near enough to share what they depend on
    boxes = [(30, 0, 61, 40), (3, 507, 90, 530), (20, 540, 50, 555)]
    windows = build_hole_model(model, 90, 1100, *boxes).predict([image, mask], verbose=0)
    alone = compute(build_hole_model(model, 90, 1100, boxes[1]), image, mask)
    for (top, left, bottom, right), window in zip(boxes, windows, strict=True):
        expected = whole[:, top:bottom, left:right]
        np.testing.assert_allclose(window, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(alone, windows[1], atol=1e-5 * np.abs(alone).max())


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_receptive_field_is_no_larger_than_needed(variant):
    config = Config(variant)
    grid = 64 * config.multiple
    for top in range(grid // 2, grid // 2 + config.multiple):
        window = Window(top, top, top + 52, top + 52, grid, grid)
        field = aligned_field(window, config)
        assert field.top % config.multiple == field.bottom % config.multiple == 0
        assert field.top < top
        assert top + 52 < field.bottom
        assert field.bottom - field.top <= {"paper": 416, "released": 336}[variant]
