"""Pictures from arrays in files and in memory: values against what was written."""

import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from reading import H, W, one, refusal, saved

from unetpred.errors import InputError
from unetpred.images.sources import array_sources, list_sources


@pytest.mark.parametrize("count", [None, 1, 3])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("kind", ["npy", "npz", "compressed.npz", "h5", "hdf5", "memory"])
def test_every_shape_in_every_container(tmp_path, rng, count, channels, kind):
    shape = (*([] if count is None else [count]), H, W, *([] if channels is None else [channels]))
    array = rng.integers(0, 256, shape, dtype=np.uint8)
    if channels == 4:
        array[..., 3] = 255
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind.endswith("npz"):
        (np.savez_compressed if "." in kind else np.savez)(path, stuff=array)
    elif kind != "memory":
        with h5py.File(path, "w") as file:
            file["group/stuff"] = array
    if kind == "memory":
        sources = array_sources(array)
    else:
        (entry,) = list_sources([path])
        assert entry.kind == "array" and entry.path == str(path)
        sources = entry.sources
        assert all(source.path == str(path) for source in sources)
    assert [source.index for source in sources] == list(range(count or 1))
    pictures = array[None] if count is None else array
    for source, picture in zip(sources, pictures, strict=True):
        grey = channels is None or channels == 1
        expected = picture.reshape(H, W, 1).repeat(3, -1) if grey else picture[..., :3]
        assert source.size == (H, W)
        np.testing.assert_array_equal(source.load(), expected)


