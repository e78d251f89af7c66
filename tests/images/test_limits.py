"""Small files that claim much memory, and what is no file; a reader lets no foreign error out."""

import io
import os
import socket
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image
from reading import H, W, one, refusal
from tiffs import write_tiff

from unetpred.errors import InputError
from unetpred.holes.masks import load_mask
from unetpred.images import folders
from unetpred.images.folders import image_files
from unetpred.images.formats import png, tiff_codecs, tiff_parts
from unetpred.images.formats.tiff import read_tiff
from unetpred.images.formats.tiff_directory import read_directory
from unetpred.images.sources import list_sources
from unetpred.io import limits


@pytest.fixture(autouse=True)
def no_limit_is_left():
    yield
    limits.set_max_pixels(None)


def flat_png(path, width, height, bits=8, colour=0):
    """Write a PNG of nothing but zeros, by the specification alone."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    row = bytes(1 + width * bits * {0: 1, 2: 3}[colour] // 8)
    packer = zlib.compressobj()
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


def test_a_drawing_may_be_compressed_as_much_as_it_likes(tmp_path):
    assert one(flat_png(tmp_path / "a.png", 3000, 2000)).shape == (2000, 3000, 3)


@pytest.mark.parametrize("size, bits", [((9000, 6000), 8), ((5000, 3000), 16)])
def test_few_bytes_that_claim_a_large_image(tmp_path, size, bits):
    path = flat_png(tmp_path / "a.png", *size, bits, colour=2)
    message = refusal(path)
    assert f"--max_pixels {size[0] * size[1]}" in message
    limits.set_max_pixels(size[0] * size[1])
    assert list_sources([path])[0].sources[0].size == size[::-1]


def test_max_pixels_limits_every_kind_of_image(tmp_path, rgb, rng):
    limits.set_max_pixels(H * W - 1)
    for ending in ("png", "jpg", "tif", "bmp", "webp"):
        Image.fromarray(rgb[:H, :W]).save(tmp_path / f"a.{ending}")
        assert f"--max_pixels {H * W}" in refusal(tmp_path / f"a.{ending}")
        with pytest.raises(InputError, match="--max_pixels"):
            load_mask(tmp_path / f"a.{ending}")
    np.save(tmp_path / "a.npy", np.zeros((2, H, W), "uint8"))
    np.savez(tmp_path / "a.npz", np.zeros((2, H, W), "uint8"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros((2, H, W), "uint8")
    for ending in ("npy", "npz", "h5"):
        assert f"--max_pixels {H * W}" in refusal(tmp_path / f"a.{ending}")
    limits.set_max_pixels(H * W)
    assert one(tmp_path / "a.png").shape == (H, W, 3)


def test_tiff_of_many_large_samples(tmp_path):
    path = write_tiff(tmp_path / "a.tif", np.zeros((H, W, 1)), compression="deflate")
    data = path.read_bytes()
    for tag, value, large in ((256, W, 20000), (257, H, 20000)):
        entry = struct.pack("<HHII", tag, 4, 1, value)
        data = data.replace(entry, entry[:8] + struct.pack("<I", large))
    path.write_bytes(data)
    assert "--max_pixels 400000000" in refusal(path)


def test_small_arrays_that_claim_many_images(tmp_path):
    count = 10**9
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (count, H, W)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1000))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (count, H, W), "uint8", chunks=(1, H, W))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", (8, H, W), "uint8", chunks=(100_000, H, W), maxshape=(None, H, W))
    for name in ("a.npz", "a.h5", "b.h5"):
        assert refusal(tmp_path / name)


def test_hdf5_of_which_few_images_are_written(tmp_path, rng):
    pictures = rng.integers(0, 256, (2, 200, 200, 3)).astype("uint8")
    for name, count, written in (("a", 50_000, 2), ("none", 50_000, 0), ("many", 10**6, 2)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            x = file.create_dataset("x", (count, 200, 200, 3), "uint8", chunks=(1, 200, 200, 3))
            for picture in pictures[:written]:
                x[count - 1] = x[7] = picture
    (entry,) = list_sources([tmp_path / "a.h5"])
    np.testing.assert_array_equal(entry.sources[7].load(), pictures[1])
    np.testing.assert_array_equal(entry.sources[49_999].load(), pictures[1])
    with pytest.raises(InputError, match=r"image 8: .* were never written"):
        entry.sources[8].load()
    for name in ("none", "many"):
        assert "--max_pixels" in refusal(tmp_path / f"{name}.h5")


def test_npz_is_read_picture_by_picture(tmp_path, rng, monkeypatch):
    pictures = rng.integers(0, 256, (40, H, W, 3)).astype("uint8")
    np.savez_compressed(tmp_path / "a.npz", pictures)
    np.savez_compressed(tmp_path / "f.npz", np.asfortranarray(pictures))
    (entry, by_columns) = list_sources([tmp_path / "a.npz", tmp_path / "f.npz"])
    most, read = [0], zipfile.ZipExtFile.read

    def watched(self, n=-1):
        data = read(self, n)
        most[0] = max(most[0], len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", watched)
    for index in (0, 1, 39, 7):
        np.testing.assert_array_equal(entry.sources[index].load(), pictures[index])
    assert most[0] <= 1 << 20
    np.testing.assert_array_equal(by_columns.sources[5].load(), pictures[5])


class Counting(io.BytesIO):
    """Counts the bytes that are read of it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def tiff(entries, body=b""):
    """A TIFF file with a directory of these (tag, type, count, value) behind a body at byte 8."""
    body += bytes(len(body) % 2)
    directory = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body
    return head + struct.pack("<H", len(entries)) + directory + bytes(4)


