"""Weights of every format, and parity with the original's outputs."""

import json
import os
import re
import shutil

import h5py
import keras
import numpy as np
import pytest

from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.images.colour import to_network
from unetpred.io import registry
from unetpred.network.model import Config, build_unetpred
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import structure
from unetpred.weights import files as weights
from unetpred.weights import writing
from unetpred.weights.files import load_model, save_weights

LEGACY = "tests/data/upstream_weights.h5"


@pytest.fixture(scope="module")
def oracle():
    with np.load("tests/data/upstream_io.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def upstream():
    return load_model(LEGACY)


@pytest.fixture
def small():
    keras.utils.set_random_seed(3)
    config = Config("paper", 0.0625)
    return build_unetpred(config.variant, config.width), config


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def test_output_is_the_originals(upstream, oracle):
    image = to_network(oracle["image"].astype("float32"))
    mask = oracle["mask"][..., None].astype("float32")
    for i, expected in enumerate(oracle["raw_bgr"]):
        output = upstream.predict_on_batch([image[i : i + 1], mask[i : i + 1]])[0]
        assert np.abs(output - expected).max() < 1e-3 * expected.std()


def test_structure_is_the_originals(oracle):
    predictor = Predictor(LEGACY)
    result = predictor(oracle["image"][:3])
    np.testing.assert_allclose(result.structure, oracle["structure"][:3], atol=1e-4)
    # the fourth image has other holes, while its score is of the central square all the same
    fourth = predictor(oracle["image"][3:], oracle["mask"][3], network_output=True)
    output = np.clip(fourth.network_output[0], 0, 255)
    r, _ = structure(output, oracle["image"][3], hole_mask((224, 224)))
    assert abs(r - oracle["structure"][3]) < 1e-4


def test_original_kernels_are_scaled(upstream):
    with h5py.File(LEGACY) as file:
        kernel = file["vblock9_conv_1/vblock9_conv_1/kernel:0"][()]
    loaded = upstream.get_layer("vblock9_conv_1").get_weights()[0]
    np.testing.assert_allclose(loaded, kernel * (3 / 384), rtol=1e-6)


@pytest.mark.parametrize(
    "leaves", [("{}_1/kernel:0", "{}_1/bias:0"), ("{}_W_1:0", "{}_b_1:0"), ("z:0", "a:0")]
)
def test_the_outer_group_is_the_layer_whatever_its_arrays_are_called(tmp_path, upstream, leaves):
    path = tmp_path / "renamed.h5"
    shutil.copy(LEGACY, path)
    with h5py.File(path, "a") as file:
        for name, group in file.items():
            old = list(group.attrs["weight_names"])
            new = [leaf.format(name) for leaf in leaves][: len(old)]
            values = [group[one][()] for one in old]
            for child in list(group):
                del group[child]
            for one, value in zip(new, values, strict=True):
                group[one] = value
            group.attrs["weight_names"] = np.array([one.encode() for one in new], "S")
    assert weights.describe(path)["format"].startswith("legacy")
    assert same(load_model(path), upstream)


def test_native_round_trip(tmp_path, small):
    model, config = small
    path = tmp_path / "a.weights.h5"
    save_weights(model, config, path, step=7)
    assert same(load_model(path), model)
    about = weights.describe(path)
    assert (about["variant"], about["width"], about["note step"]) == ("paper", 0.0625, 7)
    assert about["parameters"] == model.count_params()


def test_half_precision_is_stored_and_computed_in_full(tmp_path, small):
    model, config = small
    path = tmp_path / "a.weights.h5"
    save_weights(model, config, path, dtype="float16")
    assert weights.describe(path)["stored as"] == "float16"
    loaded = load_model(path)
    assert loaded.compute_dtype == "float32"
    for x, y in zip(loaded.get_weights(), model.get_weights(), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, y.astype("float16").astype("float32"))


def test_files_of_keras_itself(tmp_path, small):
    model, _ = small
    plain, sharded, whole = (tmp_path / n for n in ("p.weights.h5", "s.weights.json", "w.keras"))
    model.save_weights(plain)
    model.save_weights(sharded, max_shard_size=0.0002)
    model.save(whole)
    assert len(list(tmp_path.glob("s_*.weights.h5"))) > 1
    for path in (plain, sharded, whole):
        assert same(load_model(path), model)


def test_parts_of_the_network_at_full_width(tmp_path):
    keras.utils.set_random_seed(3)
    model = build_unetpred()
    path = tmp_path / "full.weights.json"
    save_weights(model, Config(), path, dtype="float16", step=7)
    parts = sorted(p for p in tmp_path.iterdir() if p != path)
    assert [p.name for p in parts] == [f"full_{i:05}.weights.h5" for i in range(len(parts))]
    assert len(parts) > 1 and all(p.stat().st_size < 16e6 for p in parts)
    about = weights.describe(path)
    assert (about["variant"], about["width"], about["note step"]) == ("paper", 1.0, 7)
    assert about["stored as"] == "float16" and about["parameters"] == model.count_params()
    halves = [value.astype("float16").astype("float32") for value in model.get_weights()]
    for read in (load_model(path), model):
        if read is model:  # Keras reads what is written
            model.load_weights(path)
        for value, half in zip(read.get_weights(), halves, strict=True):
            np.testing.assert_array_equal(value, half)


def test_parts_replace_others_of_the_same_name(tmp_path, small, monkeypatch):
    model, config = small
    path = tmp_path / "a.weights.json"
    (tmp_path / "a_00000.weights.json").write_text("of another")
    monkeypatch.setattr(writing, "PART_SIZE", 100_000)
    save_weights(model, config, path)
    assert len(list(tmp_path.iterdir())) > 4
    monkeypatch.setattr(writing, "PART_SIZE", 400_000)
    model.set_weights([value + 1 for value in model.get_weights()])
    save_weights(model, config, path)
    named = re.findall(r"a_\d{5}\.weights\.h5", path.read_text())
    assert {p.name for p in tmp_path.iterdir()} == {*named, path.name, "a_00000.weights.json"}
    assert same(load_model(path), model)


def test_names_that_are_no_weights_files(tmp_path, small):
    for name in ("a.h5", "a.json", "a.weights", "nosuch/a.weights.h5"):
        with pytest.raises(InputError, match=name):
            save_weights(*small, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("width", [0.3, 0.07, 0.01, 0.001])
def test_any_width(tmp_path, width):
    config = Config("released", width)
    model = build_unetpred(config.variant, config.width)
    save_weights(model, config, tmp_path / "a.weights.h5")
    model.save_weights(tmp_path / "unnoted.weights.h5")
    assert weights.describe(tmp_path / "a.weights.h5")["width"] == width
    for name in ("a", "unnoted"):
        assert same(load_model(tmp_path / f"{name}.weights.h5"), model)


def test_the_originals_as_native_ones(tmp_path, upstream, capsys):
    path = tmp_path / "native.weights.json"
    code = main(["weights", "export", "--format", "keras", "--weights", LEGACY,
                 "--output", str(path), "--quiet"])  # fmt: skip
    assert (code, *capsys.readouterr()) == (0, "", "")
    assert weights.describe(path)["format"] == "native"
    for native, value in zip(load_model(path).get_weights(), upstream.get_weights(), strict=True):
        np.testing.assert_allclose(native, value, rtol=1e-3, atol=1e-7)


def test_files_without_layer_names_are_read_in_order(tmp_path, small):
    model, _ = small
    path = tmp_path / "a.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        for group in file["layers"].values():
            group.attrs.pop("name", None)
    assert same(load_model(path), model)


def test_shards_may_part_kernel_and_bias(tmp_path, small):
    model, _ = small
    model.save_weights(tmp_path / "s.weights.json", max_shard_size=0.0002)
    first, second = (tmp_path / f"s_0000{i}.weights.h5" for i in (0, 1))
    with h5py.File(first, "a") as a, h5py.File(second, "a") as b:
        group = next(g for g in a["layers"].values() if "vars" in g and "1" in g["vars"])
        b.create_group(group["vars"].name)["1"] = group["vars/1"][()]
        del group["vars/1"]
    assert same(load_model(tmp_path / "s.weights.json"), model)


def test_whole_model_of_keras_3_is_not_the_originals(tmp_path, small):
    model, _ = small
    model.save(tmp_path / "mine.h5")
    assert same(load_model(tmp_path / "mine.h5"), model)


def test_half_precision_policy_of_the_user(tmp_path, small):
    model, config = small
    save_weights(model, config, tmp_path / "a.weights.h5")
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        assert load_model(tmp_path / "a.weights.h5").get_layer("block10").compute_dtype == "float32"
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(before)


def test_format_is_told_by_content(tmp_path, oracle):
    renamed = tmp_path / "anything.bin"
    shutil.copy(LEGACY, renamed)
    assert "vblock6_conv_1" not in {layer.name for layer in load_model(renamed).layers}


def test_three_mask_channels(small, tmp_path):
    model, config = small
    path = tmp_path / "a.weights.h5"
    save_weights(model, config, path)
    rng = np.random.default_rng(0)
    image = rng.normal(0, 50, (1, 96, 96, 3)).astype("float32")
    mask = hole_mask((96, 96), 30)[None, ..., None]
    one = model.predict_on_batch([image, mask])
    three = load_model(path, mask_channels=3).predict_on_batch([image, np.repeat(mask, 3, -1)])
    np.testing.assert_allclose(three, one, atol=1e-3 * one.std())


def broken(tmp_path, change):
    path = tmp_path / "broken.h5"
    shutil.copy(LEGACY, path)
    with h5py.File(path, "a") as file:
        change(file)
    return path


def test_incomplete_file(tmp_path):
    path = broken(tmp_path, lambda f: f["vblock8_conv_2/vblock8_conv_2"].pop("bias:0"))
    with pytest.raises(InputError, match=r"broken\.h5: incomplete, it lacks vblock8_conv_2/bias"):
        load_model(path)


def test_wrong_shape(tmp_path):
    def change(file):
        group = file["block10/block10"]
        del group["kernel:0"]
        group["kernel:0"] = np.zeros((3, 3, 64, 3), "float32")

    with pytest.raises(InputError, match=r"block10 has shapes \(3, 3, 64, 3\)"):
        load_model(broken(tmp_path, change))


def test_nan(tmp_path):
    def change(file):
        file["block10/block10/bias:0"][...] = np.nan

    with pytest.raises(InputError, match="block10 holds NaN"):
        load_model(broken(tmp_path, change))


def test_surplus_layer(tmp_path):
    def change(file):
        file["extra/extra/kernel:0"] = np.zeros(3)

    with pytest.raises(InputError, match=r"has layers .* extra"):
        load_model(broken(tmp_path, change))


def test_other_architecture():
    with pytest.raises(InputError, match="not the weights of a U-Net-Pred network"):
        load_model("tests/data/vgg16_notop_random.h5")


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.weights.json", "a.keras"])
def test_text_renamed(tmp_path, name):
    path = tmp_path / name
    path.write_text("not weights")
    with pytest.raises(InputError, match="not a file of U-Net-Pred weights"):
        load_model(path)


def test_cut_short(tmp_path):
    path = tmp_path / "a.h5"
    with open(LEGACY, "rb") as file:
        path.write_bytes(file.read(200_000))
    with pytest.raises(InputError, match=r"a\.h5: damaged HDF5 file"):
        load_model(path)


def test_missing_shard(tmp_path, small):
    model, _ = small
    model.save_weights(tmp_path / "s.weights.json", max_shard_size=0.0002)
    (tmp_path / "s_00001.weights.h5").unlink()
    with pytest.raises(InputError, match=r"part s_00001\.weights\.h5 is missing"):
        load_model(tmp_path / "s.weights.json")


def test_neither_name_nor_file():
    with pytest.raises(InputError, match="nosuch: neither a file nor one of the weights full"):
        load_model("nosuch")
    with pytest.raises(InputError, match="a name or a file is needed, got a dict"):
        Predictor({})


def test_fetch_refuses_another_file(tmp_path, monkeypatch):
    monkeypatch.setenv("UNETPRED_HOME", str(tmp_path / "home"))
    (tmp_path / "other.h5").write_bytes(b"something else")
    with pytest.raises(InputError, match="nothing was kept"):
        registry.fetch_upstream((tmp_path / "other.h5").as_uri())
    assert not (tmp_path / "home").exists()


def test_fetch_keeps_the_right_file(tmp_path, monkeypatch):
    monkeypatch.setenv("UNETPRED_HOME", str(tmp_path / "home"))
    (tmp_path / "right.h5").write_bytes(b"hello\n")
    monkeypatch.setattr(registry, "UPSTREAM_BLOB", "ce013625030ba8dba906f756967f9e9ca394464a")
    path = registry.fetch_upstream((tmp_path / "right.h5").as_uri())
    assert path.read_bytes() == b"hello\n"
    assert registry.known_weights()["upstream"].here


def test_fetch_without_internet(tmp_path, monkeypatch):
    monkeypatch.setenv("UNETPRED_HOME", str(tmp_path))
    with pytest.raises(InputError, match="needs the internet"):
        registry.fetch_upstream((tmp_path / "nothing").as_uri())


def test_note_is_json(tmp_path, small):
    model, config = small
    save_weights(model, config, tmp_path / "a.weights.h5", step=1)
    with h5py.File(tmp_path / "a.weights.h5") as file:
        note = json.loads(file.attrs["unetpred"])
    assert len(note.pop("arrays_sha256")) == len(note.pop("notes_sha256")) == 64
    assert note == {"variant": "paper", "width": 0.0625, "step": 1}


def test_locks_of_others(small, tmp_path):
    """A file's lock lives on in a process that was forked while the file was open."""
    fcntl = pytest.importorskip("fcntl")
    model, config = small
    path = tmp_path / "a.weights.h5"
    save_weights(model, config, path, step=7)
    held = os.open(path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    again = load_model(path)
    os.close(held)
    assert same(again, model)
