"""Image files of 16 bits and of floats: every bit against what was written."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from reading import H, W, one, refusal, saved, write_png


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


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_tiff_with_values_above_one_is_taken_as_it_is(tmp_path, rng, dtype, log):
    values = (rng.random((H, W, 3)) * 255).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    np.testing.assert_array_equal(one(tmp_path / "a.tif"), values.astype("float32"))
    assert not log.records


def test_float_tiff_that_barely_overshoots_is_warned_of(tmp_path, log):
    values = np.full((H, W), 0.5, np.float32)
    values[3, 4] = 1.02
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert one(tmp_path / "a.tif").max() == np.float32(1.02)
    assert "highest value is 1.02" in log.text and "limit them to 1 if white is 1" in log.text
    values[3, 4] = 1 + 1e-6  # what arithmetic overshoots by is white
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert one(tmp_path / "a.tif").max() == 255


@pytest.mark.parametrize("value", [256.0, -0.5])
def test_float_tiff_out_of_range_is_refused(tmp_path, value):
    values = np.full((H, W), 0.5, np.float32)
    values[3, 4] = value
    tifffile.imwrite(tmp_path / "a.tif", values)
    message = refusal(tmp_path / "a.tif")
    assert f"{value:g}" in message and "0..1 or 0..255" in message


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
