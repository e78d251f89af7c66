"""Partial convolution against an explicit loop over windows."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from unetpred.network.partial_convolution import PConv2D


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def run(layer, inputs, **kwargs):
    """Give y and m' of a layer as float32 arrays, once they are what it says beforehand."""
    outputs = layer(inputs, **kwargs)
    told = layer([keras.KerasTensor(x.shape, str(x.dtype)) for x in inputs], **kwargs)
    for real, symbolic in zip(outputs, told, strict=True):
        assert tuple(real.shape) == symbolic.shape
        assert keras.backend.standardize_dtype(real.dtype) == symbolic.dtype
    return [numbers(t) for t in outputs]


def reference(pairs, kernel, bias, strides=(1, 1), padding="same", dilation=(1, 1)):
    """Partial convolution window by window, in float64: (y, new mask with one channel)."""
    batch = max(array.shape[0] for array in pairs)
    features, masks = [], []
    for x, m in zip(pairs[0::2], pairs[1::2], strict=True):
        shape = (batch, *x.shape[1:])
        features.append(np.broadcast_to(x, shape).astype("float64"))
        masks.append(np.broadcast_to(m, shape).astype("float64"))
    x, m = np.concatenate(features, -1), np.concatenate(masks, -1)

    sizes, starts = [], []
    for axis in (0, 1):
        size, stride = x.shape[1 + axis], strides[axis]
        reach = (kernel.shape[axis] - 1) * dilation[axis] + 1
        if padding == "valid":
            sizes.append((size - reach) // stride + 1)
            starts.append(0)
        else:
            sizes.append(-(-size // stride))
            starts.append(-(max((sizes[-1] - 1) * stride + reach - size, 0) // 2))

    y = np.zeros((batch, *sizes, kernel.shape[-1]))
    new_mask = np.zeros((batch, *sizes, 1))
    for n in range(batch):
        for row in range(sizes[0]):
            for column in range(sizes[1]):
                visible, response = 0.0, np.zeros(kernel.shape[-1])
                for i in range(kernel.shape[0]):
                    for j in range(kernel.shape[1]):
                        r = starts[0] + row * strides[0] + i * dilation[0]
                        c = starts[1] + column * strides[1] + j * dilation[1]
                        if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]:
                            visible += m[n, r, c].sum()
                            response += (x[n, r, c] * m[n, r, c]) @ kernel[i, j].astype("float64")
                y[n, row, column] = bias
                if visible > 0:
                    y[n, row, column] += response * np.prod(kernel.shape[:3]) / visible
                    new_mask[n, row, column] = 1
    return y, new_mask


def random_pairs(rng, sizes, channels, mask_channels, batch=2, mask_batch=2):
    """Features and masks of every kind of hole: scattered, solid, and one part all hidden."""
    pairs = []
    for c, mc in zip(channels, mask_channels, strict=True):
        x = rng.normal(0, 2, (batch, *sizes, c))
        m = (rng.random((mask_batch, *sizes, mc)) < rng.uniform(0.2, 0.9)).astype("float32")
        m[:, : sizes[0] * 2 // 3, : sizes[1] * 2 // 3] = 0
        pairs += [x.astype("float32"), m]
    return pairs


def layer_for(rng, pairs, filters, kernel_size, **options):
    """Build a layer on the pairs with random kernel and bias; give it and its two weights."""
    layer = PConv2D(filters, kernel_size, **options)
    layer.build([p.shape for p in pairs])
    kernel = rng.normal(0, 0.5, layer.kernel.shape).astype("float32")
    bias = rng.normal(0, 1, filters).astype("float32")
    layer.set_weights([kernel, bias])
    return layer, kernel, bias


CASES = [
    # sizes, kernel, strides, dilation, padding, channels, channels of the masks
    ((9, 11), (3, 3), (1, 1), (1, 1), "same", (3,), (1,)),
    ((9, 11), (3, 3), (1, 1), (1, 1), "same", (3,), (3,)),
    ((9, 11), (3, 3), (1, 1), (1, 1), "valid", (3,), (3,)),
    ((8, 10), (3, 3), (2, 2), (1, 1), "same", (3,), (1,)),
    ((9, 7), (3, 3), (2, 2), (1, 1), "same", (2,), (2,)),
    ((8, 9), (5, 5), (2, 2), (1, 1), "same", (4,), (1,)),
    ((10, 9), (5, 5), (1, 1), (1, 1), "same", (1,), (1,)),
    ((10, 9), (5, 5), (2, 2), (1, 1), "valid", (2,), (1,)),
    ((6, 8), (1, 1), (1, 1), (1, 1), "same", (5,), (1,)),
    ((6, 8), (1, 1), (1, 1), (1, 1), "valid", (5,), (5,)),
    ((7, 8), (1, 1), (2, 2), (1, 1), "same", (2,), (2,)),
    ((8, 9), (2, 2), (1, 1), (1, 1), "same", (3,), (1,)),
    ((8, 9), (2, 2), (2, 2), (1, 1), "same", (3,), (3,)),
    ((8, 9), (2, 2), (1, 1), (1, 1), "valid", (3,), (1,)),
    ((9, 10), (4, 4), (1, 1), (1, 1), "same", (2,), (2,)),
    ((9, 10), (4, 4), (2, 2), (1, 1), "same", (2,), (1,)),
    ((11, 12), (4, 4), (3, 3), (1, 1), "valid", (2,), (1,)),
    ((11, 12), (3, 3), (1, 1), (2, 2), "same", (3,), (1,)),
    ((11, 12), (3, 3), (1, 1), (3, 3), "same", (2,), (2,)),
    ((11, 12), (3, 3), (1, 1), (2, 2), "valid", (2,), (2,)),
    ((9, 12), (3, 5), (2, 1), (1, 1), "same", (2,), (1,)),
    ((12, 11), (2, 3), (1, 1), (2, 1), "same", (3,), (1,)),
    ((9, 10), (3, 3), (1, 1), (1, 1), "same", (4, 3), (1, 1)),
    ((9, 10), (3, 3), (1, 1), (1, 1), "same", (4, 3), (1, 3)),
    ((8, 10), (3, 3), (2, 2), (1, 1), "same", (1, 5), (1, 5)),
    ((9, 10), (3, 3), (1, 1), (1, 1), "valid", (2, 3, 4), (1, 3, 1)),
    ((9, 10), (4, 4), (1, 1), (2, 2), "same", (2, 1, 3), (2, 1, 1)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_loop_over_windows(case):
    sizes, kernel_size, strides, dilation, padding, channels, mask_channels = case
    rng = np.random.default_rng(CASES.index(case))
    mask_batch = 1 + CASES.index(case) % 2
    pairs = random_pairs(rng, sizes, channels, mask_channels, mask_batch=mask_batch)
    layer, kernel, bias = layer_for(
        rng, pairs, 4, kernel_size, strides=strides, padding=padding, dilation_rate=dilation
    )
    y, new_mask = run(layer, pairs)
    expected, expected_mask = reference(pairs, kernel, bias, strides, padding, dilation)
    assert new_mask.shape == (mask_batch, *expected.shape[1:3], 1)
    np.testing.assert_array_equal(np.broadcast_to(new_mask, expected_mask.shape), expected_mask)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_loop_for_random_choices(seed):
    rng = np.random.default_rng(100 + seed)
    kernel_size = tuple(int(k) for k in rng.integers(1, 6, 2))
    stride, dilation = [(1, 1), (2, 1), (3, 1), (1, 2)][seed % 4]
    sizes = tuple(int(s) for s in rng.integers(10, 15, 2))
    channels = tuple(int(c) for c in rng.integers(1, 5, rng.integers(1, 4)))
    mask_channels = [int(rng.choice([1, c])) for c in channels]
    padding = str(rng.choice(["same", "valid"]))
    pairs = random_pairs(rng, sizes, channels, mask_channels)
    layer, kernel, bias = layer_for(
        rng, pairs, 3, kernel_size, strides=stride, padding=padding, dilation_rate=dilation
    )
    y, new_mask = run(layer, pairs)
    expected, expected_mask = reference(
        pairs, kernel, bias, (stride, stride), padding, (dilation, dilation)
    )
    np.testing.assert_array_equal(new_mask, expected_mask)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_empty_windows_give_exactly_the_bias():
    rng = np.random.default_rng(1)
    pairs = random_pairs(rng, (16, 16), (3,), (1,))
    pairs[0] *= 1e6
    layer, _, bias = layer_for(rng, pairs, 5, 3)
    y, new_mask = run(layer, pairs)
    empty = new_mask[..., 0] == 0
    assert empty.sum() >= 2 * 9 * 9
    np.testing.assert_array_equal(y[empty], np.broadcast_to(bias, y[empty].shape))


def test_hidden_values_do_not_matter():
    rng = np.random.default_rng(2)
    pairs = random_pairs(rng, (9, 9), (3, 2), (3, 1))
    layer, *_ = layer_for(rng, pairs, 4, 3)
    y, _ = run(layer, pairs)
    other = [*pairs]
    for i in (0, 2):
        other[i] = np.where(pairs[i + 1] == 0, 1e4, pairs[i]).astype("float32")
    np.testing.assert_array_equal(run(layer, other)[0], y)


def test_one_mask_channel_equals_equal_channels():
    rng = np.random.default_rng(3)
    x, m = random_pairs(rng, (9, 10), (3,), (1,))
    layer, kernel, bias = layer_for(rng, [x, m], 4, 3)
    per_channel = PConv2D(4, 3)
    repeated = np.repeat(m, 3, -1)
    per_channel.build([x.shape, repeated.shape])
    per_channel.set_weights([kernel, bias])
    for one, three in zip(run(layer, [x, m]), run(per_channel, [x, repeated]), strict=True):
        np.testing.assert_allclose(one, three, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation", "padding"),
    [
        *((k, 1, 1, "same") for k in (1, 2, 3, 4, 5)),
        (3, 2, 1, "same"),
        (4, 2, 1, "same"),
        (3, 1, 2, "same"),
        (3, 1, 1, "valid"),
        (2, 2, 1, "valid"),
        (5, 1, 2, "valid"),
    ],
)
def test_is_conv2d_on_a_full_mask(kernel_size, strides, dilation, padding):
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (2, 16, 17, 3)).astype("float32")
    full = np.ones((1, 16, 17, 1), "float32")
    options = {
        "kernel_size": kernel_size,
        "strides": strides,
        "dilation_rate": dilation,
        "padding": padding,
    }
    layer, kernel, bias = layer_for(rng, [x, full], 4, activation="relu", **options)
    plain = keras.layers.Conv2D(4, activation="relu", **options)
    plain.build(x.shape)
    plain.set_weights([kernel, bias])
    y, new_mask = run(layer, [x, full])
    expected = numbers(plain(x))
    assert y.shape == expected.shape
    np.testing.assert_array_equal(new_mask, 1)
    rim = 0 if padding == "valid" else -(-(kernel_size - 1) * dilation // strides)
    inside = np.s_[:, rim : y.shape[1] - rim, rim : y.shape[2] - rim]
    np.testing.assert_allclose(y[inside], expected[inside], rtol=1e-5, atol=1e-5)
    if padding == "same" and (kernel_size, strides) == (3, 1):
        # at the border, padding counts as missing: a corner of 3x3 sees 4 of 9 positions
        bare = PConv2D(4, 3, dilation_rate=dilation, use_bias=False)
        bare.build([x.shape, full.shape])
        bare.set_weights([kernel])
        pre, _ = run(bare, [x, full])
        zero = numbers(ops.conv(x, kernel, padding="same", dilation_rate=dilation))
        np.testing.assert_allclose(pre[:, 0, 0], zero[:, 0, 0] * 9 / 4, rtol=1e-5, atol=1e-5)


def test_padding_can_be_overridden_by_a_call():
    rng = np.random.default_rng(5)
    pairs = random_pairs(rng, (10, 9), (3, 2), (1, 2))
    layer, kernel, bias = layer_for(rng, pairs, 4, 3)
    y, new_mask = run(layer, pairs, padding="valid")
    expected, expected_mask = reference(pairs, kernel, bias, padding="valid")
    np.testing.assert_array_equal(new_mask, expected_mask)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    whole, _ = run(layer, pairs)
    np.testing.assert_allclose(whole[:, 1:-1, 1:-1], y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        whole, reference(pairs, kernel, bias)[0], rtol=1e-4, atol=1e-4
    )  # the override is of that call alone
    with pytest.raises(ValueError, match="padding"):
        layer(pairs, padding="reflect")


def test_one_mask_serves_a_batch():
    rng = np.random.default_rng(6)
    pairs = random_pairs(rng, (9, 10), (3, 2), (3, 1), batch=3, mask_batch=1)
    layer, *_ = layer_for(rng, pairs, 4, 3)
    y, new_mask = run(layer, pairs)
    assert y.shape[0] == 3
    assert new_mask.shape[0] == 1
    repeated = [np.repeat(p, 3, 0) if p.shape[0] == 1 else p for p in pairs]
    each, each_mask = run(layer, repeated)
    np.testing.assert_allclose(y, each, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(np.repeat(new_mask, 3, 0), each_mask)


def test_weights_are_kernel_and_bias_alone():
    rng = np.random.default_rng(7)
    pairs = random_pairs(rng, (8, 8), (4, 3), (1, 3))
    layer, *_ = layer_for(rng, pairs, 5, 3)
    layer(pairs)
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    assert [tuple(w.shape) for w in layer.weights] == [(3, 3, 7, 5), (5,)]
    bare = PConv2D(5, 3, use_bias=False)
    y, new_mask = run(bare, pairs)
    assert [w.name for w in bare.weights] == ["kernel"]
    assert np.all(y[np.broadcast_to(new_mask == 0, y.shape)] == 0)


def test_keras_file_round_trip(tmp_path):
    rng = np.random.default_rng(8)
    image, mask = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    skip, skip_mask = keras.Input((None, None, 2)), keras.Input((None, None, 1))
    layer = PConv2D(
        4,
        (3, 2),
        strides=(2, 1),
        padding="valid",
        activation="relu",
        kernel_initializer="glorot_uniform",
        bias_initializer=keras.initializers.RandomNormal(seed=1),
        name="partial",
    )
    y, m = layer([image, mask, skip, skip_mask])
    y, m = PConv2D(2, 3, dilation_rate=2, use_bias=False)([y, m])
    model = keras.Model([image, mask, skip, skip_mask], [y, m])
    model.save(tmp_path / "net.keras")
    copy = keras.models.load_model(tmp_path / "net.keras")
    assert copy.get_layer("partial").get_config() == layer.get_config()
    pairs = random_pairs(rng, (13, 12), (3, 2), (3, 1))
    for before, after in zip(model(pairs), copy(pairs), strict=True):
        np.testing.assert_array_equal(numbers(before), numbers(after))


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("mask_channels", [(1, 1), (3, 1)])
def test_half_precision(policy, mask_channels):
    rng = np.random.default_rng(9)
    pairs = random_pairs(rng, (12, 13), (3, 6), mask_channels)
    half = "bfloat16" if policy.endswith("bfloat16") else "float16"
    layer, kernel, bias = layer_for(rng, pairs, 8, 3, dtype=policy)
    y, new_mask = layer(pairs)
    assert keras.backend.standardize_dtype(y.dtype) == half
    assert keras.backend.standardize_dtype(new_mask.dtype) == "float32"
    y, new_mask = numbers(y), numbers(new_mask)
    expected, expected_mask = reference(pairs, kernel, bias)
    assert (expected_mask == 0).sum() > 50
    np.testing.assert_array_equal(new_mask, expected_mask)
    assert np.all(np.isfinite(y))
    unit = 2.0**-8 if half == "bfloat16" else 2.0**-11
    assert np.abs(y - expected).max() < 8 * unit * np.abs(expected).max()
    empty = new_mask[..., 0] == 0
    rounded = numbers(ops.cast(ops.convert_to_tensor(bias), half))
    np.testing.assert_array_equal(y[empty], np.broadcast_to(rounded, y[empty].shape))


def test_half_precision_with_nothing_visible_and_many_channels():
    x = np.full((1, 6, 6, 3000), 3.0, "float32")
    for mask in (np.zeros((1, 6, 6, 3000), "float32"), np.ones((1, 6, 6, 1), "float32")):
        layer = PConv2D(4, 5, dtype="mixed_float16", kernel_initializer="zeros")
        y, new_mask = run(layer, [x, mask])
        np.testing.assert_array_equal(y, 0)
        np.testing.assert_array_equal(new_mask, mask[..., :1])
