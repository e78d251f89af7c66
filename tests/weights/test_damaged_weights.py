"""Weights that are damaged or hostile are refused in one line; none of them scores in silence."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from unetpred.errors import InputError, WriteError
from unetpred.io import apart, registry
from unetpred.io.hdf5 import read_layers
from unetpred.network.model import Config, build_unetpred
from unetpred.weights.files import describe, load_model, save_weights
from unetpred.weights.writing import write_weights


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(3)
    config = Config("paper", 0.0625)
    return build_unetpred(config.variant, config.width), config


@pytest.fixture
def saved(tmp_path, small):
    save_weights(*small, tmp_path / "a.weights.h5")
    return tmp_path / "a.weights.h5"


def refusal(path):
    with pytest.raises(InputError) as error:
        load_model(path)
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < 600
    return message


@pytest.mark.parametrize("name", sorted(registry.SHIPPED))
def test_known_hashes_are_those_of_the_files(name):
    assert registry.sha256(registry.known_weights()[name].path) == registry.SHA256[name]
    assert registry.is_known(registry.known_weights()[name].path, name)


def test_vgg_too():
    assert registry.sha256(registry.known_vgg().path) == registry.SHA256[registry.VGG]


def test_shipped_weights_that_were_damaged(tmp_path, monkeypatch):
    shutil.copy(registry.known_weights()["lite"].path, tmp_path)
    path = tmp_path / registry.SHIPPED["lite"]
    data = bytearray(path.read_bytes())
    data[2_000_000 : 2_000_000 + 65536] = bytes(65536)
    path.write_bytes(data)
    monkeypatch.setattr(registry, "_shipped", lambda: tmp_path)
    for ask in (load_model, describe):
        with pytest.raises(
            InputError, match=r"damaged or was changed: its sha256 is .* of lite is"
        ):
            ask("lite")


def test_our_own_weights_that_were_damaged(saved, small):
    with h5py.File(saved) as file:
        kernel = file["layers/p_conv2d_3/vars/0"]
        place, size = kernel.id.get_offset(), kernel.nbytes
    data = bytearray(saved.read_bytes())
    data[place + 1 : place + size // 2] = bytes(size // 2 - 1)
    saved.write_bytes(data)
    assert "check sum" in refusal(saved)


@pytest.mark.parametrize("width", [1, 40])
def test_parts_that_were_damaged(tmp_path, small, width):
    path = tmp_path / "a.weights.json"
    save_weights(*small, path, dtype="float16")
    load_model(path)
    part = tmp_path / "a_00000.weights.h5"
    with h5py.File(part) as file:
        place = file["layers/p_conv2d_3/vars/0"].id.get_offset()
    data = bytearray(part.read_bytes())
    data[place : place + width] = bytes(b ^ 1 for b in data[place : place + width])
    part.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_of_others_that_are_no_numbers(tmp_path, small, value):
    model, _ = small
    path = tmp_path / "a.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/p_conv2d_2/vars/1"][0] = value
    assert "holds NaN or infinity" in refusal(path)


@pytest.mark.parametrize("sharded", [False, True])
def test_keras_reads_what_we_write(tmp_path, small, sharded):
    model, config = small
    path = tmp_path / ("a.weights.json" if sharded else "a.weights.h5")
    save_weights(model, config, path)
    other = build_unetpred(config.variant, config.width)
    other.load_weights(path)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_layout_is_that_of_keras(tmp_path, small):
    model, config = small
    model.save_weights(tmp_path / "k.weights.h5")
    save_weights(model, config, tmp_path / "u.weights.h5")

    def tree(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, item: found.update({name: dict(item.attrs)}))
        return found

    keras_own = {name: about for name, about in tree(tmp_path / "k.weights.h5").items() if about}
    ours = tree(tmp_path / "u.weights.h5")
    assert {name: ours.get(name) for name in keras_own} == keras_own


NOTES = {
    "a list": [1, 2],
    "a number": 3,
    "a width of infinite filters": {"variant": "paper", "width": 1e308},
    "a width that is none": {"variant": "paper", "width": "wide"},
    "a negative width": {"variant": "paper", "width": -1.0},
    "no variant": {"variant": ["x"], "width": None},
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_notes_that_are_none(tmp_path, small, note):
    model, config = small
    path = tmp_path / "a.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file.attrs["unetpred"] = json.dumps(note)
    assert describe(path)["width"] == config.width
    (tmp_path / "b.weights.json").write_text(
        json.dumps({"metadata": {"unetpred": note}, "weight_map": {"/layers": [path.name]}})
    )
    assert describe(tmp_path / "b.weights.json")["width"] == config.width


def test_notes_that_are_nested_deep(tmp_path, small):
    path = tmp_path / "a.weights.h5"
    small[0].save_weights(path)
    with h5py.File(path, "a") as file:
        file.attrs["unetpred"] = "[" * 30_000
    refusal(path)
    (tmp_path / "b.weights.json").write_text('{"weight_map": ' + "[" * 100_000)
    refusal(tmp_path / "b.weights.json")


def test_archives_of_every_compression(tmp_path, saved):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / "a.keras"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.write(saved, "model.weights.h5")
        if method == zipfile.ZIP_DEFLATED:
            load_model(path)
        else:  # of which any number of bytes comes out at once
            assert "as Keras does not" in refusal(path)
        data = bytearray(path.read_bytes())
        for place in range(60, 3000, 7):
            data[place] ^= 0x55
        path.write_bytes(data)
        refusal(path)


def test_small_files_that_claim_much(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        shape = (3, 3, 10_000, 20_000)
        file.create_dataset("vblock1_conv_1/kernel", shape, chunks=(3, 3, 100, 100))
    assert "too few" in refusal(path)
    with (
        zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model.weights.h5", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert "says that it holds 314572800 bytes" in refusal(tmp_path / "a.keras")


def test_arrays_in_other_files_are_not_read(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        outside = [("/dev/zero", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("vblock1_conv_1/kernel", (3, 3, 3, 4), "f4", external=outside)
    assert "is in another file" in refusal(path)


def test_a_pipe_is_named(tmp_path, saved):
    os.mkfifo(tmp_path / "a.weights.h5.pipe")
    with pytest.raises(InputError, match="neither a file"):
        load_model(tmp_path / "a.weights.h5.pipe")
    os.mkfifo(tmp_path / "part.h5")
    index = {"weight_map": {"/x": ["part.h5"]}}
    (tmp_path / "b.weights.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"part\.h5: is a pipe"):
        load_model(tmp_path / "b.weights.json")


@pytest.mark.parametrize(
    "fault", ["while True: pass", "import os; os.abort()", "import sys; sys.exit(0)"]
)
def test_a_file_that_makes_its_reader_run_for_ever_or_crash(saved, monkeypatch, fault):
    monkeypatch.setattr(apart, "SECONDS", 1)
    monkeypatch.setattr(
        apart, "_START", f"from unetpred.io import apart; apart._limit(1, 0)\n{fault}"
    )
    started = time.monotonic()
    assert "took more than 1 s or crashed" in refusal(saved)
    assert time.monotonic() - started < 20


def test_what_a_child_reads_is_what_is_there(saved):
    one, two = (read_layers(saved, "weights", trusted) for trusted in (True, False))
    assert (
        one.note == two.note and one.legacy == two.legacy and list(one.layers) == list(two.layers)
    )
    for name, parts in one.layers.items():
        for part, array in parts.items():
            assert two.layers[name][part].dtype == array.dtype
            np.testing.assert_array_equal(two.layers[name][part], array)


def test_without_a_home_folder():
    code = (
        "from pathlib import Path\n"
        "def home(): raise RuntimeError('no home')\n"
        "Path.home = home\n"
        "from unetpred.io import registry\n"
        "assert registry.find_weights('lite')[1].is_file()\n"
        "try: registry.fetch_upstream()\n"
        "except ValueError as error: print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "UNETPRED_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "set UNETPRED_HOME" in done.stdout


@pytest.mark.parametrize("name", ["a.weights.h5", "a.weights.json"])
@pytest.mark.parametrize("room", [0, 1000, 60_000, 250_000])
def test_a_full_disk_leaves_what_was_there(tmp_path, small, name, room):
    model, config = small
    path = tmp_path / name
    save_weights(model, config, path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        with pytest.raises(WriteError) as error:
            write_weights(Path(path), model, config.as_dict())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(error.value) and "make room" in str(error.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
