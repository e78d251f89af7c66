"""MATLAB's files give the pictures that were saved, whatever version, axes and class."""

import os
import struct
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from tables import table

import unetpred
from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.images.formats import matlab_packed
from unetpred.images.formats.matlab import matlab_file
from unetpred.images.sources import array_sources, list_sources

COUNT, HEIGHT, WIDTH = 5, 90, 120


def stack(dtype="uint8", channels: int = 3) -> np.ndarray:
    """Pictures (N,H,W,C) of all values that a class has in 0..255."""
    values = np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH, channels))
    return (values * 257 if dtype == "uint16" else values).astype(dtype)


def save_5(path, variables: dict, compressed: bool = True) -> str:
    scipy.io.savemat(path, variables, do_compression=compressed)
    return str(path)


def save_73(path, variables: dict, **options) -> str:
    """Lay variables out as MATLAB does: axes reversed, classes as attributes, a header before."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            kind = {"float64": "double", "float32": "single", "bool": "logical"}.get(
                str(values.dtype), str(values.dtype)
            )
            stored = values.astype("uint8") if values.dtype == bool else values
            made = file.create_dataset(name, data=stored.T, **options)
            made.attrs["MATLAB_class"] = np.bytes_(kind)
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM"
    with open(path, "r+b") as file:
        file.write(text)
    return str(path)


SAVERS = {
    "5": save_5,
    "5, not compressed": lambda path, variables: save_5(path, variables, compressed=False),
    "7.3": save_73,
    "7.3 in chunks": lambda path, variables: save_73(
        path, variables, chunks=True, compression="gzip", shuffle=True
    ),
}


@pytest.fixture(params=SAVERS)
def saver(request):
    return SAVERS[request.param]


def loaded(array) -> np.ndarray:
    return np.stack([array.load(index) for index in range(array.count or 1)])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64", "float32", "int16", "bool"])
def test_every_class_is_read_as_arrays_are(saver, dtype, tmp_path):
    pictures = stack(dtype)
    path = saver(tmp_path / "a.mat", {"images": pictures.transpose(1, 2, 3, 0)})
    array = matlab_file(path)
    expected = np.stack([source.load() for source in array_sources(pictures)])
    np.testing.assert_array_equal(loaded(array), expected)
    assert loaded(array).dtype == np.float32
    assert (array.count, array.size) == (COUNT, (HEIGHT, WIDTH))
    assert array.note == (
        f"{path}: images is 90x120x3x5 "
        f"{ {'float64': 'double', 'float32': 'single', 'bool': 'logical'}.get(dtype, dtype) }: "
        "5 image(s) of 120x90 px (width x height), 3 channel(s); axes HWCN"
    )


@pytest.mark.parametrize("axes", ["HWCN", "NHWC", "HWC", "HWN", "NHW", "HW"])
def test_axes_are_told_by_sizes(saver, axes, tmp_path):
    pictures = stack()
    kept = pictures[tuple(slice(None) if letter in axes else 0 for letter in "NHWC")]
    letters = [letter for letter in "NHWC" if letter in axes]
    stored = kept.transpose([letters.index(letter) for letter in axes])
    array = matlab_file(saver(tmp_path / "a.mat", {"x": stored}))
    assert array.note.endswith(f"axes {axes}")
    assert array.count == (COUNT if "N" in axes else None)
    wanted = pictures if "N" in axes else pictures[:1]
    if "C" not in axes:
        wanted = wanted[..., :1].repeat(3, axis=-1)
    np.testing.assert_array_equal(loaded(array), wanted)


@pytest.mark.parametrize("axes", ["CHWN", "NCHW", "WHCN", "nwhc", "CNWH"])
def test_axes_can_be_stated(saver, axes, tmp_path):
    pictures = stack()
    stored = pictures.transpose(["NHWC".index(letter) for letter in axes.upper()])
    array = matlab_file(saver(tmp_path / "a.mat", {"x": stored}), axes=axes)
    np.testing.assert_array_equal(loaded(array), pictures)
    assert array.note.endswith(f"axes {axes.upper()}")


def test_stated_axes_of_one_that_matlab_drops(saver, tmp_path):
    pictures = stack()
    path = saver(tmp_path / "a.mat", {"x": pictures[0]})
    array = matlab_file(path, axes="HWCN")
    assert array.count == 1
    np.testing.assert_array_equal(loaded(array), pictures[:1])
    grey = matlab_file(saver(tmp_path / "b.mat", {"x": pictures[0, ..., 0]}), axes="HWCN")
    np.testing.assert_array_equal(loaded(grey), pictures[:1, ..., :1].repeat(3, axis=-1))
    with pytest.raises(InputError, match=r"`axes` 'HW': .*a\.mat: x is 90x120x3, which is 3 axes"):
        matlab_file(path, axes="HW")
    for wrong in ("HWCT", "HHW", "CN", ""):
        with pytest.raises(InputError, match=f"`axes` '{wrong}': H and W are needed"):
            matlab_file(path, axes=wrong)
    three = matlab_file(path, axes="HWN")  # three grey ones, against what sizes say
    assert three.count == 3
    np.testing.assert_array_equal(three.load(2)[..., 1], pictures[0, ..., 2])


def test_square_images_are_told_and_what_cannot_be_told_is_asked(saver, tmp_path):
    for shape, letters in (((100, 100, 90), "HWN"), ((90, 100, 100), "NHW")):
        path = saver(tmp_path / "a.mat", {"x": np.zeros(shape, "uint8")})
        assert matlab_file(path).note.endswith(letters)
    path = saver(tmp_path / "a.mat", {"x": np.zeros((90, 100, 110), "uint8")})
    with pytest.raises(InputError, match=r"x is 90x100x110, which can be HWN .* or NHW .*; state"):
        matlab_file(path)
    for shape in ((50, 1), (40, 40, 3, 9), (90, 90, 2, 9), (90, 90, 3, 2, 2)):
        path = saver(tmp_path / "a.mat", {"x": np.zeros(shape, "uint8")})
        with pytest.raises(InputError, match=f"x is {'x'.join(map(str, shape))}; images of at"):
            matlab_file(path)


def test_a_variable_is_chosen_by_its_key(saver, tmp_path):
    pictures = stack()
    variables = {"images": pictures.transpose(1, 2, 3, 0), "labels": np.ones((5, 1))}
    path = saver(tmp_path / "a.mat", variables)
    np.testing.assert_array_equal(loaded(matlab_file(path, "images")), pictures)
    have = r"it has images \(90x120x3x5 uint8\), labels \(5x1 double\)"
    with pytest.raises(InputError, match=rf"a.mat: choose a variable by its key; {have}"):
        matlab_file(path)
    with pytest.raises(InputError, match=rf"a.mat: has no variable 'image'; {have}"):
        matlab_file(path, "image")


def test_what_is_no_array_is_named_with_what_to_do(tmp_path):
    cell = np.empty((1, 2), object)
    cell[:] = [[np.zeros((90, 90)), np.ones((90, 90))]]
    others = {
        "s": {"field": np.ones((90, 90))},
        "c": cell,
        "text": "hello",
        "few": scipy.sparse.eye(90).tocsc(),
    }
    path = save_5(tmp_path / "a.mat", {**others, "x": stack()[0]})
    assert matlab_file(path).note.startswith(f"{path}: x is")  # the only one of numbers
    for key, message in (
        ("s", "s is a struct; save its field by itself"),
        ("c", r"c is a cell; join its images in MATLAB, if of one size: images = cat\(4, c{:}\)"),
        ("text", "text is a char; an array of numbers"),
        ("few", r"few is a sparse; save it as full\(few\)"),
    ):
        with pytest.raises(InputError, match=message):
            matlab_file(path, key)
    with pytest.raises(InputError, match="a struct; save"):
        matlab_file(save_5(tmp_path / "b.mat", {"s": others["s"]}))
    path = save_5(tmp_path / "c.mat", {"x": np.ones((90, 90)) * 1j})
    with pytest.raises(InputError, match="x is complex; real numbers are needed"):
        matlab_file(path).load(0)


def test_what_is_no_array_in_version_73(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_group("s")["field"] = np.ones((90, 90))
        made = file.create_dataset("c", (1, 2), h5py.ref_dtype)
        made.attrs["MATLAB_class"] = np.bytes_("cell")
        file["text"] = np.ones((5, 1), "uint16")
        file["text"].attrs["MATLAB_class"] = np.bytes_("char")
        file["none"] = np.zeros(2, "uint64")
        file["none"].attrs["MATLAB_class"] = np.bytes_("double")
        file["none"].attrs["MATLAB_empty"] = np.uint8(1)
        file["z"] = np.zeros((90, 90), [("real", "f8"), ("imag", "f8")])
        file.create_group("#refs#")["a"] = np.ones((90, 90))
        file["plain"] = np.full((120, 90), 7, ">u2")  # of another program
    assert (matlab_file(str(path)).load(0) == np.float32(7 / 257)).all()
    for key, message in (
        ("s", "s is a struct; save"),
        ("c", "c is a cell; join"),
        ("text", "text is a char;"),
        ("none", "none is an empty array"),
        ("z", "z is a complex array; an array of numbers is needed"),
        ("#refs#", "has no variable '#refs#'"),
    ):
        with pytest.raises(InputError, match=message):
            matlab_file(str(path), key)


def element(kind: int, data: bytes) -> bytes:
    """A part of a file of version 5, by its description."""
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def written_by_hand(shape, stored: bytes, stored_as: int, kind: int = 6, packed=False) -> bytes:
    """A file of version 5 with one variable x, of class `kind` (6 is double)."""
    variable = element(6, struct.pack("<II", kind, 0))
    variable += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, b"x")
    variable = element(14, variable + element(stored_as, stored))
    if packed:
        variable = zlib.compress(variable)
        variable = struct.pack("<II", 15, len(variable)) + variable
    return b"MATLAB 5.0 MAT-file, by hand".ljust(116) + bytes(8) + b"\x00\x01IM" + variable


@pytest.mark.parametrize("packed", [False, True])
def test_doubles_that_matlab_stores_as_bytes_are_doubles(packed, tmp_path, caplog):
    values = np.random.default_rng(0).integers(0, 2, (90, 100)).astype("uint8")
    path = tmp_path / "a.mat"
    path.write_bytes(written_by_hand((90, 100), values.tobytes("F"), 2, packed=packed))
    array = matlab_file(str(path))
    assert "90x100 double" in array.note
    np.testing.assert_array_equal(array.load(0)[..., 0], values)
    assert "arrays of floats are taken as 0..255" in caplog.text  # as of any array of doubles


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "shape", [(30000, 30000), (2**20, 2**20), (2**31 - 1, 2**31 - 1), (-90, 90)]
)
def test_claims_beyond_the_file_are_refused_before_anything_is_read(shape, packed, tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(written_by_hand(shape, bytes(100), 2, packed=packed))
    with pytest.raises(InputError, match=r"a\.mat"):
        matlab_file(str(path))


def test_claims_beyond_a_file_of_version_73_are_refused(tmp_path):
    path = str(tmp_path / "a.mat")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**5, 3, 10**4, 10**4), "uint8", chunks=(1, 1, 100, 100))
    with pytest.raises(InputError, match=r"x claims to be .*, but only 0 bytes are there"):
        matlab_file(path)


def test_links_and_values_in_other_files_are_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((90, 90))
    (tmp_path / "raw").write_bytes(bytes(8100))
    path = str(tmp_path / "a.mat")
    with h5py.File(path, "w") as file:
        file["outside"] = h5py.ExternalLink("secret.h5", "x")
        file["soft"] = h5py.SoftLink("/inside")
        file["inside"] = np.ones((90, 90))
        file.create_dataset("raw", (90, 90), "uint8", external=[(str(tmp_path / "raw"), 0, 8100)])
        virtual = h5py.VirtualLayout((90, 90), "f8")
        virtual[...] = h5py.VirtualSource(str(secret), "x", (90, 90))
        file.create_virtual_dataset("virtual", virtual)
    for key in ("outside", "soft"):
        with pytest.raises(InputError, match=f"has no variable '{key}'"):
            matlab_file(path, key)
    for key in ("raw", "virtual"):
        with pytest.raises(InputError, match=f"{key} is in other files"):
            matlab_file(path, key)
    assert matlab_file(path, "inside").size == (90, 90)


def test_damaged_and_missing_files_are_named(tmp_path):
    whole = save_5(tmp_path / "a.mat", {"x": stack()[0]})
    written = (tmp_path / "a.mat").read_bytes()
    for count in (0, 20, 128, 135, 200, len(written) // 2):
        (tmp_path / "b.mat").write_bytes(written[:count])
        with pytest.raises(InputError, match=r"b\.mat"):
            matlab_file(str(tmp_path / "b.mat")).load(0)
    (tmp_path / "c.mat").write_bytes(b"no such thing " * 100)
    with pytest.raises(InputError, match=r"c\.mat: cannot be read"):
        matlab_file(str(tmp_path / "c.mat"))
    with pytest.raises(InputError, match=r"none\.mat: no such file"):
        matlab_file(str(tmp_path / "none.mat"))
    seventh = save_73(tmp_path / "d.mat", {"x": stack()[0]})
    written = (tmp_path / "d.mat").read_bytes()
    (tmp_path / "d.mat").write_bytes(written[: len(written) // 2])
    with pytest.raises(InputError, match=r"d\.mat"):
        matlab_file(seventh).load(0)
    assert matlab_file(whole).load(0).shape == (HEIGHT, WIDTH, 3)


def test_a_file_that_changes_is_read_anew(tmp_path):
    path = save_5(tmp_path / "a.mat", {"x": stack()[0]})
    matlab_file(path).load(0)
    save_5(tmp_path / "a.mat", {"x": stack()[1]})
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(matlab_file(path).load(0), stack()[1])


def test_images_along_the_last_axis_of_version_73_are_read_one_by_one(tmp_path, monkeypatch):
    path = save_73(tmp_path / "a.mat", {"x": stack().transpose(1, 2, 3, 0)})
    read = []
    plain = h5py.Dataset.__getitem__

    def counted(self, index):
        read.append(np.shape(plain(self, index)))
        return plain(self, index)

    array = matlab_file(path)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    array.load(3)
    assert read == [(3, WIDTH, HEIGHT)]


def test_opacity_and_small_sides_are_as_in_other_arrays(saver, tmp_path, caplog):
    pictures = np.concatenate([stack()[:1], np.full((1, HEIGHT, WIDTH, 1), 9, "uint8")], axis=-1)
    array = matlab_file(saver(tmp_path / "a.mat", {"x": pictures[0]}))
    np.testing.assert_array_equal(array.load(0), pictures[0, ..., :3])
    assert "alpha is ignored" in caplog.text
    path = saver(tmp_path / "b.mat", {"x": np.zeros((60, 90, 3), "uint8")})
    (small,) = list_sources([path], axes="HWC")
    assert small.error == f"{path}: is 90x60 px (width x height); at least 84x84 is needed"
    (small,) = list_sources([path], axes="HWC", smallest=60)
    assert [source.size for source in small.sources] == [(60, 90)]
    path = saver(tmp_path / "c.mat", {"x": np.full((90, 90), 300.0)})
    with pytest.raises(InputError, match=r"has values from 300 to 300; 0..255 is needed"):
        matlab_file(path).load(0)


@pytest.mark.parametrize("axes, save", [("HWCN", save_5), ("NHWC", save_73)])
def test_scores_are_those_of_the_same_array(axes, save, run, weights, pictures):
    stored = pictures.transpose(["NHWC".index(letter) for letter in axes])
    save("a.mat", {"images": stored, "other": np.ones((3, 1))})
    code, _, err = run("--input", "a.mat", "--save", "m.csv", "--key", "images")
    said = f"3 image(s) of 120x100 px (width x height), 3 channel(s); axes {axes}"
    assert code == 0 and said in err
    notes, rows = table("m.csv")
    assert said in notes["inputs"]
    expected = unetpred.score(pictures, weights=weights)
    assert [row["structure"] for row in rows] == list(map(repr, map(float, expected["structure"])))
    found = unetpred.score("a.mat", key="images", axes=axes.lower(), weights=weights)
    np.testing.assert_array_equal(found["structure"], expected["structure"])
    assert found.attrs["provenance"]["inputs"] == notes["inputs"]


def test_axes_that_cannot_be_told_are_one_line_that_names_the_option(run):
    save_5("a.mat", {"x": np.zeros((90, 100, 110), "uint8")})
    code, _, err = run("--input", "a.mat")
    assert code == 2 and err.count("\n") == 1 and err.endswith("; state them by --axes\n")
    np.save("a.npy", stack())
    code, _, err = run("--input", "a.npy", "--axes", "NHWC")
    assert code == 2 and "a.npy: --axes is for .mat" in err


def test_a_map_and_features_read_them_too(tmp_path, weights):
    picture = stack()[0]
    path = save_73(tmp_path / "a.mat", {"x": picture.transpose(2, 0, 1), "y": np.ones((9, 9))})
    (given,) = list_sources([path], "x", axes="CHW")
    np.testing.assert_array_equal(given.sources[0].load(), picture)
    for command, more in (("map", ["--stride", 40]), ("features", ["--layers", "vblock1_conv_1"])):
        words = [command, "--input", path, "--key", "x", "--axes", "CHW", "--weights", weights]
        assert main([*words, *map(str, more), "--save", str(tmp_path / f"{command}.npz")]) == 0
    assert np.load(tmp_path / "features.npz")["vblock1_conv_1"].shape[0] == 1
    assert np.isfinite(np.load(tmp_path / "map.npz")["structure"]).any()


def test_a_file_that_claims_more_than_is_likely_is_refused(tmp_path):
    path = save_5(tmp_path / "a.mat", {"x": np.zeros((9500, 9500), "uint8")})
    with pytest.raises(InputError, match=r"more than 89478485 pixels; --max_pixels 90250000 lets"):
        matlab_file(path)


@pytest.mark.parametrize("shape", [(4, 3, 120, 100), (100, 120, 3)], ids=str)
def test_pixels_that_were_never_written_are_missing(shape, tmp_path):
    with h5py.File(save_73(tmp_path / "a.mat", {}), "a") as file:
        chunks = (1, 3, 60, 100) if len(shape) == 4 else (50, 120, 3)
        file.create_dataset("images", shape, "uint8", chunks=chunks)[: shape[0] // 2] = 77
    (entry,) = list_sources([tmp_path / "a.mat"])
    if len(shape) == 4:
        assert entry.sources[1].load().min() == 77
    with pytest.raises(InputError, match="chunks were never written"):
        entry.sources[-1].load()


def test_what_unpacks_to_much_more_than_its_file_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab_packed, "FREE_STACK", 1 << 20)
    path = save_5(tmp_path / "a.mat", {"images": np.zeros((90, 100, 3, 500), "uint8")})
    (entry,) = list_sources([path])
    assert "of more than 1048576 bytes" in entry.error and "--max_pixels" in entry.error


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_of_a_type_that_there_is_not(packed, tmp_path):
    """SciPy looks it up where no types are, and the process ends."""
    path = save_5(tmp_path / "a.mat", {"images": stack()}, compressed=False)
    content = bytearray((tmp_path / "a.mat").read_bytes())
    place = content.index(struct.pack("<II", 2, stack().size))
    content[place] = 0xB0
    if packed:
        body = zlib.compress(content[128:])
        content[128:] = struct.pack("<II", 15, len(body)) + body
    (tmp_path / "a.mat").write_bytes(content)
    (entry,) = list_sources([path])
    with pytest.raises(InputError, match="of type 176, which there is not"):
        entry.sources[0].load()


def test_files_of_version_4(tmp_path):
    pictures = stack(channels=1)[0, ..., 0]
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"images": pictures}, format="4")
    (entry,) = list_sources([path])
    np.testing.assert_array_equal(entry.sources[0].load()[..., 0], pictures)
    content = bytearray(path.read_bytes())
    content[4:12] = struct.pack("<ii", 1 << 30, 1 << 30)
    path.write_bytes(content)
    (entry,) = list_sources([path])
    assert "claim more bytes than are there" in entry.error
