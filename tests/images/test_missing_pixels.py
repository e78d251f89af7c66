"""Images of which pixels are missing are refused, and never scored as if whole."""

import io
import struct
import sys
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image
from reading import H, W, one, refusal, write_png
from tiffs import with_rows, write_tiff

from unetpred.errors import InputError
from unetpred.images.decoding import decode_image
from unetpred.images.formats.jpeg import check_jpeg


@pytest.fixture
def photograph(rng):
    """(H,W,3) uint8, with structure and noise, as a photograph has."""
    y, x = np.mgrid[:H, :W]
    waves = [127 + 90 * np.sin(y / 9 + x / (7 + c)) for c in range(3)]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 12, (H, W, 3)), 0, 255).astype("uint8")


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def png(path, rows, width, height, interlaced=0, level=6):
    """Write an 8-bit grey PNG of which the header says a height, whatever rows there are."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), level)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}], ids=str)
def test_jpeg_with_zeroed_bytes(tmp_path, rng, photograph, options):
    data = jpeg(photograph, **options)
    (tmp_path / "a.jpg").write_bytes(data)
    one(tmp_path / "a.jpg")
    start = data.index(b"\xff\xda") + 20
    for _ in range(30):
        damaged = bytearray(data)
        place = rng.integers(start, len(data) - 302)
        damaged[place : place + 300] = bytes(300)
        (tmp_path / "a.jpg").write_bytes(damaged)
        assert "its pixels" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("share", [0.33, 0.6, 0.95])
def test_jpeg_cut_short_with_an_end_marker(tmp_path, photograph, options, share):
    data = jpeg(photograph, **options)
    (tmp_path / "a.jpg").write_bytes(data[: int(share * len(data))] + b"\xff\xd9")
    assert "missing" in refusal(tmp_path / "a.jpg")


def test_progressive_jpeg_without_its_last_scans(tmp_path, photograph):
    data = jpeg(photograph, progressive=True)
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    tables = [i for i in range(scans[0], len(data) - 1) if data[i : i + 2] == b"\xff\xc4"]
    assert len(scans) > 5
    for cut in (tables[0], tables[-1]):
        (tmp_path / "a.jpg").write_bytes(data[:cut] + b"\xff\xd9")
        assert "its last scans are missing" in refusal(tmp_path / "a.jpg")


def test_small_jpeg_of_a_large_size(tmp_path, photograph):
    data = bytearray(jpeg(photograph)[:822])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 13000, 13000)
    (tmp_path / "a.jpg").write_bytes(data + b"\xff\xd9")
    message = refusal(tmp_path / "a.jpg")
    assert "13000x13000" in message and "--max_pixels 169000000" in message


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_whole_jpegs_of_every_kind_are_read(tmp_path, photograph, mode):
    for options in ({}, {"progressive": True}, {"optimize": True}, {"quality": 5}):
        Image.fromarray(photograph).convert(mode).save(tmp_path / "a.jpg", **options)
        check_jpeg((tmp_path / "a.jpg").read_bytes())
        one(tmp_path / "a.jpg")


def test_flat_jpegs_are_read(tmp_path):
    for value in (0, 128, 255):
        for progressive in (False, True):
            flat = np.full((300, 300, 3), value, "uint8")
            (tmp_path / "a.jpg").write_bytes(jpeg(flat, progressive=progressive))
            one(tmp_path / "a.jpg")


def test_png_that_ends_early_in_a_complete_stream(tmp_path, rng):
    rows = rng.integers(0, 256, (H, W)).astype("uint8")
    np.testing.assert_array_equal(one(png(tmp_path / "a.png", rows, W, H))[..., 0], rows)
    message = refusal(png(tmp_path / "a.png", rows[: H // 2], W, H))
    assert f"{H - H // 2} of its {H} rows of pixels are missing" in message


def test_interlaced_png_that_ends_early(tmp_path, photograph):
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes.append((1, 0, 2, 1))
    grey = photograph[..., 0]
    rows = [row for y, x, down, across in passes for row in grey[y::down, x::across]]
    path = png(tmp_path / "a.png", rows, W, H, interlaced=1)
    np.testing.assert_array_equal(one(path)[..., 0], grey)
    message = refusal(png(tmp_path / "a.png", rows[:-9], W, H, interlaced=1))
    assert f"9 of its {len(rows)} rows" in message


def test_png_whose_pixels_do_not_match_their_check_sum(tmp_path, rng):
    rows = rng.integers(0, 256, (H, W)).astype("uint8")
    data = bytearray(png(tmp_path / "a.png", rows, W, H, level=0).read_bytes())
    data[2000] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    assert "check sum" in refusal(tmp_path / "a.png")


def test_sixteen_bit_png_that_ends_early(tmp_path, deep):
    half = deep[: H // 2]
    path = write_png(tmp_path / "a.png", half, 2)
    data = bytearray(path.read_bytes())
    data[20:24] = struct.pack(">I", H)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    assert f"{H - H // 2} of its {H} rows" in refusal(path)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits"])
def test_tiff_of_more_rows_than_it_holds(tmp_path, photograph, compression):
    path = write_tiff(tmp_path / "a.tif", photograph, compression=compression, rows=2 * H)
    one(path)
    data = path.read_bytes()
    entry = struct.pack("<HHII", 257, 4, 1, H)
    assert entry in data
    path.write_bytes(data.replace(entry, struct.pack("<HHII", 257, 4, 1, 2 * H)))
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("rows", [16, 2 * H])
def test_tiff_of_jpegs_that_hold_fewer_rows(tmp_path, photograph, rows):
    path = tmp_path / "a.tif"
    Image.fromarray(photograph).save(path, compression="jpeg", tiffinfo={278: rows})
    one(path)
    data = path.read_bytes()
    entry = next(
        e
        for kind in (3, 4)
        if (e := struct.pack("<HHI", 257, kind, 1) + struct.pack("<I", H)) in data
    )
    path.write_bytes(data.replace(entry, entry[:8] + struct.pack("<I", 2 * H)))
    assert "damaged" in refusal(path)


def test_hdf5_that_was_not_written_to_its_end(tmp_path, rng):
    pictures = rng.integers(0, 256, (3, H, W, 3)).astype("uint8")
    path = tmp_path / "a.h5"
    for options in ({"chunks": (1, 45, W, 3)}, {"chunks": (1, 45, W, 3), "compression": "gzip"}):
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset("x", pictures.shape, "uint8", **options)
            dataset[0], dataset[1, :45] = pictures[0], pictures[1, :45]
        from unetpred.images.sources import list_sources

        (entry,) = list_sources([path])
        np.testing.assert_array_equal(entry.sources[0].load(), pictures[0])
        for index, missing in ((1, 1), (2, 2)):
            with pytest.raises(ValueError, match=f"image {index}: .*{missing} of its 2 chunks"):
                entry.sources[index].load()
    with h5py.File(path, "w") as file:
        file.create_dataset("x", pictures.shape, "uint8")
    assert "never written" in refusal_of_first(path)


def refusal_of_first(path):
    from unetpred.images.sources import list_sources

    (entry,) = list_sources([path])
    with pytest.raises(ValueError) as error:
        entry.sources[0].load()
    return str(error.value)


def test_npz_whose_values_do_not_match_their_check_sum(tmp_path, rng):
    path = tmp_path / "a.npz"
    np.savez(path, rng.integers(0, 256, (3, H, W, 3)).astype("uint8"))
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1  # in the last picture
    path.write_bytes(data)
    assert "image 0" in (message := refusal_of_first(path)) and "CRC" in message


def test_npz_of_a_larger_shape_than_it_holds(tmp_path):
    import zipfile

    path = tmp_path / "a.npz"
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (9, H, W, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(H * W * 3))
    assert f"holds {H * W * 3} of the {9 * H * W * 3} bytes" in refusal(path)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["P", "CMYK"])
def test_tiff_in_other_colours_of_more_rows_than_it_holds(tmp_path, photograph, compression, mode):
    path = tmp_path / "a.tif"
    Image.fromarray(photograph).convert(mode).save(path, compression=compression)
    one(path)
    path.write_bytes(with_rows(path.read_bytes(), H, 2 * H))
    assert "damaged" in refusal(path)


def test_a_missing_package_is_no_damage(tmp_path, monkeypatch):
    file = tmp_path / "whole.jpg"
    Image.fromarray(np.full((8, 8, 3), 90, "uint8")).save(file)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(InputError, match=r"whole\.jpg: .*pip install simplejpeg") as caught:
        decode_image(file)
    assert "damaged" not in str(caught.value)


def paletted(path, colours, highest):
    pixels = np.arange(H * W).reshape(H, W) % (highest + 1)
    image = Image.frombytes("P", (W, H), pixels.astype("uint8").tobytes())
    image.putpalette(list(range(3 * colours)))
    image.save(path, bits=8)
    return pixels


def test_colours_that_a_palette_has_not(tmp_path):
    pixels = paletted(tmp_path / "whole.png", 8, 7)
    whole = decode_image(tmp_path / "whole.png").pixels
    np.testing.assert_array_equal(whole, 3 * pixels[..., None] + np.arange(3))
    data = (tmp_path / "whole.png").read_bytes()
    start = data.index(b"PLTE") - 4
    (size,) = struct.unpack(">I", data[start : start + 4])
    short = b"PLTE" + data[start + 8 : start + 8 + 12]
    chunk = struct.pack(">I", 12) + short + struct.pack(">I", zlib.crc32(short))
    for name, between, colours in (("short.png", chunk, 4), ("none.png", b"", 0)):
        path = tmp_path / name
        path.write_bytes(data[:start] + between + data[start + 12 + size :])
        with pytest.raises(InputError, match=f"palette that has {colours} colours"):
            decode_image(path)


@pytest.mark.parametrize("offset", ["header", "within"])
def test_strips_of_a_tiff_that_begin_where_none_does(tmp_path, rng, offset):
    import tifffile

    path = tmp_path / "a.tif"
    pixels = rng.integers(0, 256, (64, 48, 3), dtype="uint8")
    tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=16)
    np.testing.assert_array_equal(decode_image(path).pixels, pixels)
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags["StripOffsets"]
        form, places = {3: "<H", 4: "<I"}[int(tag.dtype)], tag.value
    data = bytearray(path.read_bytes())
    wrong = 0 if offset == "header" else places[0] + 100
    struct.pack_into(form, data, tag.valueoffset + 2 * struct.calcsize(form), wrong)
    path.write_bytes(data)
    with pytest.raises(InputError, match="begins within the header or another one"):
        decode_image(path)
