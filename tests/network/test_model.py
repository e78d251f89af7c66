"""The whole network: its layers, any image size, and windows of its output."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from nets import SIDE, WIDTH, close

from unetpred.errors import InputError
from unetpred.network.model import Config, build_unetpred, config_of

DATA = Path(__file__).parents[1] / "data"
VGG_FILE = DATA / "vgg16_notop_random.h5"


def layer_table(variant, width=1.0):
    """Kernel shape of every layer, written down from the description of the architecture."""
    table, channels, skips = {}, 3, []
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        filters = int((64, 128, 256, 512, 512)[block - 1] * width)
        for i in range(1, count + 1):
            table[f"vblock{block}_conv_{i}"] = (3, 3, channels, filters)
            channels = filters
        skips.append(filters)
    first, skips = (6, skips) if variant == "paper" else (7, skips[:4])
    for block in range(first, 11):
        filters = int({6: 512, 7: 512, 8: 256, 9: 128, 10: 64}[block] * width)
        table[f"vblock{block}_conv_1"] = (3, 3, channels + skips.pop(), filters)
        table[f"vblock{block}_conv_2"] = (3, 3, filters, filters)
        channels = filters
    table["block10"] = (3, 3, channels + 3, 3)
    return table


def kernels(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


@pytest.mark.parametrize("variant", SIDE)
@pytest.mark.parametrize("width", [WIDTH, 0.25])
def test_layers(variant, width):
    model = build_unetpred(variant, width)
    found = kernels(model)
    table = layer_table(variant, width)
    assert {name: w[0].shape for name, w in found.items()} == table
    assert all(w[1].shape == (w[0].shape[-1],) for w in found.values())
    assert all(len(w) == 2 and not w[1].any() for w in found.values())
    for layer in model.layers:
        if layer.name in table:
            expected = "linear" if layer.name == "block10" else "relu"
            assert layer.activation is keras.activations.get(expected)
    assert config_of(model) == Config(variant, width)


def test_released_parameters():
    table = layer_table("released")
    assert sum(np.prod(shape) + shape[-1] for shape in table.values()) == 24_892_884
    model = build_unetpred("released", kernel_initializer="zeros")
    assert model.count_params() == 24_892_884
    assert {name: w[0].shape for name, w in kernels(model).items()} == table


def test_paper_parameters_and_vgg_encoder():
    model = build_unetpred(vgg_weights=str(VGG_FILE))
    assert model.count_params() == 31_971_796
    found = kernels(model)
    assert {name: w[0].shape for name, w in found.items()} == layer_table("paper")
    with h5py.File(VGG_FILE) as file:
        for block, count in enumerate((2, 2, 3, 3, 3), start=1):
            for i in range(1, count + 1):
                name = f"block{block}_conv{i}"
                kernel, bias = found[f"vblock{block}_conv_{i}"]
                np.testing.assert_array_equal(kernel, file[f"{name}/{name}/kernel:0"][()])
                np.testing.assert_array_equal(bias, file[f"{name}/{name}/bias:0"][()])
    # the decoder keeps its He-normal start
    kernel, bias = found["vblock6_conv_1"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 1024)), rel=0.02)
    assert not bias.any()


def numpy_pconv(x, m, kernel, bias):
    """Partial convolution (3x3, "same") of x and m (N,H,W,C), a mask on every channel."""
    height, width = x.shape[1:3]
    hidden, seen = (np.pad(a, ((0, 0), (1, 1), (1, 1), (0, 0))) for a in (x * m, m))
    y, s = 0, 0
    for i in range(3):
        for j in range(3):
            window = np.s_[:, i : i + height, j : j + width]
            y = y + hidden[window] @ kernel[i, j].astype("float64")
            s = s + seen[window].sum(-1, keepdims=True)
    y = np.where(s > 0, y * 9 * x.shape[-1] / np.maximum(s, 1), 0) + bias
    return y, np.broadcast_to(s > 0, y.shape).astype("float64")


def numpy_network(weights, variant, image, mask):
    """The network as described, in float64, with masks on all channels as the original has."""

    def halve(a):
        n, h, w, c = a.shape
        return a.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    def layer(name, x, m):
        y, m = numpy_pconv(x, m, *weights[name])
        return np.maximum(y, 0), m

    pools, blocks = (5, range(6, 11)) if variant == "paper" else (4, range(7, 11))
    image, mask = image.astype("float64"), np.broadcast_to(mask, image.shape).astype("float64")
    x, m, skips = image, mask, []
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, count + 1):
            x, m = layer(f"vblock{block}_conv_{i}", x, m)
        if block <= pools:
            skips.append((x, m))
            x, m = halve(x), halve(m)
    for block in blocks:
        skip, skip_mask = skips.pop()
        x = np.concatenate([x.repeat(2, 1).repeat(2, 2), skip], -1)
        m = np.concatenate([m.repeat(2, 1).repeat(2, 2), skip_mask], -1)
        for i in (1, 2):
            x, m = layer(f"vblock{block}_conv_{i}", x, m)
    x, m = np.concatenate([x, image], -1), np.concatenate([m, mask], -1)
    return numpy_pconv(x, m, *weights["block10"])[0]


@pytest.mark.parametrize("variant", SIDE)
@pytest.mark.parametrize("mask_channels", [1, 3])
def test_equals_the_network_in_numpy(network, compute, picture, variant, mask_channels):
    model = network(variant, mask_channels)
    image, mask = picture(15, 64, 96, batch=2, channels=mask_channels)
    mask[1, 5:] = 0  # windows that stay empty to the bottom of the network
    close(compute(model, image, mask), numpy_network(kernels(model), variant, image, mask))


@pytest.mark.parametrize(
    ("variant", "size"),
    [
        ("paper", (84, 84)),
        ("paper", (97, 85)),
        ("paper", (96, 131)),
        ("released", (84, 84)),
        ("released", (101, 90)),
        ("released", (96, 131)),
    ],
)
def test_output_has_the_size_of_the_image(network, compute, picture, variant, size):
    image, mask = picture(1, *size)
    output = compute(network(variant), image, mask)
    assert output.shape == image.shape
    assert output.dtype == np.float32
    assert np.all(np.isfinite(output))
    assert output.std() > 1


@pytest.mark.parametrize("variant", SIDE)
def test_predict_in_batches_of_odd_images(network, picture, variant):
    image, mask = picture(2, 85, 99, batch=3)
    model = network(variant)
    whole = keras.ops.convert_to_numpy(model([image, mask]))
    close(model.predict([image, mask], batch_size=2, verbose=0), whole)


@pytest.mark.parametrize("variant", SIDE)
@pytest.mark.parametrize("mask_channels", [1, 3])
def test_beyond_the_border_is_missing(network, compute, picture, variant, mask_channels):
    height, width, side = 100, 151, SIDE[variant]
    image, mask = picture(3, height, width, channels=mask_channels)
    tall, wide = (-(-size // side) * side for size in (height, width))
    assert variant != "paper" or (tall, wide) == (128, 160)
    top, left = (tall - height) // 2, (wide - width) // 2
    inside = np.s_[:, top : top + height, left : left + width]
    # whatever lies where the mask is 0 is missing: the canvas need not even be zero there
    canvas = np.random.default_rng(4).normal(0, 500, (1, tall, wide, 3)).astype("float32")
    canvas_mask = np.zeros((1, tall, wide, mask_channels), "float32")
    canvas[inside], canvas_mask[inside] = image, mask
    model = network(variant, mask_channels)
    expected = compute(model, canvas, canvas_mask)[inside]
    close(compute(model, image, mask), expected)


@pytest.mark.parametrize("variant", SIDE)
def test_equal_mask_channels_are_one_mask(network, compute, picture, variant):
    image, mask = picture(5, 84, 100)
    one = compute(network(variant), image, mask)
    close(compute(network(variant, 3), image, mask.repeat(3, -1)), one)
    # and a mask that differs between colours is another matter
    mask3 = mask.repeat(3, -1)
    mask3[:, :30, :, 0] = 0
    other = compute(network(variant, 3), image, mask3)
    assert np.abs(other - one).max() > 0.1 * one.std()


@pytest.mark.parametrize("variant", SIDE)
def test_hidden_pixels_do_not_matter(network, compute, picture, variant):
    image, mask = picture(6, 84, 100)
    before = compute(network(variant), image, mask)
    after = compute(network(variant), np.where(mask == 0, 1e3, image).astype("float32"), mask)
    np.testing.assert_array_equal(before, after)


def test_nothing_visible_gives_finite_output(network, compute):
    image = np.zeros((1, 84, 84, 3), "float32")
    output = compute(network("paper"), image, np.zeros((1, 84, 84, 1), "float32"))
    # features and mask are empty everywhere, so every layer is at its bias
    bias = network("paper").get_layer("block10").get_weights()[1]
    np.testing.assert_array_equal(output, np.broadcast_to(bias, output.shape))


@pytest.mark.parametrize("variant", SIDE)
def test_alone_and_in_a_batch(network, compute, picture, variant):
    image, mask = picture(7, 90, 84, batch=3)
    model = network(variant)
    batch = compute(model, image, mask)
    for n in range(3):
        close(compute(model, image[n : n + 1], mask[n : n + 1]), batch[n : n + 1])


@pytest.mark.parametrize("variant", SIDE)
def test_one_mask_for_a_batch(network, compute, picture, variant):
    image, mask = picture(8, 84, 84, batch=2)
    shared = keras.ops.convert_to_numpy(network(variant)([image, mask[:1]]))
    each = compute(network(variant), image, mask[[0, 0]])
    close(shared, each)


def test_deterministic(network, compute, picture):
    image, mask = picture(9, 84, 100)
    first = compute(network("paper"), image, mask)
    np.testing.assert_array_equal(first, compute(network("paper"), image, mask))

    def seeded(seed):
        keras.utils.set_random_seed(seed)
        return build_unetpred("released", 0.0625).get_weights()

    one, same, other = seeded(5), seeded(5), seeded(6)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"variant": "Paper"}, "variant.*'Paper'"),
        ({"variant": None}, "variant.*None"),
        ({"width": 0}, "width.*0"),
        ({"width": -0.5}, r"width.*-0\.5"),
        ({"width": float("nan")}, "width.*nan"),
        ({"width": float("inf")}, "width.*inf"),
        ({"mask_channels": 2}, "mask_channels.*2"),
        ({"mask_channels": 0}, "mask_channels.*0"),
        ({"width": 0.5, "vgg_weights": str(VGG_FILE)}, r"VGG.*width=0\.5"),
        ({"width": 0.25, "vgg_weights": "imagenet"}, r"VGG.*width=0\.25"),
    ],
    ids=str,
)
def test_wrong_options_raise(options, says):
    with pytest.raises(ValueError, match=says):
        build_unetpred(**options)


def test_missing_vgg_file_raises(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5"):
        build_unetpred(vgg_weights=str(tmp_path / "none.h5"))


@pytest.mark.parametrize(("variant", "mask_channels"), [("paper", 1), ("released", 3)])
def test_keras_file_round_trip(network, compute, picture, tmp_path, variant, mask_channels):
    model = network(variant, mask_channels)
    model.save(tmp_path / "net.keras")
    copy = keras.models.load_model(tmp_path / "net.keras")
    image, mask = picture(11, 84, 101, channels=mask_channels)
    np.testing.assert_array_equal(compute(model, image, mask), compute(copy, image, mask))
    assert config_of(copy) == config_of(model)


def test_weights_file_round_trip(network, compute, picture, tmp_path):
    network("paper").save_weights(tmp_path / "net.weights.h5")
    copy = build_unetpred("paper", WIDTH)
    copy.load_weights(tmp_path / "net.weights.h5")
    image, mask = picture(12, 84, 84)
    np.testing.assert_array_equal(
        compute(network("paper"), image, mask), compute(copy, image, mask)
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(network, compute, picture, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_unetpred("released", WIDTH)
    finally:
        keras.config.set_dtype_policy(before)
    # the network is homogeneous: with image and biases 1/64 of theirs, nothing exceeds float16
    weights = [w if w.ndim > 1 else w / 64 for w in network("released").get_weights()]
    reference = build_unetpred("released", WIDTH)
    for net in (model, reference):
        net.set_weights(weights)
    image, mask = picture(13, 84, 84)
    image /= 64
    half = compute(model, image, mask).astype("float32")
    full = compute(reference, image, mask)
    tolerance = 0.05 if policy == "mixed_bfloat16" else 0.01
    assert np.all(np.isfinite(half))
    assert np.sqrt(np.mean((half - full) ** 2)) < tolerance * full.std()
