"""What a hole changes of a whole image's features, against those of the image with the hole."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from nets import close

from unetpred.network.forward import forward
from unetpred.network.model import Config, build_unetpred, layer_names
from unetpred.network.reach import Reach, layer_work
from unetpred.network.shared import (
    WholeFeatures,
    hole_windows,
    hole_windows_model,
    reach_of,
    symbolic_windows,
    whole_model,
)

SIZE = HEIGHT, WIDTH = 160, 192


def disc(side):
    middle = (side - 1) / 2
    rows, columns = np.mgrid[:side, :side] - middle
    return (rows**2 + columns**2 > (side / 2) ** 2).astype("float32")


def pattern(side, rng):
    return (rng.random((side, side)) < 0.3).astype("float32")


def corners(side, rng):
    """Of holes in the image's corners, at its borders, and where chance has them."""
    last = np.array(SIZE) - side
    chance = rng.integers(0, last + 1, (5, 2))
    return np.concatenate([[(0, 0), last, (0, last[1]), (last[0], 7), (8, 0)], chance])


@pytest.fixture(params=["paper", "released"])
def narrow(request):
    """A small network, whose biases and masks are felt."""
    keras.utils.set_random_seed(3)
    model = build_unetpred(request.param, 0.03125)
    model.set_weights([w + 0.3 if w.ndim == 1 else w for w in model.get_weights()])
    return request.param, model


# one pixel; a disc; the published size, in part visible; odd, and more than half of the image
@pytest.mark.parametrize("side", [1, 30, 52, 101])
def test_features_are_those_of_the_image_with_the_hole(narrow, picture, rng, side):
    variant, network = narrow
    image, mask = (x[0] for x in picture(4, *SIZE))
    mask = mask[..., 0]
    mask[:9], mask[:, -3:] = 0, 0  # as if the image were padded
    hole = {30: disc(30), 52: pattern(52, rng)}.get(side, np.zeros((side, side), "float32"))
    reach, places = reach_of(network, side), corners(side, rng)
    names = layer_names(variant)

    inputs = symbolic_windows(network, reach)
    computed = hole_windows(network, reach, inputs)
    assert set(computed) == set(names)
    part = keras.Model(inputs, [x for name in names for x in computed[name]])
    whole = WholeFeatures(whole_model(network), image, mask)
    windows = forward(part, whole.windows(reach, hole, places))

    masks = np.repeat(mask[None], len(places), axis=0)
    for one, (top, left) in zip(masks, places, strict=True):
        one[top : top + side, left : left + side] *= hole
    everything = keras.Model(
        network.inputs, [x for name in names for x in network.get_layer(name).output]
    )
    images = np.repeat(image[None], len(places), axis=0)
    expected = forward(everything, [images, masks[..., None]])

    for k, name in enumerate(names):
        spans = [reach.span(name, places[:, axis]) for axis in (0, 1)]
        for i in range(len(places)):
            rows, columns = (
                slice(max(0, start[i]), min(end[i], full))
                for (start, end), full in zip(spans, expected[2 * k].shape[1:3], strict=True)
            )
            assert rows.start < rows.stop and columns.start < columns.stop
            inner = tuple(
                slice(at.start - start[i], at.stop - start[i])
                for at, (start, _) in zip((rows, columns), spans, strict=True)
            )
            for found, all_of_it in zip(windows[2 * k :][:2], expected[2 * k :][:2], strict=True):
                close(found[i][inner], all_of_it[i, rows, columns], all_of_it)
    # the whole window of the output, and it is not what there was before
    assert windows[-2].shape[1:3] == (side, side)


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_a_hole_changes_nothing_beyond_its_reach(variant):
    # by the receptive fields of single units, found by other code
    from unetpred.network.receptive_fields import receptive_span

    config, side = Config(variant), 21
    for row in range(config.multiple):
        first = 50 * config.multiple + row
        reach = Reach(side, config)
        for target in reach.patched:
            source = next(one.source for one in reach.links if one[:2] == ("patch", target))
            if source.startswith("pool"):
                continue
            start, end = reach.span(source, np.array([first]))[:, 0]
            begin, stop = reach.span(target, np.array([first]))[:, 0]
            for unit in (*range(begin - 1, start), *range(end, stop + 1)):
                seen = receptive_span(source, int(unit), int(unit), config)
                assert seen[1] < first or seen[0] >= first + side


def test_one_place_alone(narrow, picture):
    _, network = narrow
    image, mask = (x[0] for x in picture(4, 96, 64))
    hole, place = np.zeros((21, 21), "float32"), np.array([(40, 20)])
    reach = reach_of(network, 21)
    whole = WholeFeatures(whole_model(network), image, mask[..., 0])
    model = hole_windows_model(network, reach)
    (one,), (two,) = (
        forward(model, whole.windows(reach, hole, place.repeat(n, 0))) for n in (1, 2)
    )
    close(one[0], two[1])


def test_work_is_a_fraction_of_that_of_a_crop():
    # 15.3 GMAC: VGG-16's convolutions at 224 px
    config = Config()
    levels = {name: int(name[6]) - 1 for name in layer_work(config)}
    whole = sum(n * (224 >> levels[name]) ** 2 for name, n in layer_work(config).items())
    assert whole == pytest.approx(15.35e9, rel=1e-3)
    assert 3.5e9 < Reach(52, config).multiply_adds() < 4.5e9
