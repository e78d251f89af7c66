"""Labels: by index, black and white, in colour; traps are named in one line."""

import logging
import os
import struct
import zlib

import numpy as np
import pytest
from cells import write_indexed
from PIL import Image
from tiffs import with_rows

from unetpred.errors import InputError
from unetpred.segmentation.data.classes import IGNORED, Classes, default_colours, read_classes
from unetpred.segmentation.data.labels import Survey, label_of, read_label, survey, write_mask

COLOURS = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (200, 200, 0)]
LABEL = np.array([[0, 1, 2], [2, 1, 255]], np.uint8)


def test_palette_is_read_by_index(tmp_path):
    """Two files of one label whose palettes differ have the same values."""
    for number, colours in enumerate((COLOURS, COLOURS[::-1])):
        write_indexed(tmp_path / f"{number}.png", np.minimum(LABEL, 3), colours)
        np.testing.assert_array_equal(
            read_label(tmp_path / f"{number}.png").values, np.minimum(LABEL, 3)
        )


@pytest.mark.parametrize("order", [(0, 255), (255, 0)])
def test_black_and_white_palette_is_black_and_white(tmp_path, order):
    white = np.array([[0, 1, 1], [1, 0, 0]], bool)
    index = (np.array(order) == 255).argmax()
    grey = [(level,) * 3 for level in order]
    write_indexed(tmp_path / "a.png", np.where(white, index, 1 - index).astype("uint8"), grey)
    found = read_label(tmp_path / "a.png")
    np.testing.assert_array_equal(found.values, white)
    known = survey([("a.png", found)])
    assert known.binary and known.values == (0, 1)


