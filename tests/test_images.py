"""Pictures from files, arrays and directories: pixels against what was written."""

import logging
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from unetpred.errors import InputError
from unetpred.images import MIN_SIDE, array_sources, list_sources

H, W = 90, 101


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (H, W, 3), dtype=np.uint8)


@pytest.fixture
def deep(rng):
    """16-bit colours with every low byte in use."""
    return rng.integers(0, 65536, (H, W, 3), dtype=np.uint16)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.WARNING, logger="unetpred")
    return caplog


def one(path, **options):
    """Load the only picture of `path`, and check that the header's size is that of the pixels."""
    (entry,) = list_sources([path], **options)
    assert entry.error is None, entry.error
    (source,) = entry.sources
    size, pixels = source.size, source.load()
    assert pixels.dtype == np.float32 and pixels.shape == (*size, 3)
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels


def refusal(path, **options):
    """Say why `path`, or its only picture, is refused; by `size` too where that can tell."""
    (entry,) = list_sources([path], **options)
    if entry.error is not None:
        assert entry.sources == []
        message = entry.error
    else:
        with pytest.raises(InputError) as error:
            entry.sources[0].load()
        message = str(error.value)
    assert "\n" not in message and message.startswith(str(path))
    return message


def saved(tmp_path, array, name="a.npy"):
    path = tmp_path / name
    np.save(path, array)
    return path


