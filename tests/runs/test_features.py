"""Activations: those of a network built by hand; receptive fields: those that are measured."""

import json
import os
import re
import signal
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import unetpred
from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.io.leftovers import held
from unetpred.network.layer_outputs import choose_layers, layer_model
from unetpred.network.model import Config, build_unetpred, layer_names
from unetpred.network.receptive_fields import list_layers, receptive_field, receptive_span
from unetpred.scoring.activations import Extractor, averaged
from unetpred.weights.files import save_weights

SHAPES = {  # of a network of width 1/16, for images of 100x120 px, padded to 128x128
    "vblock1_conv_1": (128, 128, 4),
    "vblock3_conv_3": (32, 32, 16),
    "vblock6_conv_1": (8, 8, 32),
    "block10": (128, 128, 3),
}


@pytest.fixture(scope="module")
def model():
    model = build_unetpred(width=0.0625, kernel_initializer="zeros")
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            rng.normal(0, 5, w.shape)
            if w.ndim == 1
            else rng.normal(0, np.prod(w.shape[:3]) ** -0.5, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    save_weights(model, Config("paper", 0.0625), path)
    return str(path)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (3, 100, 120, 3)).astype("uint8")


def plain_vgg(model, images):
    """Blocks 1 to 3 in Keras' own layers; on a full mask a partial convolution differs from them
    at the border alone."""
    x = inputs = keras.Input((None, None, 3))
    for block, count in ((1, 2), (2, 2), (3, 3)):
        for i in range(1, count + 1):
            name = f"vblock{block}_conv_{i}"
            filters = model.get_layer(name).filters
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        if block < 3:
            x = keras.layers.MaxPooling2D(2)(x)
    plain = keras.Model(inputs, x)
    for layer in plain.layers:
        if layer.name.startswith("vblock"):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    rgb = images.astype("float32")
    return ops.convert_to_numpy(plain(rgb[..., ::-1] - np.float32([103.939, 116.779, 123.68])))


def test_features_are_those_of_plain_convolutions(model, pictures):
    pictures = np.concatenate([pictures, pictures], axis=1)[:, :128].repeat(2, 2)[:, :, :128]
    found = unetpred.features(pictures, "vblock3_conv_3", weights=model)["vblock3_conv_3"]
    by_hand = plain_vgg(model, pictures)
    assert found.shape == by_hand.shape == (3, 32, 32, 16) and found.dtype == np.float32
    inner = np.s_[:, 8:-8, 8:-8]
    np.testing.assert_allclose(found[inner], by_hand[inner], rtol=1e-4, atol=1e-2)
    assert found.min() == 0 and found.std() > 1


@pytest.mark.slow
@pytest.mark.parametrize("hole", [None, 52])
def test_features_are_those_of_a_sub_model(model, pictures, hole):
    mask = np.ones((100, 120), "float32") if hole is None else hole_mask((100, 120), hole)
    names = list(SHAPES)
    sub = keras.Model(model.inputs, [model.get_layer(name).output[0] for name in names])
    bgr = pictures[..., ::-1].astype("float32") - np.float32([103.939, 116.779, 123.68])
    expected = sub.predict_on_batch([bgr, np.repeat(mask[None, ..., None], 3, 0)])
    found = unetpred.features(
        pictures, names, mask=None if hole is None else mask, weights=model, batch_size=2
    )
    assert list(found) == names
    for name, values in zip(names, expected, strict=True):
        assert found[name].shape == (3, *SHAPES[name])
        scale = np.abs(values).max()
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5 * scale)


def test_a_hole_of_each_image_is_its_own(model, pictures):
    masks = np.stack([hole_mask((100, 120), 30, center=(x, 50)) for x in (30, 60, 90)])
    extractor = Extractor("vblock2_conv_1", model)
    images = pictures.astype("float32")
    together = extractor(images, masks)["vblock2_conv_1"]
    for i in range(3):
        alone = extractor(images[[i] * 3], masks[[i]])["vblock2_conv_1"]
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-4, atol=1e-3)
        blanked = images[[i] * 3] * masks[[i]][..., None]
        hidden = extractor(blanked, masks[[i]])
        np.testing.assert_array_equal(hidden["vblock2_conv_1"], alone)