def test_image_file_and_array_give_the_same_pixels(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    pixels = one(tmp_path / "a.png")
    for dtype in ("uint8", "int32", "int64", "float32", "float64", ">f4", ">i2"):
        path = saved(tmp_path, rgb.astype(dtype))
        np.testing.assert_array_equal(one(path), pixels)
    np.testing.assert_array_equal(one(saved(tmp_path, np.asfortranarray(rgb))), pixels)
    for dtype in ("uint16", ">u2", "<u2"):
        deep = (rgb.astype(np.uint16) * 257).astype(dtype)
        np.testing.assert_array_equal(one(saved(tmp_path, deep)), pixels)
        np.testing.assert_array_equal(array_sources(deep)[0].load(), pixels)


def test_three_axes(tmp_path):
    colour = list_sources([saved(tmp_path, np.zeros((H, W, 3)), "c.npy")])[0]
    stack = list_sources([saved(tmp_path, np.zeros((3, H, W)), "s.npy")])[0]
    assert (len(colour.sources), len(stack.sources)) == (1, 3)


@pytest.mark.parametrize(
    "shape, named",
    [
        ((H,), "(N,H,W,3)"),
        ((), "(N,H,W,3)"),
        ((2, 2, H, W, 3), "(N,H,W,3)"),
        ((2, H, W, 2), "2 channels"),
        ((2, H, W, 5), "5 channels"),
        ((2, 3, H, W), "last axis"),
        ((H, W, 2), "2 channels"),
        ((H, W, 5), "5 channels"),
        ((0, H, W, 3), "no picture"),
        ((2, H, 20), "at least 84x84"),
    ],
)
def test_wrong_shapes_are_refused(tmp_path, shape, named):
    message = refusal(saved(tmp_path, np.zeros(shape)))
    assert named in message
    with pytest.raises(InputError, match=r"^images: "):
        array_sources(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_array_is_scaled_by_its_type(tmp_path, log, dtype):
    # Alone the first picture would pass for 8-bit values; it is the same in all company.
    dark, bright = np.full((H, W), 200, dtype), np.full((H, W), 65535, dtype)
    first, second = list_sources([saved(tmp_path, np.stack([dark, bright]))])[0].sources
    beside = first.load()
    np.testing.assert_allclose(beside, 200 / 257, rtol=1e-6)
    np.testing.assert_array_equal(second.load(), 255)
    assert not log.records
    np.testing.assert_array_equal(one(saved(tmp_path, dark)), beside)
    (alone,) = list_sources([saved(tmp_path, dark[None])])[0].sources
    np.testing.assert_array_equal(alone.load(), beside)
    assert "taken as 0..65535" in log.text and "uint8 if white is 255" in log.text


@pytest.mark.parametrize("dtype, value", [("int16", 256), ("int64", -1), ("uint32", 65535)])
def test_other_integers_out_of_range_are_refused(tmp_path, dtype, value):
    array = np.zeros((2, H, W), dtype)
    array[1, 5, 5] = value
    good, bad = list_sources([saved(tmp_path, array)])[0].sources
    assert good.load().max() == 0
    with pytest.raises(InputError, match=rf"a\.npy: image 1: .*{value}.*0\.\.255"):
        bad.load()


@pytest.mark.parametrize("value", [255.5, -0.5])
def test_floats_out_of_range_are_refused(tmp_path, value):
    array = np.full((H, W), 100.0)
    array[5, 5] = value
    message = refusal(saved(tmp_path, array))
    assert f"{value:g}" in message and "0..255 is needed" in message


def test_rounding_above_255_is_clipped(tmp_path):
    assert one(saved(tmp_path, np.full((H, W), 255.00003))).max() == 255
    assert one(saved(tmp_path, np.full((H, W), -1e-5))).min() == 0


def test_floats_are_0_to_255_with_a_warning_up_to_1(tmp_path, rng, log):
    dim = rng.random((2, H, W, 3))
    sources = list_sources([saved(tmp_path, dim)])[0].sources
    for source, picture in zip(sources, dim, strict=True):
        np.testing.assert_allclose(source.load(), picture, rtol=1e-6)
    assert len(log.records) == 1 and "a.npy: no value is above 1" in log.text
    log.clear()
    # A black picture among others is no sign of another range.
    dim[0], dim[1] = 0, 200
    for source in list_sources([saved(tmp_path, dim)])[0].sources:
        source.load()
    assert not log.records


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_fails_its_own_picture_only(tmp_path, bad):
    array = np.full((3, H, W, 3), 100, np.float32)
    array[1, 2, 3, 0] = bad
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = array
    np.savez(tmp_path / "a.npz", array)
    for path in (saved(tmp_path, array), tmp_path / "a.h5", tmp_path / "a.npz"):
        first, second, third = list_sources([path])[0].sources
        with pytest.raises(InputError, match="image 1: has 1 values that are NaN"):
            second.load()
        np.testing.assert_array_equal(first.load(), 100)
        np.testing.assert_array_equal(third.load(), 100)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_objects_are_never_unpickled(tmp_path):
    mark = tmp_path / "unpickled"
    array = np.empty(2, object)
    array[:] = [Bomb(mark), Bomb(mark)]
    np.savez(tmp_path / "a.npz", images=array)
    for path in (saved(tmp_path, array), tmp_path / "a.npz"):
        assert "never unpickled" in refusal(path)
    (tmp_path / "p.npy").write_bytes(array.dumps())
    refusal(tmp_path / "p.npy")
    assert not mark.exists()


@pytest.mark.parametrize("dtype", ["complex64", "U3", "M8[s]", [("r", "u1"), ("g", "u1")]])
def test_other_types_are_refused(tmp_path, dtype):
    assert "real numbers" in refusal(saved(tmp_path, np.zeros((H, W), dtype)))


@pytest.mark.parametrize("ending", ["npy", "npz", "h5"])
@pytest.mark.parametrize("content", [b"", b"text\n", b"\x93NUMPY\x01\x00", b"PK\x03\x04junk"])
def test_damaged_containers_are_refused(tmp_path, ending, content):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("ending", ["npy", "npz", "h5"])
def test_truncated_containers_are_refused(tmp_path, rng, ending):
    array = rng.random((2, H, W, 3)) * 255
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, array)
    elif ending == "npz":
        np.savez(path, array)
    else:
        with h5py.File(path, "w") as file:
            file["x"] = array
    path.write_bytes(path.read_bytes()[:50_000])
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_key(tmp_path, ending):
    arrays = {"left": np.full((H, W), 10), "right": np.full((H, W), 20)}
    path = tmp_path / f"a.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[f"eyes/{name}"] = array
    prefix = "" if ending == "npz" else "eyes/"
    for name, array in arrays.items():
        np.testing.assert_array_equal(one(path, key=prefix + name)[..., 0], array)
    assert f"it has {prefix}left, {prefix}right" in refusal(path)
    message = refusal(path, key="middle")
    assert "'middle'" in message and f"it has {prefix}left, {prefix}right" in message
    if ending == "h5":
        np.testing.assert_array_equal(one(path, key="/eyes/right"), 20)
        assert "no array 'eyes'" in refusal(path, key="eyes")


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_container_without_arrays(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    np.savez(path) if ending == "npz" else h5py.File(path, "w").close()
    assert "it has no arrays" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, left=np.full((H, W), 10))
    np.save(tmp_path / "b.npy", np.full((H, W), 20))
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(tmp_path / "b.npy", "left.npy")
    for key in (None, "left"):
        assert "has 2 arrays 'left'" in refusal(path, key=key)


def test_arrays_are_read_one_picture_at_a_time(tmp_path):
    # 9 GiB of picture data, nearly all of it holes in the file.
    count, written = 350_000, 9000
    path = tmp_path / "a.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, H, W, 3)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + count * H * W * 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", (written, H, W, 3), np.uint8, chunks=(1, H, W, 3))
        dataset[written - 1] = 9
    npy, hdf = list_sources([path, tmp_path / "a.h5"])
    assert len(npy.sources) == count and len(hdf.sources) == written
    assert npy.sources[-1].load().max() == 0
    assert hdf.sources[-1].load().min() == 9