def grey(photometric=1, rows=H):
    """Entries of a TIFF file of 8 bits, H x W."""
    numbers = {256: W, 257: H, 258: 8, 259: 1, 262: photometric, 273: 8, 278: rows, 279: H * W}
    return {tag: (tag, 4, 1, value) for tag, value in numbers.items()}


@pytest.mark.parametrize("tags", [[273] * 500, [258, 266, 273, 277, 279, 324, 325, 339] * 3])
def test_tags_of_a_tiff_that_claim_the_same_bytes(tags):
    data = tiff([(tag, 1, 20_000, 8) for tag in tags], bytes(20_000))
    file = Counting(data)
    read_directory(file)
    assert file.count < 2 * len(data) + (1 << 16)


def test_tags_that_only_pillow_reads(tmp_path):
    entries = [*grey(photometric=3).values(), (320, 3, 768, 8)]
    (tmp_path / "a.tif").write_bytes(tiff(entries, bytes(H * W)))
    one(tmp_path / "a.tif")
    entries += [(tag, 1, H * W, 8) for tag in range(1000, 1100)]
    (tmp_path / "a.tif").write_bytes(tiff(entries, bytes(H * W)))
    assert "claim more bytes than are there" in refusal(tmp_path / "a.tif")


def test_pages_that_overlap(tmp_path):
    data = bytearray(tiff(grey().values(), bytes(H * W)))
    second = len(data)
    data[-4:] = struct.pack("<I", second)
    for number in range(2000):  # directories of 100 entries, each in the middle of the one before
        data += struct.pack("<H", 100) + struct.pack("<I", second + 6 * number + 6)
    (tmp_path / "a.tif").write_bytes(data)
    one(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [1, 8])
