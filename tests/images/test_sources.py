"""Pictures from image files: pixels against what was written."""

import logging
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from reading import H, W, one, refusal, saved

from unetpred.errors import InputError
from unetpred.images.sources import MIN_SIDE, list_sources


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