def write_png(path, array, colour_type, extra=b""):
    """Encode by the PNG specification alone: 16 bits, no filter."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


# --- image files ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "PNG", "tif", "tiff", "bmp", "webp"])
def test_lossless_rgb_is_taken_as_it_is(tmp_path, rgb, ending, log):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(rgb).save(path, **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(one(path), rgb)
    assert not log.records


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "JPG"])
def test_jpeg_is_near_what_was_written(tmp_path, ending):
    y, x = np.mgrid[:H, :W]
    smooth = np.stack([x + y, 2 * x, 255 - 2 * y], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / f"a.{ending}", quality=98, subsampling=0)
    assert np.abs(one(tmp_path / f"a.{ending}") - smooth).max() < 6


def test_ending_need_not_be_the_format(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(one(tmp_path / "a.jpg"), rgb)


def test_grey_becomes_three_equal_channels(tmp_path, rgb):
    grey = rgb[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(one(tmp_path / "a.png"), np.stack([grey] * 3, axis=-1))


def test_one_bit_is_black_and_white(tmp_path, rgb):
    bits = rgb[..., 0] > 127
    expected = np.where(bits, 255, 0)[..., None].repeat(3, -1)
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(one(tmp_path / "a.png"), expected)
    np.testing.assert_array_equal(one(saved(tmp_path, bits)), expected)


@pytest.mark.parametrize("transparent", [None, 3])
def test_palette_gives_its_colours(tmp_path, rng, log, transparent):
    colours = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    indices = rng.integers(0, 16, (H, W), dtype=np.uint8)
    image = Image.fromarray(indices).convert("P")
    image.putpalette(colours.ravel().tolist())
    image.putdata(indices.ravel().tolist())
    options = {} if transparent is None else {"transparency": transparent}
    image.save(tmp_path / "a.png", **options)
    np.testing.assert_array_equal(one(tmp_path / "a.png"), colours[indices])
    assert ("alpha is ignored" in log.text) == (transparent is not None)


def test_cmyk_jpeg(tmp_path):
    ink = np.zeros((H, W, 4), np.uint8)
    ink[..., 0] = 255  # full cyan: no red
    ink[: H // 2, :, 0] = 0  # the upper half is white
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.jpg", quality=100)
    pixels = one(tmp_path / "a.jpg")
    np.testing.assert_allclose(pixels[5, 5], [255, 255, 255], atol=3)
    np.testing.assert_allclose(pixels[-5, 5], [0, 255, 255], atol=3)


@pytest.mark.parametrize("alpha, warned", [(255, False), (254, True), (0, True)])
def test_alpha_is_dropped(tmp_path, rgb, log, alpha, warned):
    four = np.dstack([rgb, np.full((H, W), 255, np.uint8)])
    four[4, 5, 3] = alpha
    Image.fromarray(four).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", saved(tmp_path, four)):
        log.clear()
        np.testing.assert_array_equal(one(path), rgb)
        assert ("alpha is ignored" in log.text) == warned
    Image.fromarray(four[..., [0, 3]]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(one(tmp_path / "la.png"), rgb[..., :1].repeat(3, -1))


def test_a_warning_comes_once_per_file(tmp_path, rgb, log):
    four = np.dstack([rgb, np.zeros((H, W), np.uint8)])
    Image.fromarray(four).save(tmp_path / "a.png")
    (entry,) = list_sources([tmp_path / "a.png"])
    entry.sources[0].load()
    entry.sources[0].load()
    assert len(log.records) == 1
    for source in list_sources([saved(tmp_path, np.stack([four] * 3))])[0].sources:
        source.load()
    assert len(log.records) == 2
    assert all(record.levelno == logging.WARNING for record in log.records)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_honoured(tmp_path, ending, orientation):
    # The stored picture is white in the EXIF sense's "row 0, column 0" corner and grey along
    # the rest of its row 0; where both go is the definition of the eight values.
    stored = np.zeros((96, 128), np.uint8)
    stored[:16] = 128
    stored[:16, :16] = 255
    row_side, column_side = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if ending == "jpg" else {}
    options |= {"lossless": True} if ending == "webp" else {}
    picture = Image.fromarray(stored).convert("RGB")
    picture.save(tmp_path / f"a.{ending}", exif=exif, **options)
    pixels = one(tmp_path / f"a.{ending}")[..., 0]
    assert pixels.shape == ((96, 128) if orientation < 5 else (128, 96))
    sides = {
        "top": (slice(2, 14), slice(None)),
        "bottom": (slice(-14, -2), slice(None)),
        "left": (slice(None), slice(2, 14)),
        "right": (slice(None), slice(-14, -2)),
    }
    band = np.zeros(pixels.shape, bool)
    band[sides[row_side]] = True
    corner = np.zeros(pixels.shape, bool)
    corner[sides[column_side]] = True
    assert np.median(pixels[band]) == pytest.approx(128, abs=2)
    assert pixels[band & corner].min() > 250
    assert np.median(pixels) < 2


@pytest.mark.parametrize("place", ["before", "after"])
def test_png_orientation_before_or_after_the_pixels(tmp_path, rgb, place):
    path = tmp_path / "a.png"
    Image.fromarray(rgb).save(path)
    data = path.read_bytes()
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    check = struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + check
    at = 33 if place == "before" else data.rindex(b"IEND") - 4
    path.write_bytes(data[:at] + chunk + data[at:])
    np.testing.assert_array_equal(one(path), np.rot90(rgb, -1))


@pytest.mark.parametrize(
    "colour_type, channels", [(0, [0]), (2, [0, 1, 2]), (4, [0, 1]), (6, [0, 1, 2, 1])]
)
def test_sixteen_bit_png_keeps_all_bits(tmp_path, deep, colour_type, channels, log):
    stored = deep[..., channels]
    if len(channels) in (2, 4):
        stored[..., -1] = 65535
    pixels = one(write_png(tmp_path / "a.png", stored, colour_type))
    colour = stored[..., :3] if len(channels) > 2 else stored[..., :1].repeat(3, -1)
    np.testing.assert_allclose(pixels, colour / 257.0, rtol=1e-6)
    np.testing.assert_array_equal(pixels, one(saved(tmp_path, colour)))
    assert not log.records


@pytest.mark.parametrize("colour_type, count", [(4, 2), (6, 4)])
def test_sixteen_bit_png_with_transparency_warns(tmp_path, deep, colour_type, count, log):
    stored = np.dstack([deep, deep[..., 0]])[..., -count:]
    one(write_png(tmp_path / "a.png", stored, colour_type))
    assert "alpha is ignored" in log.text


def test_sixteen_bit_colours_turn_with_the_orientation(tmp_path, deep):
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    check = struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + check
    pixels = one(write_png(tmp_path / "a.png", deep, 2, chunk))
    np.testing.assert_allclose(pixels, np.rot90(deep, -1) / 257.0, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": 2},
        {"compression": "zlib", "byteorder": ">"},
        {"tile": (32, 32)},
        {"tile": (32, 32), "compression": "zlib"},
        {"planarconfig": "separate"},
        {"rowsperstrip": 7},
    ],
    ids=str,
)
def test_sixteen_bit_tiff_keeps_all_bits(tmp_path, deep, options):
    stored = np.moveaxis(deep, -1, 0) if "planarconfig" in options else deep
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **options)
    np.testing.assert_allclose(one(tmp_path / "a.tif"), deep / 257.0, rtol=1e-6)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_as_opencv_writes_them(tmp_path, ending, channels):
    # Row filters in the png, LZW with a predictor in the tif: what most software writes.
    cv2 = pytest.importorskip("cv2")
    y, x = np.mgrid[:H, :W]
    planes = [65535 * (1 + np.sin(y / 9 + x / (7 + c) + c)) / 2 for c in range(channels)]
    stored = np.stack(planes, axis=-1).astype(np.uint16)  # (H,W,C), channels as BGR[A]
    cv2.imwrite(str(tmp_path / f"a.{ending}"), stored)
    colour = stored[..., 2::-1] if channels > 1 else stored.repeat(3, -1)
    np.testing.assert_allclose(one(tmp_path / f"a.{ending}"), colour / 257.0, rtol=1e-6)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_sixteen_bit_grey_tiff(tmp_path, deep, compression):
    grey = deep[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.tif", compression=compression)
    expected = grey[..., None].repeat(3, -1) / 257.0
    np.testing.assert_allclose(one(tmp_path / "a.tif"), expected, rtol=1e-6)


def test_sixteen_bit_tiff_whose_white_is_zero(tmp_path, deep):
    grey = deep[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="miniswhite")
    np.testing.assert_allclose(one(tmp_path / "a.tif")[..., 2], (65535.0 - grey) / 257, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("colour", [False, True])
def test_float_tiff_is_scaled_from_one(tmp_path, rng, dtype, colour, log):
    values = rng.random((H, W, 3) if colour else (H, W)).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb" if colour else "minisblack")
    expected = values if colour else values[..., None].repeat(3, -1)
    np.testing.assert_allclose(one(path), expected.astype(float) * 255, rtol=1e-6)
    assert not log.records


@pytest.mark.parametrize("orientation, back", [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_float_rgb_tiff_turns_with_the_orientation(tmp_path, rng, orientation, back):
    values = rng.random((H, W, 3)).astype(np.float32)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extratags=tags)
    np.testing.assert_allclose(one(tmp_path / "a.tif"), np.rot90(values, back) * 255, rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_tiff_readers_agree_on_the_orientation(tmp_path, rgb, orientation):
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", extratags=tags)
    floats = (rgb / 255).astype(np.float32)
    tifffile.imwrite(tmp_path / "f.tif", floats, photometric="rgb", extratags=tags)
    np.testing.assert_allclose(one(tmp_path / "f.tif"), one(tmp_path / "a.tif"), atol=1e-4)


@pytest.mark.parametrize("value", [254.0, -0.5])
def test_float_tiff_out_of_range_is_refused(tmp_path, value):
    values = np.full((H, W), 0.5, np.float32)
    values[3, 4] = value
    tifffile.imwrite(tmp_path / "a.tif", values)
    message = refusal(tmp_path / "a.tif")
    assert f"{value:g}" in message and "0..1" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_float_tiff_with_nan_is_refused(tmp_path, bad):
    values = np.full((H, W, 3), 0.5, np.float32)
    values[3, 4, 1] = bad
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    assert "1 values that are NaN or infinite" in refusal(tmp_path / "a.tif")


def test_integer_tiff_of_32_bits(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "a.tif", rgb[..., 0].astype(np.int32))
    np.testing.assert_array_equal(one(tmp_path / "a.tif")[..., 1], rgb[..., 0])
    tifffile.imwrite(tmp_path / "a.tif", rgb[..., 0].astype(np.int32) * 1000)
    assert "0..255" in refusal(tmp_path / "a.tif")


def test_first_page_is_taken(tmp_path, rgb, log):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([rgb, 255 - rgb]), photometric="rgb")
    np.testing.assert_array_equal(one(tmp_path / "a.tif"), rgb)
    assert "a.tif: holds 2 pages; the first is used" in log.text


@pytest.mark.parametrize(
    "ending, options",
    [
        ("png", {}),
        ("jpg", {}),
        ("jpg", {"progressive": True}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("bmp", {}),
        ("webp", {}),
    ],
)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.99])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, before it gives up
def test_truncated_file_is_refused(tmp_path, rgb, ending, options, part):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(rgb).save(path, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refusal(path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_truncated_or_damaged_deep_tiff_is_refused(tmp_path, rng, dtype, options):
    path = tmp_path / "a.tif"
    values = (rng.random((H, W, 3)) * (1 if dtype == "float32" else 65535)).astype(dtype)
    tifffile.imwrite(path, values, photometric="rgb", **options)
    data = path.read_bytes()
    path.write_bytes(data[:-1000])
    refusal(path)
    if options:
        path.write_bytes(data[:-1000] + bytes(500) + data[-500:])
        refusal(path)


def test_tiff_with_a_broken_tag_is_refused(tmp_path, rng):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, rng.random((H, W, 3)).astype(np.float32), photometric="rgb")
    data = bytearray(path.read_bytes())
    tag = data.index(struct.pack("<HHI", 257, 4, 1))  # the height
    data[tag + 8 : tag + 12] = bytes(4)
    path.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize("colour_type", [0, 2])
def test_truncated_sixteen_bit_png_is_refused(tmp_path, deep, colour_type):
    path = write_png(tmp_path / "a.png", deep if colour_type else deep[..., 0], colour_type)
    path.write_bytes(path.read_bytes()[:-3000])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"not an image\n", b"II*\0junk", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 50]
)
@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_what_is_no_image_is_refused(tmp_path, content, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    assert "image" in refusal(path)
    with pytest.raises(InputError):
        _ = list_sources([path])[0].sources[0].size


@pytest.mark.parametrize("height, width", [(83, 200), (200, 83), (84, 84)])
def test_smallest_side(tmp_path, height, width):
    assert MIN_SIDE == 84
    values = np.zeros((height, width, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", saved(tmp_path, values), saved(tmp_path, values[None])):
        if min(height, width) >= 84:
            assert one(path).shape == (height, width, 3)
        else:
            message = refusal(path)
            assert f"{width}x{height}" in message and "at least 84x84" in message
    if min(height, width) < 84:
        with pytest.raises(InputError, match="at least 84x84"):
            _ = list_sources([tmp_path / "a.png"])[0].sources[0].size


# --- arrays --------------------------------------------------------------------------------


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
    for dtype in ("uint8", "uint16", "int32", "int64", "float32", "float64", ">f4", ">i2"):
        path = saved(tmp_path, rgb.astype(dtype))
        np.testing.assert_array_equal(one(path), pixels)
    np.testing.assert_array_equal(one(saved(tmp_path, np.asfortranarray(rgb))), pixels)
    np.testing.assert_array_equal(one(saved(tmp_path, rgb.astype(np.uint16) * 257)), pixels)


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


def test_sixteen_bit_array_is_scaled_as_a_whole(tmp_path, log):
    # The first picture alone would pass for 8-bit values: its file shows that it is not.
    dark, bright = np.full((H, W), 200, np.uint16), np.full((H, W), 65535, np.uint16)
    first, second = list_sources([saved(tmp_path, np.stack([dark, bright]))])[0].sources
    np.testing.assert_allclose(first.load(), 200 / 257, rtol=1e-6)
    np.testing.assert_array_equal(second.load(), 255)
    assert not log.records
    np.testing.assert_array_equal(one(saved(tmp_path, dark)), 200)
    assert "taken as 0..255" in log.text


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


def test_arrays_are_read_one_picture_at_a_time(tmp_path):
    # 32 GiB of picture data, nearly all of it holes in the files.
    count = 350_000
    path = tmp_path / "a.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, H, W, 3)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + count * H * W * 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", (count, H, W, 3), np.uint8, chunks=(1, H, W, 3))
        dataset[count - 1] = 9
    npy, hdf = list_sources([path, tmp_path / "a.h5"])
    assert len(npy.sources) == len(hdf.sources) == count
    assert npy.sources[-1].load().max() == 0
    assert hdf.sources[-1].load().min() == 9


# --- paths ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, rgb):
    top = tmp_path / "stimuli"
    (top / "b.d" / "deep").mkdir(parents=True)
    (top / ".hidden").mkdir()
    image = Image.fromarray(rgb)
    for name in ("z.png", "B.jpg", "a.TIF", "b.d/c.png", "b.d/deep/d.bmp", ".hidden/e.png"):
        image.save(top / name)
    (top / "notes.txt").write_text("not a picture")
    (top / "._z.png").write_text("not a picture either")
    np.save(top / "array.npy", rgb)
    return top


def test_directory_is_sorted_and_takes_images_only(folder):
    (entry,) = list_sources([folder])
    assert (entry.path, entry.kind, entry.error) == (str(folder), "directory", None)
    paths = [source.path for source in entry.sources]
    assert paths == [f"{folder}/{name}" for name in ("B.jpg", "a.TIF", "z.png")]
    assert {source.index for source in entry.sources} == {None}


def test_directory_recursively(folder):
    (entry,) = list_sources([folder], recursive=True)
    names = ("B.jpg", "a.TIF", "b.d/c.png", "b.d/deep/d.bmp", "z.png")
    assert [source.path for source in entry.sources] == [f"{folder}/{name}" for name in names]


def test_paths_stay_as_the_user_gave_them(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    entry, other = list_sources(["stimuli", "stimuli/z.png"])
    assert entry.sources[0].path == "stimuli/B.jpg"
    assert other.sources[0].path == other.path == "stimuli/z.png" and other.kind == "image"


def test_empty_directory_is_refused(folder):
    for name in (".hidden/e.png", "b.d/deep/d.bmp"):
        (folder / name).unlink()
    message = refusal(folder / "b.d" / "deep", recursive=True)
    assert all(ending in message for ending in (".png", ".jpg", ".tif", ".bmp", ".webp"))
    assert "recursively" in refusal(folder.parent)


def test_failures_leave_the_others_usable(folder):
    missing, text = folder / "none.png", folder / "notes.txt"
    (folder / "bad.png").write_text("text")
    entries = list_sources([missing, folder / "z.png", text, folder])
    assert [bool(entry.error) for entry in entries] == [True, False, True, False]
    assert entries[0].error == f"{missing}: no such file or directory"
    assert ".npz" in entries[2].error and ".png" in entries[2].error
    failed = []
    for source in entries[3].sources:
        try:
            source.load()
        except InputError as error:
            failed.append((source.path, str(error)))
    assert [path for path, _ in failed] == [str(folder / "bad.png")]
    assert failed[0][1].startswith(str(folder / "bad.png"))


def test_file_that_vanishes_is_named(folder):
    (entry,) = list_sources([folder / "z.png"])
    (folder / "z.png").unlink()
    with pytest.raises(InputError, match=r"z\.png: no such file"):
        entry.sources[0].load()


def test_import_is_light():
    code = (
        "import sys, unetpred.images, unetpred.masks;"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'h5py', 'scipy', 'skimage', 'tifffile'};"
        "print(*heavy & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")