def test_strips_that_claim_the_same_bytes(tmp_path, monkeypatch, compression):
    body = bytes(H * W) if compression == 1 else zlib.compress(bytes(1 << 20))
    entries = grey(rows=1) | {259: (259, 4, 1, compression)}
    for tag, value, place in ((273, 8, len(body)), (279, len(body), len(body) + 4 * H)):
        entries[tag] = (tag, 4, H, 8 + place)
        entries[tag - 1000] = value
    lists = b"".join(struct.pack("<I", entries.pop(tag)) * H for tag in (-727, -721))
    file = Counting(tiff(entries.values(), body + lists))
    monkeypatch.setattr(tiff_parts, "CHUNK", 1 << 16)
    monkeypatch.setattr(tiff_codecs, "CHUNK", 1 << 16)
    try:
        read_tiff(file, "a.tif")
    except ValueError:
        assert compression != 1
    assert file.count < 4 * (H * W + len(lists)) + (1 << 16)


def test_jpeg_of_very_many_scans(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", progressive=True)
    data = (tmp_path / "a.jpg").read_bytes()
    one(tmp_path / "a.jpg")
    last = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "a.jpg").write_bytes(data[:-2] + 100 * last + data[-2:])
    assert "scans, which no encoder writes" in refusal(tmp_path / "a.jpg")


