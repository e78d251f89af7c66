"""Images with labels: folders, PASCAL VOC, stacks, one's own; what is wrong is named."""

import os

import numpy as np
import pytest
import tifffile
from cells import cells, write_cells, write_indexed
from PIL import Image
from tiffs import with_rows

from unetpred.errors import InputError
from unetpred.images.arrays import Warner
from unetpred.images.formats.tiff_pages import Pages, is_stack, write_pages
from unetpred.segmentation import VOC, Dataset, Folders, Stacks
from unetpred.segmentation.data import checked
from unetpred.segmentation.data.checked import Checked, as_image, divide
from unetpred.segmentation.data.classes import IGNORED
from unetpred.segmentation.data.datasets import open_dataset
from unetpred.segmentation.data.labels import read_label


def test_folders(tmp_path):
    write_cells(tmp_path)
    checked = Checked(Folders(tmp_path / "image", tmp_path / "label"))
    assert len(checked) == 4 and checked.classes.binary
    for index in range(4):
        image, label = cells(index)
        np.testing.assert_array_equal(checked[index].image, np.repeat(image[..., None], 3, -1))
        np.testing.assert_array_equal(checked[index].label, label)
    assert checked.counts.sum() == 4 * 72 * 80
    assert checked.counts[1] == sum(cells(i)[1].sum() for i in range(4))
    assert "4 images" in checked.text() and "%" in checked.text()


def test_what_is_wrong_with_folders(tmp_path):
    write_cells(tmp_path)
    images, labels = tmp_path / "image", tmp_path / "label"
    Image.fromarray(np.zeros((30, 30), "uint8")).save(labels / "1.png")
    with pytest.raises(InputError, match=r"label/1\.png: is 30x30 px .* is 80x72"):
        Checked(Folders(images, labels))
    (labels / "1.png").unlink()
    with pytest.raises(InputError, match=r"image/1\.png: has no label; .* 1\.png is looked for"):
        Folders(images, labels)
    (labels / "1.JPG").write_bytes(b"")
    with pytest.raises(InputError, match=r"label/1\.JPG: is a JPEG"):
        Folders(images, labels)
    (labels / "1.JPG").unlink()
    (images / "2.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"2\.png: has the stem of 2\.jpg"):
        Folders(images, labels)
    (images / "2.jpg").unlink()
    with pytest.raises(InputError, match="is not a folder"):
        Folders(images, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        Folders(tmp_path / "empty", labels)


def voc(root, void=255):
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        label = rng.integers(0, 3, (40, 50)).astype("uint8")
        label[:3] = void
        colours = np.zeros((256, 3), "uint8")
        colours[:3], colours[void] = [(0, 0, 0), (128, 0, 0), (0, 128, 0)], (224, 224, 192)
        write_indexed(root / "SegmentationClass" / f"{name}.png", label, colours)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3)).astype("uint8")).save(
            root / "JPEGImages" / f"{name}.jpg"
        )
    (root / "ImageSets/Segmentation/train.txt").write_text("a\nb\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("c\n")
    return root


def test_pascal_voc(tmp_path):
    root = voc(tmp_path)
    checked = Checked(VOC(root, "train"))
    assert len(checked) == 2 and checked.name(0).endswith("a.jpg")
    assert checked.classes.values == (0, 1, 2) and checked.classes.void == 255
    assert checked.classes.colours[1] == (128, 0, 0)
    assert (checked[0].label[:3] == IGNORED).all() and checked.counts[-1] == 2 * 3 * 50
    with pytest.raises(
        InputError, match=r"test\.txt: no such list of images; there are train, val"
    ):
        VOC(root, "test")
    (root / "SegmentationClass/b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: is missing, the label of .*b\.jpg"):
        VOC(root, "train")
    with pytest.raises(InputError, match="JPEGImages"):
        VOC(tmp_path / "SegmentationClass", "train")


def test_lists_of_pascal_voc(tmp_path):
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "windows.txt").write_bytes("\ufeffa\r\nc\r\n".encode())
    found = VOC(tmp_path, "windows")
    assert [image.stem for image, _ in found.pairs] == ["a", "c"]
    (lists / "latin.txt").write_bytes("stra\xdfe\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt: is not text"):
        VOC(tmp_path, "latin")


def test_stacks(tmp_path):
    pairs = [cells(index) for index in range(3)]
    frames = [[Image.fromarray(x) for x in part] for part in zip(*pairs, strict=True)]
    for name, pages in zip(("images.tif", "labels.tif"), frames, strict=True):
        if name == "labels.tif":
            pages = [Image.fromarray(np.asarray(page) * 255) for page in pages]
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    data = open_dataset(tmp_path / "images.tif", tmp_path / "labels.tif")
    assert isinstance(data, Stacks) and is_stack(tmp_path / "images.tif")
    checked = Checked(data)
    assert len(checked) == 3
    for index, (image, label) in enumerate(pairs):
        np.testing.assert_array_equal(checked[index].image[..., 1], image)
        np.testing.assert_array_equal(checked[index].label, label)
    frames[0][0].save(tmp_path / "one.tif")
    with pytest.raises(InputError, match=r"one\.tif: has 1 pages, .*images\.tif has 3"):
        Stacks(tmp_path / "images.tif", tmp_path / "one.tif")


