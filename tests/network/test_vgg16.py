"""VGG-16 from every kind of file, against a NumPy forward pass."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.io import registry
from unetpred.io.hdf5 import shards
from unetpred.network import vgg16 as vgg
from unetpred.network.vgg16 import (
    CONTENT_LAYERS,
    LOSS_LAYERS,
    VGG_SHA256,
    arrays_sha256,
    read_vgg,
    vgg_model,
    vgg_origin,
    vgg_shapes,
)

DATA = Path(__file__).parents[1] / "data"
VGG_FILE = DATA / "vgg16_notop_random.h5"


@pytest.fixture(scope="module")
def weights():
    return read_vgg(VGG_FILE)


def numpy_features(image, weights):
    """Give every layer's features of one image (H,W,3), in float64, by shifted products."""
    x = image.astype(np.float64)
    features = {}
    for name, (kernel, bias) in weights.items():
        if name.endswith("conv1") and name != "block1_conv1":
            h, w, c = x.shape
            x = x[: h // 2 * 2, : w // 2 * 2].reshape(h // 2, 2, w // 2, 2, c).max(axis=(1, 3))
        h, w = x.shape[:2]
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        y = bias.astype(np.float64)
        for i in range(3):
            for j in range(3):
                y = y + padded[i : i + h, j : j + w] @ kernel[i, j].astype(np.float64)
        x = features[name] = np.maximum(y, 0)
    return features


def write_legacy(path, arrays, root="", leaves=("kernel:0", "bias:0")):
    """Write {layer: (kernel, bias)} as Keras 2 does, under the group `root`."""
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            for leaf, value in zip(leaves, values, strict=True):
                file[f"{root}{name}/{name}/{leaf}"] = value


def write_listed(path, arrays, leaves, root="/", chunks=False, top=False):
    """Write as Keras 1 and 2 do, every layer with a list of its weights, kernel first.

    `leaves` are what kernel and bias are called, after the name of the layer.
    """
    rng = np.random.default_rng(0)
    dense = {name: (rng.normal(size=(8, 8)), np.zeros(8)) for name in ("fc1", "predictions")}
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        layers = {"input_1": (), **arrays, "block1_pool": (), **(dense if top else {})}
        listed = [name.encode() for name in layers]
        if chunks:  # as of a list that is too long for one attribute
            group.attrs["layer_names0"], group.attrs["layer_names1"] = listed[:5], listed[5:]
        else:
            group.attrs["layer_names"] = listed
        for name, values in layers.items():
            of_layer = group.create_group(name)
            names = [leaf.format(name) for leaf in leaves][: len(values)]
            listed = np.array([leaf.encode() for leaf in names], "S")
            if chunks and names:
                of_layer.attrs["weight_names0"] = listed[:1]
                of_layer.attrs["weight_names1"] = listed[1:]
            else:
                of_layer.attrs["weight_names"] = listed
            for leaf, value in zip(names, values, strict=True):
                of_layer[leaf] = value


def write_native(path, arrays, names=True):
    """Write as Keras 3 does: groups by class, the layers' names beside them, or not (early)."""
    with h5py.File(path, "w") as file:
        for index, (name, values) in enumerate(arrays.items()):
            group = file.create_group(f"layers/conv2d{f'_{index}' if index else ''}/vars")
            if names:
                group.attrs["name"] = name
            for leaf, value in enumerate(values):
                group[str(leaf)] = value


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, (kernel, bias) in expected.items():
        assert found[name][0].dtype == found[name][1].dtype == np.float32
        np.testing.assert_array_equal(found[name][0], kernel)
        np.testing.assert_array_equal(found[name][1], bias)


def test_reads_what_the_legacy_file_holds(weights):
    assert list(weights) == list(vgg_shapes())
    with h5py.File(VGG_FILE) as file:
        for name, (kernel, bias) in weights.items():
            np.testing.assert_array_equal(kernel, file[f"{name}/{name}/kernel:0"])
            np.testing.assert_array_equal(bias, file[f"{name}/{name}/bias:0"])


@pytest.mark.parametrize("kind", ["whole model", "keras 3 names", "native", "early native"])
def test_reads_every_layout_whatever_the_ending(kind, weights, tmp_path):
    path = tmp_path / "weights.bin"
    if kind == "whole model":
        write_legacy(path, weights, root="model_weights/")
    elif kind == "keras 3 names":
        write_legacy(path, weights, root="model_weights/", leaves=("kernel", "bias"))
    else:
        write_native(path, weights, names=kind == "native")
    assert_same(read_vgg(path), weights)


@pytest.mark.parametrize("more", [{}, {"chunks": True}, {"root": "model_weights"}, {"top": True}])
@pytest.mark.parametrize(
    "leaves",
    [
        ("{}_W_1:0", "{}_b_1:0"),  # Keras 1
        ("{}/kernel:0", "{}/bias:0"),  # Keras 2
        ("{}_1/kernel:0", "{}_1/bias:0"),  # of a second model in one session
        ("z/weight:0", "a/weight:0"),  # not in the order of the alphabet
        ("0", "1"),
        ("bias:0", "kernel:0"),  # the list says which is which, not the names
    ],
)
def test_legacy_files_are_read_by_their_lists_of_names(weights, tmp_path, leaves, more):
    write_listed(tmp_path / "vgg.h5", weights, leaves, **more)
    assert_same(read_vgg(tmp_path / "vgg.h5"), weights)


def test_a_model_within_a_model_has_a_folder_for_each_layer(weights, tmp_path):
    names = [f"{name}/{leaf}:0" for name in weights for leaf in ("kernel", "bias")]
    with h5py.File(tmp_path / "classifier.h5", "w") as file:
        file.attrs["layer_names"] = ["vgg16", "dense"]
        base = file.create_group("vgg16")
        base.attrs["weight_names"] = names
        for name, value in zip(names, (v for pair in weights.values() for v in pair), strict=True):
            base[name] = value
        file["dense/dense/kernel:0"], file["dense/dense/bias:0"] = np.zeros((4, 2)), np.zeros(2)
        file["dense"].attrs["weight_names"] = ["dense/kernel:0", "dense/bias:0"]
    assert_same(read_vgg(tmp_path / "classifier.h5"), weights)


def test_what_a_list_names_and_the_file_lacks_is_missing(weights, tmp_path):
    path = tmp_path / "vgg.h5"
    write_listed(path, weights, ("{}_W_1:0", "{}_b_1:0"))
    with h5py.File(path, "a") as file:
        del file["block2_conv1/block2_conv1_W_1:0"]
    with pytest.raises(InputError, match=r"lacks kernel or bias of block2_conv1$"):
        read_vgg(path)


def test_keras_itself_reads_the_same(weights, tmp_path):
    """Keras' own reader of legacy files is the reference."""
    import keras

    path = tmp_path / "vgg.h5"
    write_listed(path, weights, ("z:0", "a:0"))
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.load_weights(path)
    assert_same(read_vgg(path), {name: model.get_layer(name).get_weights() for name in weights})


def test_reads_files_that_keras_writes(weights, tmp_path):
    import keras

    model = keras.applications.VGG16(weights=None, include_top=False)
    for name, values in weights.items():
        model.get_layer(name).set_weights(values)
    model.save_weights(tmp_path / "a.weights.h5")
    assert_same(read_vgg(tmp_path / "a.weights.h5"), weights)
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    assert_same(read_vgg(tmp_path / "b.keras"), weights)


def test_names_what_is_wrong_with_a_file(weights, tmp_path):
    def message(path):
        with pytest.raises(InputError) as caught:
            read_vgg(path)
        text = str(caught.value)
        assert str(path) in text and "\n" not in text
        return text

    assert "no such file" in message(tmp_path / "absent.h5")
    assert "folder" in message(tmp_path)
    (tmp_path / "text.h5").write_text("kernel")
    assert "HDF5" in message(tmp_path / "text.h5")
    (tmp_path / "cut.h5").write_bytes(VGG_FILE.read_bytes()[:100_000])
    assert "damaged" in message(tmp_path / "cut.h5")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "HDF5" in message(tmp_path / "other.keras")

    bad = tmp_path / "bad.h5"
    write_legacy(bad, {name: w for name, w in weights.items() if "block3" not in name})
    text = message(bad)
    assert all(f"block3_conv{i}" in text for i in (1, 2, 3)) and "block2_conv1" not in text
    kernel, bias = weights["block1_conv2"]
    write_legacy(bad, {**weights, "block1_conv2": (kernel[..., :32], bias[:32])})
    assert "block1_conv2" in message(bad) and "(3, 3, 64, 32)" in message(bad)
    write_legacy(bad, {**weights, "block1_conv2": (kernel, np.full_like(bias, np.nan))})
    assert "NaN" in message(bad)


@pytest.fixture
def not_here(monkeypatch, tmp_path):
    """An installation that leaves VGG-16 out, as a wheel does."""
    monkeypatch.setattr(registry, "_shipped", lambda: tmp_path / "nowhere")


def test_without_file_and_network_both_ways_out_are_named(not_here, monkeypatch, capsys):
    import keras

    def no_network(*args, **kwargs):
        print("Downloading data")
        raise Exception("URL fetch failure\non https://example.org")

    monkeypatch.setattr(keras.applications, "VGG16", no_network)
    with pytest.raises(InputError, match=r"internet.*--vgg_weights FILE"):
        read_vgg()
    assert capsys.readouterr().out == ""


def test_where_it_does_not_ship_keras_own_is_taken_and_checked(not_here, weights, monkeypatch):
    import keras

    build, give = keras.applications.VGG16, dict(weights)

    def downloaded(weights, include_top):
        assert weights == "imagenet" and include_top is False
        model = build(weights=None, include_top=False)
        for name, values in give.items():
            model.get_layer(name).set_weights(values)
        return model

    monkeypatch.setattr(keras.applications, "VGG16", downloaded)
    with pytest.raises(InputError, match=rf"Keras downloaded it: .*{arrays_sha256(weights)}"):
        read_vgg()
    monkeypatch.setattr(vgg, "VGG_SHA256", arrays_sha256(weights))
    assert_same(read_vgg(), weights)


def test_what_ships_is_imagenets():
    """The statistics that Keras' own file has, to all digits that were published of it."""
    shipped = read_vgg()
    assert {name: kernel.shape for name, (kernel, _) in shipped.items()} == vgg_shapes()
    published = {
        "block1_conv1": (
            (-0.0024379087, 0.20669945, -0.67140007, 0.6085159),
            (0.5013912, 0.32847992, -0.015828926, 2.064037),
        ),
        "block5_conv3": (
            (-0.0010818949, 0.008478405, -0.09288482, 0.28699666),
            (0.14986369, 0.4928213, -0.50036746, 9.431553),
        ),
    }
    for name, expected in published.items():
        for array, numbers in zip(shipped[name], expected, strict=True):
            array = array.astype("float64")
            found = array.mean(), array.std(), array.min(), array.max()
            np.testing.assert_allclose(found, numbers, rtol=1e-6)
    assert registry.known_vgg().here and arrays_sha256(shipped) == VGG_SHA256
    assert all(part.stat().st_size < 16e6 for part in shards(registry.known_vgg().path))


def test_keras_itself_reads_what_ships():
    import keras

    model = keras.applications.VGG16(weights=None, include_top=False)
    model.load_weights(registry.known_vgg().path)
    assert_same(read_vgg(), {name: model.get_layer(name).get_weights() for name in vgg_shapes()})


def test_hash_is_over_the_numbers_not_the_file(weights, tmp_path):
    import hashlib

    write_listed(tmp_path / "a.h5", weights, ("{}_W_1:0", "{}_b_1:0"), top=True)
    write_native(tmp_path / "b.h5", weights)
    by_hand = hashlib.sha256()
    for kernel, bias in weights.values():
        by_hand.update(kernel.astype("<f4").tobytes() + bias.astype("<f4").tobytes())
    for name in ("a.h5", "b.h5"):
        assert arrays_sha256(read_vgg(tmp_path / name)) == by_hand.hexdigest()
        assert vgg_origin(tmp_path / name) == (
            f"{tmp_path / name} (sha256 over its arrays {by_hand.hexdigest()})"
        )


def test_the_same_numbers_have_the_same_name_whatever_file_they_are_in(tmp_path):
    write_listed(tmp_path / "imagenet.h5", read_vgg(), ("{}_W_1:0", "{}_b_1:0"))
    assert vgg_origin(tmp_path / "imagenet.h5") == vgg_origin()
    assert vgg_origin() == f"vgg16, ImageNet's (sha256 over its arrays {VGG_SHA256})"


def test_other_numbers_in_the_place_of_what_ships_are_refused(weights, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_shipped", lambda: tmp_path)
    write_native(tmp_path / "vgg16.weights.json", weights)
    with pytest.raises(InputError, match=r"vgg16\.weights\.json: the sha256 .*--vgg_weights FILE"):
        read_vgg()


def test_commands_name_it(capsys, not_here, monkeypatch):
    assert main(["weights", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("vgg16\tVGG-16, for content\tnot")
    assert main(["weights", "info", "vgg16"]) == 0
    assert "Keras downloads it" in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["weights", "info", "vgg16"]) == 0
    about = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert about["sha256 over its arrays"] == VGG_SHA256 and "CC BY 4.0" in about["licence"]
    assert about["file"].endswith("vgg16.weights.json") and about["parameters"] == "14714688"


def test_model_equals_numpy_at_every_layer(weights):
    from keras import ops

    names = list(vgg_shapes())
    model = vgg_model(VGG_FILE, names)
    assert model.trainable_variables == []
    rng = np.random.default_rng(0)
    for height, width in ((19, 34), (16, 16)):
        images = rng.uniform(0, 255, (2, height, width, 3)).astype(np.float32)
        found = [ops.convert_to_numpy(features) for features in model(images)]
        for index, image in enumerate(images):
            expected = numpy_features(image, weights)
            for name, features in zip(names, found, strict=True):
                scale = np.abs(expected[name]).max()
                assert scale > 0
                np.testing.assert_allclose(features[index], expected[name], atol=1e-5 * scale)


def test_model_is_as_deep_as_wanted_and_keeps_the_order():
    model = vgg_model(VGG_FILE, ("block2_conv2", "block1_conv1"))
    assert [output.shape[-1] for output in model.outputs] == [128, 64]
    assert model.layers[-1].name == "block2_conv2"
    one = vgg_model(VGG_FILE, ("block1_conv1",))(np.zeros((1, 8, 9, 3)))
    assert tuple(one.shape) == (1, 8, 9, 64)
    with pytest.raises(InputError, match="block9_conv1"):
        vgg_model(VGG_FILE, ("block9_conv1",))


def test_layers_of_score_and_loss():
    assert CONTENT_LAYERS == (
        "block1_conv2",
        "block2_conv2",
        "block3_conv3",
        "block4_conv3",
        "block5_conv3",
    )
    assert CONTENT_LAYERS[:4] == LOSS_LAYERS


def test_importing_needs_no_backend():
    code = (
        "import sys, unetpred.network.vgg16, unetpred.scoring.scores;"
        "import unetpred.training.optimisation.losses, unetpred.images.colour;"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'h5py'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
