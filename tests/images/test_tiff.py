"""TIFF files of every kind: each number against what was written by the specification."""

import itertools
import struct

import numpy as np
import pytest
from PIL import Image
from reading import one
from tiffs import write_tiff

from unetpred.errors import InputError
from unetpred.images.decoding import decode_image, image_size
from unetpred.images.sources import levels

H, W = 11, 21  # no side a multiple of a tile, nor a row of 12 bits one of bytes
KINDS = [1, 2, 4, 8, 10, 12, 14, 16, "float16", "float32", "float64"]
LAYOUTS = [{}, {"rows": 4}, {"tile": (16, 16)}, {"rows": 4, "planar": True}]
LAYOUTS += [{"tile": (16, 16), "planar": True}]


def stored(rng, kind, channels):
    """Random samples of a kind (H,W,channels), and their bits."""
    if isinstance(kind, str):
        return rng.random((H, W, channels)).astype(kind), None
    held = np.uint8 if kind <= 8 else np.uint16
    return rng.integers(0, 1 << kind, (H, W, channels)).astype(held), kind


def expected(samples, bits, photometric=None, orientation=1):
    """What a picture (H,W,1|3) without alpha shows, 0..255, (H',W',3)."""
    values = samples.astype("float64") / (1 if bits is None else (1 << bits) - 1)
    values = 255 * (1 - values if photometric == 0 else values)
    return turned(values.repeat(3, -1) if values.shape[-1] == 1 else values, orientation)


def turned(values, orientation):
    """By the table of the specification: where row 0 and column 0 are."""
    names = ("TL", "TR", "BR", "BL", "LT", "RT", "RB", "LB")[orientation - 1]
    if names[0] in "LR":  # row 0 is a side
        values = np.swapaxes(values, 0, 1)
    if "B" in names:
        values = np.flip(values, 0)
    return np.flip(values, 1) if "R" in names else values


def shown(path):
    decoded = decode_image(path)
    assert decoded.pixels.shape[:2] == image_size(path)
    return levels(decoded.pixels, str(path)), decoded.notes


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_layout(tmp_path, rng, kind, order):
    for compression, layout in itertools.product(("none", "lzw", "deflate", "packbits"), LAYOUTS):
        whole = kind in (8, 16)
        predictors = [1, *([2] * whole), *([3] * isinstance(kind, str))]
        for colours, predictor in itertools.product((0, 1, 2), predictors):
            samples, bits = stored(rng, kind, 3 if colours == 2 else 1)
            path = write_tiff(
                tmp_path / "a.tif", samples, bits, order, colours, compression, predictor, **layout
            )
            pixels, notes = shown(path)
            message = f"{compression} {layout} photometric {colours} predictor {predictor}"
            np.testing.assert_allclose(
                pixels, expected(samples, bits, colours), rtol=1e-5, atol=1e-4, err_msg=message
            )
            assert not notes


