"""The benchmarks compare like with like: the same output, and operations counted by hand."""

import numpy as np
import pytest

from benchmarks.flops import Convolution, convolutions, plain_network
from benchmarks.naive import NaivePConv, naive_copy
from benchmarks.scoring import score_naively
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio
from unetpred.holes.masks import hole_mask
from unetpred.network.model import VARIANTS, build_hole_model, build_unetpred, layer_names
from unetpred.scoring.predictor import Predictor
from unetpred.weights import files as weights


@pytest.mark.parametrize("variant", VARIANTS)
def test_naive_network_is_ours(variant, compute, picture):
    model = build_unetpred(variant, width=0.0625)
    model.set_weights([w + 0.5 if w.ndim == 1 else w for w in model.get_weights()])
    image, mask = picture(3, 96, 128, batch=2)
    naive = naive_copy(model)
    named = [layer.name for layer in naive.layers if isinstance(layer, NaivePConv)]
    assert sorted(named) == sorted(layer_names(variant))
    ours = compute(model, image, mask)
    theirs = compute(naive, image, np.repeat(mask, 3, axis=-1))
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * ours.std())


def test_naive_score_is_ours(monkeypatch):
    model = build_unetpred(width=0.0625)
    monkeypatch.setattr(weights, "load_model", lambda *_: model)
    images = np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)).astype("float32")
    mask = hole_mask((96, 96))[..., None]
    ours = Predictor().score(images, mask[None]).structure
    np.testing.assert_allclose(score_naively(naive_copy(model), images, mask), ours, atol=1e-5)


def test_operations_equal_a_count_by_hand():
    # an image of 32x32, the hole its rows and columns 8..23: released, so four poolings, and
    # filters of 4, 8, 16, 32, 32 in the encoder
    model = build_hole_model(build_unetpred("released", width=0.0625), 32, 32, (8, 8, 24, 24))
    encoder = [(32, 3, 4), (32, 4, 4), (16, 4, 8), (16, 8, 8), (8, 8, 16), (8, 16, 16), (8, 16, 16)]
    encoder += [(4, 16, 32), (4, 32, 32), (4, 32, 32), (2, 32, 32), (2, 32, 32), (2, 32, 32)]
    # the output's 16 need 18 before it, those 20, and so 10..12 at half the size, and so on
    decoder = [(4, 64, 32), (4, 32, 32)]  # block 7: all of 4x4 is needed
    decoder += [(8, 48, 16), (8, 16, 16)]  # block 8: all of 8x8
    decoder += [(14, 24, 8), (12, 8, 8)]  # block 9: 1..14 of 16x16, then 2..13
    decoder += [(20, 12, 4), (18, 4, 4), (16, 7, 3)]  # block 10 at full size, and the output
    by_hand = [
        size * size * 9 * channels * filters for size, channels, filters in encoder + decoder
    ]
    counted = [shape.multiply_adds for shape in convolutions(model)]
    assert sorted(counted) == sorted(by_hand)


def test_plain_network_computes_those_shapes():
    shapes = [Convolution(6, 7, 3, 4, "same"), Convolution(5, 6, 2, 3, "valid")]
    assert [shape.multiply_adds for shape in shapes] == [6 * 7 * 9 * 3 * 4, 3 * 4 * 9 * 2 * 3]
    # of ones, the corner of a "same" convolution sees 2x2 cells, a "valid" one all 3x3
    given = plain_network(shapes, 2, False).predict_on_batch(np.full((1, 1), 0.5, "float32"))
    assert float(given[0, 0]) == 0.5 + 4 * 3 + 9 * 2


def test_times_are_taken_in_turn():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    times = interleaved(calls, rounds=3, warm=1)
    assert order == list("abababab") and [len(t) for t in times.values()] == [3, 3]
    assert ratio({"a": [2.0, 9.0, 4.0], "b": [1.0, 1.0, 1.0]}, "a", "b") == 4


def test_tables():
    table = Table("Cost", ("images", "ms"), [(10, 1.23456), ("all", "")], "Read me.")
    lines = ["## Cost", "", "Read me.", "", "| images | ms |", "| --- | --- |", "| 10 | 1.23 |"]
    assert str(table).splitlines() == [*lines, "| all |  |"]