def test_an_array_that_more_follows(tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros((2, H, W), "uint8"))
    for more, right in ((0, True), (5_000_000, False)):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", content.getvalue() + bytes(more))
        if right:
            assert len(list_sources([tmp_path / "a.npz"])[0].sources) == 2
        else:
            assert "more than its shape" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_array_that_is_packed_as_numpy_does_not(tmp_path, method):
    content = io.BytesIO()
    np.save(content, np.zeros((2, H, W), "uint8"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("x.npy", content.getvalue())
    assert "is compressed as numpy.savez_compressed does not" in refusal(tmp_path / "a.npz")


def test_a_png_of_very_many_chunks(tmp_path, rgb, monkeypatch):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    empty = struct.pack(">I", 0) + b"prVt" + struct.pack(">I", zlib.crc32(b"prVt"))
    monkeypatch.setattr(png, "_MOST_CHUNKS", 100)
    for count, right in ((90, True), (200, False)):
        (tmp_path / "a.png").write_bytes(data[:-12] + count * empty + data[-12:])
        if right:
            one(tmp_path / "a.png")
        else:
            assert "more than 100 chunks" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("ending", ["bmp", "webp"])
def test_sizes_that_pillow_refuses_by_itself_name_the_option(tmp_path, rgb, ending):
    Image.fromarray(rgb).save(tmp_path / f"a.{ending}", lossless=True)
    data = bytearray((tmp_path / f"a.{ending}").read_bytes())
    if ending == "bmp":
        data[18:26] = struct.pack("<ii", 60000, 60000)
    else:  # VP8L: 14 bits of width - 1, and of height - 1
        data[21:25] = struct.pack("<I", (1 << 28) - 1)
    (tmp_path / f"a.{ending}").write_bytes(data)
    assert "--max_pixels" in refusal(tmp_path / f"a.{ending}")


def test_datasets_that_are_made_of_themselves(tmp_path, rng):
    for names in (["a"], ["a", "b"]):
        for name, other in zip(names, [*names[1:], names[0]], strict=True):
            layout = h5py.VirtualLayout((3, H, W), "uint8")
            layout[:] = h5py.VirtualSource(f"{other}.h5", "x", (3, H, W))
            with h5py.File(tmp_path / f"{name}.h5", "w") as file:
                file.create_virtual_dataset("x", layout)
        assert "is made of itself" in refusal(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = pictures = rng.integers(0, 256, (3, H, W)).astype("uint8")
    layout = h5py.VirtualLayout((3, H, W), "uint8")
    layout[:] = h5py.VirtualSource("b.h5", "x", (3, H, W))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    (entry,) = list_sources([tmp_path / "a.h5"])
    np.testing.assert_array_equal(entry.sources[2].load()[..., 0], pictures[2])


def test_groups_within_groups(tmp_path, rng):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/b/c/x"] = rng.integers(0, 256, (3, H, W)).astype("uint8")
        file["a/b/loop"], file["a/soft"] = file["a"], h5py.SoftLink("/a/soft")
    assert len(list_sources([tmp_path / "a.h5"])[0].sources) == 3
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_group("a/b" + 100 * "/g")
    assert "deeper ones" in refusal(tmp_path / "a.h5")


def test_a_chunk_that_unpacks_to_much_more_than_its_file(tmp_path, rng):
    noise = rng.integers(0, 256, 4_000_000).astype("uint8")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (3000, 100, 1000), "uint8", chunks=(3000, 100, 1000))
        file.attrs.create("noise", noise[:60_000])
        file.create_dataset("g/noise", data=np.void(noise.tobytes()))
    (entry,) = list_sources([tmp_path / "a.h5"], key="x")
    assert "a chunk of x: has shape" in entry.error


def test_every_byte_of_a_directory_of_a_tiff(tmp_path, rng):
    path = write_tiff(tmp_path / "a.tif", rng.integers(0, 256, (H, W, 3)).astype("uint8"), rows=30)
    data = path.read_bytes()
    begin = struct.unpack("<I", data[4:8])[0]
    for place in [*range(16), *range(begin, begin + 80)]:
        for value in (0, 1, 2, 255):
            damaged = bytearray(data)
            damaged[place] = value
            path.write_bytes(damaged)
            for entry in list_sources([path]):
                for source in entry.sources:
                    for ask in (lambda source=source: source.size, source.load):
                        try:
                            ask()
                        except InputError as error:
                            assert str(path) in str(error) and "\n" not in str(error)


def test_what_is_no_file_is_named(tmp_path, rgb):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    Image.fromarray(rgb).save(tmp_path / "whole.png")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tmp_path)  # names of sockets have to be short
        listening.bind("socket.png")
        os.chdir(here)
        kinds = {
            "pipe.png": "pipe",
            "pipe.npy": "pipe",
            "zero.png": "device",
            "socket.png": "socket",
        }
        for name, kind in kinds.items():
            assert kind in refusal(tmp_path / name)
            with pytest.raises(InputError, match=kind):
                load_mask(tmp_path / name)
        (entry,) = list_sources([tmp_path])
        told = {}
        for source in entry.sources:
            try:
                source.load()
            except InputError as error:
                told[os.path.basename(source.path)] = str(error)
        assert set(told) == {"pipe.png", "zero.png", "socket.png"} and len(entry.sources) == 4


def test_links_to_folders_are_followed_once(tmp_path, rgb):
    (tmp_path / "top" / "real").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    Image.fromarray(rgb).save(tmp_path / "top" / "real" / "a.png")
    Image.fromarray(rgb).save(tmp_path / "other" / "b.png")
    (tmp_path / "top" / "again").symlink_to("real")
    (tmp_path / "top" / "loop").symlink_to(".")
    (tmp_path / "top" / "real" / "up").symlink_to("..")
    (tmp_path / "top" / "elsewhere").symlink_to(tmp_path / "other")
    found = [os.path.relpath(path, tmp_path / "top") for path in image_files(tmp_path / "top")]
    assert found == [os.path.join("elsewhere", "b.png"), os.path.join("real", "a.png")]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, rgb, monkeypatch, log):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(rgb).save(tmp_path / name / "x.png")
    scandir = os.scandir

    def refused(path):
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(folders.os, "scandir", refused)
    assert image_files(tmp_path) == [str(tmp_path / "b" / "x.png")]
    assert f"{tmp_path / 'a'}: cannot be read (Permission denied); left out" in log.text
    with pytest.raises(InputError, match="cannot be read"):
        image_files(tmp_path / "a")


def test_messages_about_names_that_break_lines(tmp_path):
    name = os.fsencode(tmp_path) + b"/a\nb\r\x1b[31m\xff.png"
    with open(name, "wb") as file:
        file.write(b"no image")
    (entry,) = list_sources([os.fsdecode(name)])
    with pytest.raises(InputError) as error:
        entry.sources[0].load()
    message = str(error.value)
    assert r"a\nb\r\x1b[31m\udcff.png" in message and message.isprintable()