@pytest.mark.parametrize("compression", ["none", "lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_kind(tmp_path, rng, orientation, compression):
    for kind, (channels, extra) in itertools.product(
        KINDS, ((1, ()), (1, (2,)), (3, ()), (3, (2,)))
    ):
        samples, bits = stored(rng, kind, channels + len(extra))
        path = write_tiff(
            tmp_path / "a.tif", samples, bits, compression=compression, orientation=orientation,
            extra=extra,
        )  # fmt: skip
        pixels, notes = shown(path)
        np.testing.assert_allclose(
            pixels, expected(samples[..., :channels], bits, orientation=orientation), rtol=1e-5,
            atol=1e-4, err_msg=f"{kind}, {channels} channels, extra {extra}",
        )  # fmt: skip
        assert len(notes) == len(extra)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [8, 12, 16, "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_either_kind_leaves_the_same_colours(tmp_path, rng, kind, channels, order):
    samples, bits = stored(rng, kind, channels + 1)
    top = 1 if bits is None else (1 << bits) - 1
    colours = samples[..., :channels]
    alpha = rng.choice([0.25, 0.5, 1.0, 0.0], (H, W, 1))
    held = np.rint(alpha * top) if bits else alpha
    shares = held / top
    multiplied = np.rint(colours * shares) if bits else colours * shares
    pixels = {}
    for extra, values in ((2, colours), (1, multiplied)):
        samples = np.concatenate([values, held], -1).astype(samples.dtype)
        path = write_tiff(tmp_path / "a.tif", samples, bits, order, extra=(extra,))
        pixels[extra], notes = shown(path)
        assert notes == ["is partly transparent; alpha is ignored"]
    np.testing.assert_allclose(pixels[2], expected(colours, bits), rtol=1e-5, atol=1e-4)
    seen = np.broadcast_to(alpha > 0, pixels[1].shape)
    rounding = 0.51 * 255 / top / 0.25 + 0.51 * 255 / top if bits else 1e-4
    np.testing.assert_allclose(pixels[1][seen], pixels[2][seen], atol=rounding)
    assert not pixels[1][~seen].any()


@pytest.mark.parametrize("kind", [8, 16, "float32"])
def test_opaque_alpha_changes_nothing(tmp_path, rng, kind):
    for channels, extra in itertools.product((1, 3), (0, 1, 2)):
        samples, bits = stored(rng, kind, channels + 1)
        samples[..., -1] = 1 if bits is None else (1 << bits) - 1
        pixels, notes = shown(write_tiff(tmp_path / "a.tif", samples, bits, extra=(extra,)))
        np.testing.assert_allclose(pixels, expected(samples[..., :channels], bits), rtol=1e-5)
        assert not notes


def test_white_is_zero_leaves_alpha(tmp_path, rng):
    samples, bits = stored(rng, 16, 2)
    pixels, notes = shown(write_tiff(tmp_path / "a.tif", samples, bits, photometric=0, extra=(2,)))
    np.testing.assert_allclose(pixels, expected(samples[..., :1], bits, 0), rtol=1e-5, atol=1e-4)
    assert len(notes) == 1


@pytest.mark.parametrize("options", [{"big": True}, {"reversed_bits": True}, {"lengths": False}])
@pytest.mark.parametrize("order", "<>")
def test_other_containers(tmp_path, rng, options, order):
    for kind, compression in itertools.product((1, 12, 16), ("none", "deflate")):
        if compression == "deflate" and "lengths" in options:
            continue
        samples, bits = stored(rng, kind, 1)
        path = write_tiff(
            tmp_path / "a.tif", samples, bits, order, compression=compression, rows=4, **options
        )
        np.testing.assert_allclose(shown(path)[0], expected(samples, bits), rtol=1e-5)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("layout", LAYOUTS[1:3], ids=str)
def test_cut_short(tmp_path, rng, compression, layout):
    samples, bits = stored(rng, 16, 3)
    options = {"compression": compression, **layout}
    decode_image(write_tiff(tmp_path / "a.tif", samples, bits, **options))
    for kept in (0, 0.5, 0.9):
        path = write_tiff(tmp_path / "a.tif", samples, bits, **options, kept=kept)
        with pytest.raises(InputError, match=r"a\.tif: damaged"):
            decode_image(path)
    path = write_tiff(tmp_path / "a.tif", samples, bits, **options)
    for size in (5, 12, 300, path.stat().st_size - 100):  # without its directory, or most of it
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(InputError, match=r"a\.tif: "):
            decode_image(path)


@pytest.mark.parametrize(
    "dtype, channels, options, said",
    [
        ("uint8", 5, {"extra": (0, 0)}, "5 channels"),
        ("uint8", 2, {"photometric": 2}, "2 channels"),
        ("int16", 1, {"photometric": 0}, "signed"),
        ("uint32", 1, {"bits": 24}, "24 bits"),
        ("float32", 1, {"bits": 8}, "8 bits"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, dtype, channels, options, said):
    samples = np.zeros((H, W, channels), dtype)
    with pytest.raises(InputError, match=rf"a\.tif: .*{said}"):
        decode_image(write_tiff(tmp_path / "a.tif", samples, **options))


def test_a_compression_that_is_unknown(tmp_path, rng):
    path = write_tiff(tmp_path / "a.tif", rng.integers(0, 256, (H, W, 1), "uint8"))
    data = path.read_bytes()
    entry = struct.pack("<HHI", 259, 3, 1)  # compression
    start = data.index(entry) + len(entry)
    path.write_bytes(data[:start] + struct.pack("<H", 34712) + data[start + 2 :])  # JPEG 2000
    with pytest.raises(InputError, match=r"a\.tif: is a TIFF of a kind or compression"):
        decode_image(path)


def test_a_channel_of_unspecified_kind_is_named(tmp_path, rng):
    samples, bits = stored(rng, 8, 4)
    pixels, notes = shown(write_tiff(tmp_path / "a.tif", samples, bits, extra=(0,)))
    np.testing.assert_allclose(pixels, samples[..., :3])
    assert notes == ["has a further channel of unspecified kind, which is ignored"]


@pytest.mark.parametrize("orientation", [0, 9])
def test_an_orientation_that_is_none_is_upright(tmp_path, rng, orientation):
    samples, bits = stored(rng, 8, 3)
    path = write_tiff(tmp_path / "a.tif", samples, bits, orientation=orientation)
    np.testing.assert_array_equal(shown(path)[0], samples)


def test_a_height_that_the_file_cannot_have(tmp_path, rng):
    samples, bits = stored(rng, 8, 3)
    path = write_tiff(tmp_path / "a.tif", samples, bits, rows=1)
    path.write_bytes(path.read_bytes().replace(tag(257, H), tag(257, 1 << 20)))
    with pytest.raises(InputError, match=f"{H} parts, {1 << 20} are needed"):
        decode_image(path)


def tag(number, value):
    return struct.pack("<HHII", number, 4, 1, value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr"])
def test_colours_that_pillow_knows_turn_too(tmp_path, rgb, mode, orientation):
    image = Image.fromarray(rgb).convert(mode)
    image.save(tmp_path / "a.tif", tiffinfo={274: orientation})
    plain = np.asarray(image.convert("RGB"), "float32")
    try:
        Image.open(tmp_path / "a.tif").load()
    except OSError as error:  # YCbCr of odd width, before Pillow 13
        pytest.skip(f"Pillow cannot read what it has written: {error}")
    np.testing.assert_array_equal(one(tmp_path / "a.tif"), turned(plain, orientation))