@pytest.mark.parametrize("kind", ["uint16", "float32", "bool", "rgb"])
def test_pages_of_other_kinds(tmp_path, kind, rng):
    from unetpred.segmentation.data.datasets import read_page

    values = rng.integers(0, 256, (2, 20, 24, 3) if kind == "rgb" else (2, 20, 24)).astype("uint8")
    stored = {
        "uint16": values.astype("uint16") * 257,
        "float32": values.astype("float32") / 255,
        "bool": values > 127,
        "rgb": values,
    }[kind]
    images = [Image.fromarray(page) for page in stored]
    images[0].save(tmp_path / "s.tif", save_all=True, append_images=images[1:])
    expected = np.where(values > 127, 255, 0) if kind == "bool" else values
    for index in range(2):
        page = read_page(Pages(tmp_path / "s.tif"), index)
        whole = expected[index] if kind == "rgb" else expected[index][..., None].repeat(3, -1)
        np.testing.assert_allclose(page, whole, atol=1e-4)


def test_bool_of_tifffile(tmp_path, rng):
    """It shows True as black; what counts is True, in stacks and in single files."""
    values = rng.random((2, 20, 24)) < 0.3
    tifffile.imwrite(tmp_path / "s.tif", values)
    tifffile.imwrite(tmp_path / "one.tif", values[0])
    for index in range(2):
        np.testing.assert_array_equal(Pages(tmp_path / "s.tif").read(index)[0], values[index])
    np.testing.assert_array_equal(read_label(tmp_path / "one.tif").values, values[0])
    # that of another program is what it shows
    tifffile.imwrite(tmp_path / "fax.tif", values[0], software="scanner")
    np.testing.assert_array_equal(read_label(tmp_path / "fax.tif").values, ~values[0])


def test_pages_that_are_damaged(tmp_path):
    write_pages(tmp_path / "s.tif", (np.full((64, 64), i, "uint8") for i in range(4)))
    assert [Pages(tmp_path / "s.tif").read(i)[0].max() for i in range(4)] == [0, 1, 2, 3]
    (tmp_path / "t.tif").write_bytes(b"II*\0")
    with pytest.raises(InputError, match=r"t\.tif"):
        Pages(tmp_path / "t.tif")
    with pytest.raises(InputError, match="no such file"):
        Pages(tmp_path / "none.tif")
    assert not is_stack(tmp_path / "t.tif")


def test_pages_of_which_pixels_are_missing(tmp_path):
    """The second of three pages says that it has more rows than there are."""
    pages = [np.full((64, 60), i, "uint8") for i in range(3)]
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        images = [Image.fromarray(page) for page in pages]
        path = tmp_path / "s.tif"
        images[0].save(path, save_all=True, append_images=images[1:], compression=compression)
        path.write_bytes(with_rows(path.read_bytes(), 64, 128, page=1))
        assert len(Pages(path)) == 3
        for index in (0, 2):
            np.testing.assert_array_equal(Pages(path).read(index)[0], pages[index])
        with pytest.raises(InputError, match="page 1: damaged TIFF"):
            Pages(path).read(1)


def test_stacks_that_are_no_file_or_claim_much(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(InputError, match=r"pipe\.tif: is a pipe"):
        open_dataset(tmp_path / "pipe.tif", tmp_path / "pipe.tif")
    Image.new("L", (60, 64)).save(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(with_rows(data, 64, 1 << 30))
    with pytest.raises(InputError, match="--max_pixels"):
        Pages(tmp_path / "a.tif").read(0)


class Drawn(Dataset):
    """Cells that are drawn when they are asked for."""

    def __init__(self, count=4):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return cells(index)


def test_own_dataset():
    checked = Checked(Drawn())
    image, label = cells(2)
    np.testing.assert_array_equal(checked[2].image[..., 0], image)
    np.testing.assert_array_equal(checked[2].label, label)
    assert checked.name(2) == "Drawn 2"
    with pytest.raises(NotImplementedError):
        len(Dataset())
    with pytest.raises(InputError, match="Drawn: has no images"):
        Checked(Drawn(0))


def test_floats_that_seem_to_be_of_another_range(monkeypatch, log):
    monkeypatch.setattr(checked, "_warn", Warner())  # which says a thing once
    for dark in (np.zeros((4, 4)), np.ones((4, 4), "float32"), np.full((4, 4), 1, "uint8")):
        as_image(dark, "a")
    as_image(np.full((4, 4), 0.5) + 1, "a")
    assert not log.text
    assert as_image(np.full((4, 4), 0.75, "float32"), "a").max() == 1
    assert "multiply by 255 if white is 1" in log.text


def test_division():
    used, left = divide(Drawn(10), 0.3, 0, run=False)
    assert sorted(used + left) == list(range(10)) and len(left) == 3
    assert (used, left) == divide(Drawn(10), 0.3, 0, run=False)
    assert divide(Drawn(10), 0.3, 0, run=True)[1] == [7, 8, 9]
    assert len(divide(Drawn(2), 0.01, 0, run=False)[1]) == 1
    with pytest.raises(InputError, match="cannot be split"):
        divide(Drawn(1), 0.5, 0, run=False)
