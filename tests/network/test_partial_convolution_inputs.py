"""What the layers refuse; padding to a multiple and its undoing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from unetpred.network.padding import CropLike, PadToMultiple
from unetpred.network.partial_convolution import PConv2D


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


X, M = np.zeros((2, 8, 9, 6), "float32"), np.ones((2, 8, 9, 1), "float32")


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (X, "pairs"),
        ([X], "pairs"),
        ([X, M, X], "pairs"),
        ([], "pairs"),
        ([X, M[..., [0, 0]]], r"\(2, 8, 9, 2\)"),
        ([X, M, X, M[..., [0] * 5]], r"\(2, 8, 9, 5\)"),
        ([X, M[..., 0]], r"\(2, 8, 9\)"),
        ([X[0], M], r"\(8, 9, 6\)"),
        ([X, M[:, :4]], r"\(2, 4, 9, 1\)"),
        ([X, M[:, :1, :1]], r"\(2, 1, 1, 1\)"),
    ],
    ids=[
        "no list",
        "no mask",
        "odd number",
        "nothing",
        "mask of 2 channels",
        "mask of 5 channels",
        "mask of 3 axes",
        "features of 3 axes",
        "mask of other height",
        "mask of one pixel",
    ],
)
@pytest.mark.parametrize("built", [False, True], ids=["new", "built"])
def test_wrong_inputs_raise_one_clear_error(inputs, says, built):
    layer = PConv2D(3)
    if built:
        layer([X, M])
    with pytest.raises(ValueError, match=rf"PConv2D.*{says}"):
        layer(inputs)


def test_other_channels_than_built_for_raise():
    layer = PConv2D(3)
    layer([X, M])
    with pytest.raises(ValueError, match=r"12 channels.* 6"):
        layer([X, M, X, M])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"filters": 0}, "filters.*0"),
        ({"filters": 2.5}, "filters.*2.5"),
        ({"kernel_size": 0}, "kernel_size.*0"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size"),
        ({"strides": -1}, "strides.*-1"),
        ({"dilation_rate": (1, 0)}, "dilation_rate"),
        ({"padding": "causal"}, "causal"),
        ({"strides": 2, "dilation_rate": 2}, "both"),
    ],
    ids=str,
)
def test_wrong_options_raise(options, says):
    with pytest.raises(ValueError, match=says):
        PConv2D(**{"filters": 4, **options})


def test_channels_first_is_rejected():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="channels_last"):
            PConv2D(4)
    finally:
        keras.config.set_image_data_format(before)


@pytest.mark.parametrize("sizes", [(8, 8), (9, 15), (1, 4), (16, 13)])
def test_pad_and_crop(sizes):
    rng = np.random.default_rng(10)
    x = rng.normal(size=(2, *sizes, 3)).astype("float32")
    m = np.ones((1, *sizes, 1), "float32")
    padded = [numbers(t) for t in PadToMultiple(8)([x, m])]
    for before, after in zip((x, m), padded, strict=True):
        extra = [-size % 8 for size in sizes]
        widths = [(e // 2, e - e // 2) for e in extra]  # the odd pixel to the bottom and right
        np.testing.assert_array_equal(after, np.pad(before, ((0, 0), *widths, (0, 0))))
    np.testing.assert_array_equal(numbers(CropLike()([padded[0], x])), x)
    assert numbers(CropLike()([padded[1], x])).shape == m.shape


def test_pad_and_crop_tell_their_shapes():
    free, fixed = keras.Input((None, None, 3)), keras.Input((20, 33, 1))
    padded = PadToMultiple(16)([free, fixed])
    assert [p.shape for p in padded] == [(None, None, None, 3), (None, 32, 48, 1)]
    assert CropLike()([padded[1], fixed]).shape == (None, 20, 33, 1)
    assert CropLike()([padded[0], free]).shape == (None, None, None, 3)
    layer = PadToMultiple(16, name="pad")
    assert PadToMultiple.from_config(layer.get_config()).multiple == 16
    with pytest.raises(ValueError, match=r"multiple.*0"):
        PadToMultiple(0)