def test_one_bit_and_rgb_and_grey_alpha_are_black_and_white(tmp_path):
    white = np.array([[0, 1, 1], [1, 0, 0]], np.uint8) * 255
    grey = Image.fromarray(white)
    for number, image in enumerate((grey, grey.convert("1"), grey.convert("RGB"))):
        image.save(tmp_path / f"{number}.png")
        label = read_label(tmp_path / f"{number}.png")
        known = survey([("x", label)])
        values = Survey().values(label, "x")
        np.testing.assert_array_equal(known.indices(values, "x"), white // 255)


def test_one_bit_beside_grey_levels(tmp_path):
    """Programs that make files small may write some labels of 0 and 255 in one bit."""
    white = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
    known = survey([("a", label_of(white)), ("b", label_of(white == 255))])
    assert known.values == (0, 255)
    np.testing.assert_array_equal(known.indices(white, "a"), white // 255)
    np.testing.assert_array_equal(known.indices(white // 255, "b"), white // 255)
    # beside void it is 1
    known = survey([("a", label_of(white)), ("b", label_of(white == 255))], void=255)
    assert known.values == (0, 1)
    known = survey([("a", label_of(white // 255)), ("b", label_of(white == 255))])
    assert known.values == (0, 1)


def test_1_and_255_are_not_both_the_second_class():
    """255 is void where classes are known before and nothing is said of it."""
    known = survey([("a", label_of(np.array([[0, 1]], np.uint8)))])
    with pytest.raises(InputError, match=r"b\.png: has the values 1 and 255; .*--void 255"):
        known.indices(np.array([[0, 1, 255]]), "b.png")
    looked = Survey()
    looked.add(label_of(np.array([[0, 1]], np.uint8)), "a.png")
    looked.check(known)
    looked.add(label_of(np.array([[0, 255]], np.uint8)), "b.png")
    with pytest.raises(InputError, match=r"b\.png: has the value 255, and a\.png has 1; "):
        looked.check(known)
    void = survey([("a", label_of(np.array([[0, 1, 255]], np.uint8)))], void=255)
    np.testing.assert_array_equal(void.indices(np.array([[0, 1, 255]]), "a"), [[0, 1, IGNORED]])
    looked.check(void)


def test_void_and_classes(caplog):
    known = survey([("a.png", label_of(LABEL))], void=255)
    assert known.names == ("0", "1", "2") and known.void == 255
    np.testing.assert_array_equal(known.indices(LABEL, "a"), [[0, 1, 2], [2, 1, IGNORED]])
    np.testing.assert_array_equal(known.labels(known.indices(LABEL, "a")), LABEL)
    with caplog.at_level(logging.INFO, logger="unetpred"):
        two = survey([("a", label_of(np.array([[0, 255]], np.uint8)))])
    assert two.values == (0, 255) and two.written == (0, 1) and "two classes" in caplog.text
    # void before the classes
    zero = survey([("a", label_of(np.array([[0, 1, 2]], np.uint8)))], void=0)
    assert zero.values == (1, 2)
    np.testing.assert_array_equal(zero.indices(np.array([[0, 1, 2]]), "a"), [[IGNORED, 0, 1]])
    # void among them
    some = survey([("a", label_of(np.array([[0, 1, 2, 3]], np.uint8)))], void=1)
    assert some.values == (0, 2, 3)
    np.testing.assert_array_equal(some.labels(np.array([[0, 1, 2, IGNORED]])), [[0, 2, 3, 1]])


def test_values_that_are_no_class_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: has the value 255.*--void 255"):
        survey([("a.png", label_of(LABEL))])
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(InputError, match=r"b\.png: has the value 2; .*classes\.txt has the"):
        survey(
            [("a.png", label_of(LABEL[:1, :2])), ("b.png", label_of(LABEL[:1]))],
            tmp_path / "classes.txt",
        )
    with pytest.raises(InputError, match=r"two or more"):
        survey([("a.png", label_of(np.zeros((2, 2), np.uint8)))])
    with pytest.raises(InputError, match=r"x\.png: has values from 0 to 700"):
        survey([("x.png", label_of(np.array([[0, 700]], np.uint16)))])
    some = [(name, label_of(np.array([[0, 255]], np.uint8))) for name in ("a", "b", "c")]
    some.insert(1, ("x.png", label_of(np.array([[0, 7, 255]], np.uint8))))
    with pytest.raises(InputError, match=r"x\.png: has the value 7, where most labels have 0 and"):
        survey(some)
    assert survey(some, void=7).values == (0, 255)
    known = survey([("a", label_of(LABEL))], void=255)
    with pytest.raises(InputError, match=r"b\.png: has the value 7 \(1 px\), which is no class"):
        known.indices(np.array([[0, 7]]), "b.png")
    with pytest.raises(InputError, match="void is 300"):
        Survey(void=300)


def test_labels_in_colour(tmp_path):
    (tmp_path / "classes.csv").write_text("name,r,g,b\nsky,0,0,128\nroad,128,64,0\n\nvoid 0 0 0\n")
    colours = np.array([[0, 0, 128], [128, 64, 0], [0, 0, 0]], np.uint8)
    indices = np.array([[0, 1, 2, 1]])
    Image.fromarray(colours[indices]).save(tmp_path / "a.png")
    label = read_label(tmp_path / "a.png")
    looked = Survey(tmp_path / "classes.csv", 2)
    looked.add(label, "a.png")
    known = looked.classes()
    assert known.names == ("sky", "road") and known.colours == ((0, 0, 128), (128, 64, 0))
    values = looked.values(label, "a.png")
    np.testing.assert_array_equal(known.indices(values, "a"), [[0, 1, IGNORED, 1]])
    with pytest.raises(InputError, match=r"a\.png: is a label in colour; give --classes"):
        Survey().add(label, "a.png")
    (tmp_path / "names.txt").write_text("sky\nroad\n")
    with pytest.raises(InputError, match=r"names\.txt needs a colour"):
        Survey(tmp_path / "names.txt").add(label, "a.png")
    with pytest.raises(InputError, match=r"b\.png: has the colour \(1, 2, 3\) \(2 px\)"):
        looked.add(label_of(np.full((1, 2, 3), (1, 2, 3), np.uint8)), "b.png")


def test_a_label_in_colour_that_has_greys_alone(tmp_path, log):
    """Sky (128, 128, 128) and void (0, 0, 0), as in CamVid, are lines of the file, not levels."""
    (tmp_path / "classes.txt").write_text("sky 128 128 128\nroad 128 64 0\nvoid 0 0 0\n")
    colours = np.array([[128, 128, 128], [128, 64, 0], [0, 0, 0]], np.uint8)
    looked = Survey(tmp_path / "classes.txt", 2)
    for indices in ([[0, 1, 2]], [[2, 2, 0]], [[2, 2, 2]]):
        found = looked.add(label_of(colours[np.array(indices)]), "a.png")
        np.testing.assert_array_equal(found, indices)
    assert not log.text
    # grey levels are levels, which is said
    np.testing.assert_array_equal(looked.add(label_of(LABEL[:, :2]), "b.png"), LABEL[:, :2])
    assert "b.png: has grey levels, where a.png is in colour" in log.text


def test_a_palette_of_grey_levels_is_none(tmp_path):
    white = np.array([[0, 255], [255, 0]], np.uint8)
    write_indexed(tmp_path / "a.png", white, np.repeat(np.arange(256)[:, None], 3, 1))
    assert survey([("a.png", read_label(tmp_path / "a.png"))]).values == (0, 255)


def test_files_that_are_no_labels(tmp_path):
    Image.fromarray(LABEL).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: is a JPEG"):
        read_label(tmp_path / "a.jpg")
    Image.fromarray(np.ones((3, 3), "float32")).save(tmp_path / "f.tif")
    with pytest.raises(InputError, match=r"f\.tif: colour mode F"):
        read_label(tmp_path / "f.tif")
    (tmp_path / "b.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"b\.png: is not an image"):
        read_label(tmp_path / "b.png")
    Image.fromarray(np.tile(LABEL, (50, 50))).save(tmp_path / "c.png")
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"c\.png: damaged"):
        read_label(tmp_path / "c.png")
    with pytest.raises(InputError, match="no such file"):
        read_label(tmp_path / "d.png")


def test_labels_of_which_pixels_are_missing(tmp_path):
    """A png of half its rows, a tif of more than it has, a bmp and a gif cut short."""
    label = Image.fromarray(np.tile(LABEL, (40, 40)).astype("uint8"))
    for name in ("a.png", "b.tif", "c.bmp", "d.gif"):
        label.save(tmp_path / name)
        read_label(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(less_of(data, label.height))
        with pytest.raises(InputError, match=rf"{name}: damaged"):
            read_label(tmp_path / name)


def less_of(data, height):
    """Take pixels away from a file, which says nothing of it."""
    if data[:4] == b"\x89PNG":
        start = data.index(b"IDAT")
        (length,) = struct.unpack(">I", data[start - 4 : start])
        rows = zlib.decompress(data[start + 4 : start + 4 + length])
        packed = zlib.compress(rows[: len(rows) // 2])
        body = b"IDAT" + packed
        end = struct.pack(">I", zlib.crc32(body)) + data[start + 8 + length :]
        return data[: start - 4] + struct.pack(">I", len(packed)) + body + end
    if data[:2] == b"II":
        return with_rows(data, height, 2 * height)
    return data[: len(data) // 2]


def test_what_is_no_file_is_no_label(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="is a pipe"):
        read_label(tmp_path / "a.png")
    (tmp_path / "a.tif").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(InputError, match="is not an image"):
        read_label(tmp_path / "a.tif")


def test_files_of_classes(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("# names\nglia/extracellular\nroad 1 2 3\n", "utf-8")
    assert read_classes(file) == (["glia/extracellular", "road"], None)
    for text, problem in (
        ("one", "has 1 class"),
        ("a\na", "names 'a' more than once"),
        ("a 1 2 3\nb 1 2 3", "colour .* twice"),
        ("a 1 2 300\nb", "above 255"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=problem):
            read_classes(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_classes(tmp_path / "none.txt")


def test_a_palette_unlike_the_others_is_named(tmp_path, log):
    write_indexed(tmp_path / "a.png", np.minimum(LABEL, 3), COLOURS)
    write_indexed(tmp_path / "b.png", np.minimum(LABEL, 3), COLOURS[::-1])
    labels = [(name, read_label(tmp_path / name)) for name in ("a.png", "a.png", "b.png")]
    survey(labels[:2])
    assert not log.text
    known = survey(labels)
    assert "b.png: its palette is not that of a.png" in log.text
    assert known.colours == tuple(COLOURS)


def test_a_palette_unlike_the_file_of_classes_is_named(tmp_path, log):
    lines = [f"{name} {' '.join(map(str, c))}\n" for name, c in zip("abcd", COLOURS, strict=True)]
    (tmp_path / "classes.txt").write_text("".join(lines))
    write_indexed(tmp_path / "a.png", np.minimum(LABEL, 3), COLOURS)
    write_indexed(tmp_path / "b.png", np.minimum(LABEL, 3), COLOURS[::-1])
    survey([("a.png", read_label(tmp_path / "a.png"))], tmp_path / "classes.txt")
    assert not log.text
    survey([("b.png", read_label(tmp_path / "b.png"))], tmp_path / "classes.txt")
    assert "b.png: its palette is not that of" in log.text and "classes.txt" in log.text


def test_a_palette_that_a_program_made_of_grey_levels_is_named(tmp_path, log):
    """Programs that make files small write grey levels with a palette, in any order."""
    levels = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    Image.fromarray(0 * levels).save(tmp_path / "0.png")
    write_indexed(tmp_path / "b.png", levels, [(2, 2, 2), (0, 0, 0), (1, 1, 1)])
    write_indexed(tmp_path / "c.png", levels, COLOURS)
    for names, warns in (("0b", False), ("ac", False), ("ab", True), ("ba", True)):
        log.clear()
        survey([(name, read_label(tmp_path / f"{name}.png")) for name in names])
        expected = "b: its palette has grey levels that are not its indices, where a has grey"
        assert (expected in log.text) == warns == bool(log.text)


def test_masks_round_trip_and_their_palette_survives_reordering(tmp_path):
    """Programs that make png files small may reorder a palette: colours stay."""
    known = Classes(("a", "b", "c"), (0, 1, 2), default_colours((0, 1, 2)), 255)
    indices = np.random.default_rng(0).integers(0, 3, (20, 30)).astype("uint8")
    write_mask(tmp_path / "m.png", known.labels(indices), known.palette())
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), indices)
        colours = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(colours, np.array(known.colours)[indices])
        image.remap_palette([2, 0, 1]).save(tmp_path / "r.png", optimize=True)
    with Image.open(tmp_path / "r.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), colours)
    two = Classes(("a", "b"), (0, 255), ((0, 0, 0), (255, 255, 255)))
    white = (indices > 0).astype("uint8")
    write_mask(tmp_path / "two.png", two.labels(white), two.palette())
    with Image.open(tmp_path / "two.png") as image:
        np.testing.assert_array_equal(np.asarray(image), white)
        np.testing.assert_array_equal(np.asarray(image.convert("L")), white * 255)
        image.remap_palette([1, 0]).save(tmp_path / "small.png", optimize=True, bits=1)
    again = read_label(tmp_path / "small.png")
    np.testing.assert_array_equal(two.indices(Survey().values(again, "x"), "x"), white)


def test_voc_colours():
    """Those of the development kit: aeroplane, bicycle, bird, void."""
    found = default_colours((0, 1, 2, 3, 255))
    assert found[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert found[4] == (224, 224, 192)