def test_pooling_and_channel_means():
    full = np.random.default_rng(2).normal(0, 1, (3, 32, 24, 5)).astype("float32")
    blocks = np.empty((3, 4, 3, 5))  # of 10x10 units; the last ones have 2 rows and 4 columns
    for i, row in enumerate(range(0, 32, 10)):
        for j, column in enumerate(range(0, 24, 10)):
            blocks[:, i, j] = full[:, row : row + 10, column : column + 10].mean((1, 2))
    np.testing.assert_allclose(averaged(full, 10), blocks, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(averaged(full, "mean"), full.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(averaged(full, None, True), full.mean(3), atol=1e-6)
    np.testing.assert_allclose(averaged(full, 10, True), blocks.mean(3), atol=1e-6)
    np.testing.assert_allclose(averaged(full, "mean", True), full.mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_array_equal(averaged(full), full)


def test_what_does_not_fit_into_half_precision_is_named(model, pictures):
    extractor = Extractor("vblock1_conv_1", model, dtype="float16")
    half = extractor(pictures.astype("float32"))["vblock1_conv_1"]
    extractor.dtype = "float32"
    full = extractor(pictures.astype("float32"))["vblock1_conv_1"]
    assert half.dtype == np.float16 and full.dtype == np.float32 and half.max() > 10
    np.testing.assert_array_equal(half, full.astype("float16"))
    extractor.dtype = "float16"
    with pytest.raises(InputError, match=r"vblock1_conv_1.*float16"):
        extractor(pictures.astype("float32") * 1e5)


def test_layers_by_pattern_come_in_the_order_of_the_network():
    assert choose_layers(["block10", "vblock3_*"], "paper") == [
        "vblock3_conv_1", "vblock3_conv_2", "vblock3_conv_3", "block10"
    ]  # fmt: skip
    assert choose_layers("*", "released") == layer_names("released")
    with pytest.raises(InputError, match=r"vblock6_conv_1.*none of that name"):
        choose_layers("vblock6_conv_1", "released")
    with pytest.raises(InputError, match="none is named"):
        choose_layers([], "paper")


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_receptive_fields_are_those_measured(variant):
    # One pixel changes in an image that is dark elsewhere. All weights are positive and nothing
    # is hidden, so exactly the units that depend on the pixel change from zero.
    config = Config(variant, 1 / 64)
    model = build_unetpred(variant, config.width, kernel_initializer="zeros")
    model.set_weights([np.full(w.shape, w.ndim == 4, "float32") for w in model.get_weights()])
    names, length = layer_names(variant), 1536
    extent = layer_model(model, names)
    measured = dict.fromkeys(names, 0)
    for place in (640, 695, 751, 787):
        image = np.zeros((1, 32, length, 3), "float32")
        image[:, 16, place] = 1e-6
        for name, values in zip(
            names,
            extent.predict_on_batch([image, np.ones((1, 32, length, 1), "float32")]),
            strict=True,
        ):
            changed = values[0].max(axis=(0, 2)) > 0
            spans = [receptive_span(name, i, i, config) for i in range(len(changed))]
            assert changed.tolist() == [first <= place <= last for first, last in spans], name
            measured[name] = max(measured[name], *(last - first + 1 for first, last in spans))
    assert measured == {name: receptive_field(name, config) for name in names}


def test_receptive_fields_of_the_encoder_are_those_of_vgg16():
    found = {layer.name: layer for layer in list_layers(Config(), (224, 224))}
    # 3x3 convolutions and 2x2 poolings of stride 2; known numbers of VGG-16
    known = {"vblock1_conv_1": 3, "vblock2_conv_2": 14, "vblock3_conv_3": 40,
             "vblock4_conv_3": 92, "vblock5_conv_3": 196}  # fmt: skip
    assert {name: found[name].receptive_field for name in known} == known
    assert found["vblock5_conv_3"].shape == (14, 14, 512)
    assert found["vblock5_conv_3"].stride == 16
    assert found["vblock5_conv_3"].first == (7.5, 7.5)
    assert found["vblock6_conv_1"].shape == (14, 14, 512)


def test_listed_shapes_are_those_of_the_activations(model, pictures):
    found = unetpred.features(pictures[:1], "*", weights=model)
    listed = list_layers(Config("paper", 0.0625), (100, 120))
    assert [layer.name for layer in listed] == list(found)
    assert {layer.name: layer.shape for layer in listed} == {
        name: values.shape[1:] for name, values in found.items()
    }
    assert listed[0].first == (-14.0, -4.0)  # 28 rows and 8 columns are added


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, weights):
    monkeypatch.chdir(tmp_path)

    def go(*arguments):
        code = main(["features", "--weights", weights, *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return go


def write(name, pixels):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(name)


@pytest.mark.slow
def test_files_hold_activations_names_and_provenance(run, pictures, model):
    for i, picture in enumerate(pictures):
        write(f"d/{i}.png", picture)
    names = ["vblock3_conv_3", "block10"]
    expected = unetpred.features(
        pictures, names, mask=hole_mask((100, 120), 40), weights=model, pool=4
    )
    options = ["--layers", *names, "--pool", 4, "--mask_size", 40, "--batch_size", 2]
    assert run("--input", "d", *options, "--save", "f.npz")[:2] == (0, [])
    assert run("--input", "d", *options, "--save", "f.h5")[:2] == (0, [])
    with np.load("f.npz") as npz, h5py.File("f.h5") as h5:
        assert set(npz) == {*names, "image", "index", "reason", "provenance"}
        assert set(h5) == {*names, "image", "index", "reason"}
        for name in names:
            np.testing.assert_allclose(npz[name], expected[name], rtol=1e-4, atol=1e-2)
            np.testing.assert_array_equal(h5[name], npz[name])
        assert npz["image"].tolist() == ["d/0.png", "d/1.png", "d/2.png"]
        assert h5["image"].asstr()[:].tolist() == npz["image"].tolist()
        assert npz["index"].tolist() == h5["index"][:].tolist() == [-1] * 3
        origin = json.loads(str(npz["provenance"]))
        assert json.loads(h5.attrs["provenance"])["layers"] == origin["layers"]
    assert origin["hole"] == "square of 40 px, centred"
    assert re.fullmatch("[0-9a-f]{64}", origin["weights_sha256"])
    assert origin["layers"]["vblock3_conv_3"] == {
        "stride_px": 4, "receptive_field_px": 40, "first_unit_yx_px": [-12.5, -2.5]
    }  # fmt: skip
    assert sorted(path.name for path in Path().iterdir()) == ["d", "f.h5", "f.npz"]


@pytest.mark.slow
def test_sizes_may_differ_where_space_is_averaged(run, pictures, model):
    write("d/a.png", pictures[0])
    write("d/b.png", pictures[1][:90])
    write("d/c.png", pictures[2])
    code, _, err = run("--input", "d", "--layers", "vblock2_*", "--save", "f.h5")
    assert code == 2 and "several sizes (120x90, 120x100)" in err and not Path("f.h5").exists()
    assert run("--input", "d", "--layers", "block10", "--pool", "mean", "--save", "f.h5")[0] == 0
    with h5py.File("f.h5") as h5:
        for row, picture in enumerate((pictures[0], pictures[1][:90], pictures[2])):
            alone = unetpred.features(picture[None], "block10", weights=model, pool="mean")
            np.testing.assert_allclose(h5["block10"][row], alone["block10"][0], rtol=1e-4)


def test_paths_in_python(pictures, model, tmp_path):
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    np.save(tmp_path / "s.npy", pictures)
    expected = unetpred.features(pictures, "vblock5_conv_3", weights=model)["vblock5_conv_3"]
    for path in (tmp_path, [tmp_path / f"{i}.png" for i in range(3)], str(tmp_path / "s.npy")):
        found = unetpred.features(path, "vblock5_conv_3", weights=model)["vblock5_conv_3"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match="several sizes"):
        unetpred.features([pictures[0], pictures[1][:90]], "block10", weights=model)
    with pytest.raises(InputError, match=r"no\.png"):
        unetpred.features(tmp_path / "no.png", "block10", weights=model)


def test_failed_images_are_rows_of_nan(run, pictures):
    write("d/a.png", pictures[0])
    write("d/c.png", pictures[2])
    whole = Path("d/c.png").read_bytes()
    Path("d/b.png").write_bytes(whole[: len(whole) // 2])
    for name in ("f.npz", "f.h5"):
        code, _, err = run("--input", "d", "--layers", "vblock2_conv_1", "--save", name)
        assert code == 1 and "d/b.png" in err and "Traceback" not in err
    with np.load("f.npz") as npz, h5py.File("f.h5") as h5:
        rows = npz["vblock2_conv_1"]
        assert np.isnan(rows[1]).all() and np.isfinite(rows[[0, 2]]).all()
        np.testing.assert_array_equal(h5["vblock2_conv_1"], rows)
        assert [bool(reason) for reason in npz["reason"]] == [False, True, False]


def test_what_is_missing_keeps_its_place(run, pictures, model):
    write("a.png", pictures[0])
    write("b.png", pictures[1])
    masks = np.ones((3, 100, 120), "uint8")
    masks[0, 10:40, 10:40] = masks[1, 50:90, 10:50] = masks[2, 60:70, 30:100] = 0
    np.save("m.npy", masks)
    for name in ("f.npz", "f.h5"):
        code, _, err = run("--input", "a.png", "no.png", "b.png", "--mask", "m.npy",
                           "--layers", "vblock2_conv_1", "--save", name)  # fmt: skip
        assert code == 1 and err.count("no.png") == 1 and "features of 2 image(s)" in err
    expected = unetpred.features(pictures[:2], "vblock2_conv_1", mask=masks[[0, 2]], weights=model)[
        "vblock2_conv_1"
    ]
    with np.load("f.npz") as npz, h5py.File("f.h5") as h5:
        assert npz["image"].tolist() == ["a.png", "no.png", "b.png"]
        assert [bool(reason) for reason in npz["reason"]] == [False, True, False]
        np.testing.assert_allclose(npz["vblock2_conv_1"][[0, 2]], expected, rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(h5["vblock2_conv_1"], npz["vblock2_conv_1"])
        assert np.isnan(npz["vblock2_conv_1"][1]).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_run_that_is_stopped(run, pictures, monkeypatch, number):
    np.save("s.npy", pictures)
    original = Extractor.__call__

    def stopped(self, *arguments):
        os.kill(os.getpid(), number)
        return original(self, *arguments)

    monkeypatch.setattr(Extractor, "__call__", stopped)
    code, out, err = run("--input", "s.npy", "--layers", "block10", "--save", "f.h5",
                         "--batch_size", 1)  # fmt: skip
    assert (code, out) == (128 + number, [])
    assert "unetpred: interrupted; f.h5 is not written" in err
    assert [path.name for path in Path().iterdir()] == ["s.npy"]


def test_what_a_killed_run_had_begun_is_removed(run, pictures):
    write("a.png", pictures[0])
    for name in (".12-abcdefghf.h5", ".12-abcdefgih.f.h5", ".12-abcdefghg.h5", ".13-abcdefghf.h5"):
        Path(name).write_text("begun")
    with held(".13-abcdefghf.h5"):  # as of one that is not killed
        assert run("--input", "a.png", "--layers", "block10", "--save", "f.h5")[0] == 0
    left = {".12-abcdefgih.f.h5", ".12-abcdefghg.h5", ".13-abcdefghf.h5"}
    assert {path.name for path in Path().iterdir()} == {"a.png", "f.h5", *left}


@pytest.mark.slow
def test_layers_are_listed(run, pictures):
    write("a.png", pictures[0])
    code, out, err = run("--list", "--input", "a.png")
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out]
    assert rows[0][0] == "layer" and [row[0] for row in rows[1:]] == layer_names("paper")
    assert dict((row[0], row[1:]) for row in rows)["vblock3_conv_3"] == [
        "32", "32", "16", "4", "40"
    ]  # fmt: skip
    assert run("--list")[1][1].split("\t")[:3] == ["vblock1_conv_1", "224", "224"]
    some = run("--list", "--layers", "block10", "vblock2_*")[1]
    assert [line.split("\t")[0] for line in some[1:]] == [
        "vblock2_conv_1", "vblock2_conv_2", "block10"
    ]  # fmt: skip
    assert run("--list", "--layers", "nosuch")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "f.npz"], "--layers is needed"),
        (["--layers", "block10"], "--save is needed"),
        (["--layers", "nosuch", "--save", "f.npz"], "'nosuch'"),
        (["--layers", "block10", "--save", "f.txt"], ".npz or .h5"),
        (["--layers", "block10", "--save", "f.npz", "--pool", "0"], "--pool 0"),
        (["--layers", "block10", "--save", "f.npz", "--mask_size", "300"], "does not fit"),
        (["--layers", "block10", "--save", "f.npz", "--batch_size", "0"], "--batch_size"),
    ],
)
def test_bad_usage(run, pictures, arguments, message):
    write("a.png", pictures[0])
    code, _, err = run("--input", "a.png", *arguments)
    assert code == 2 and message in err and "Traceback" not in err
    assert [path.name for path in Path().iterdir()] == ["a.png"]
