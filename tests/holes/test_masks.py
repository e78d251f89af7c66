"""Holes and masks against counts and loops."""

import logging
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from unetpred.errors import InputError
from unetpred.holes.masks import check_mask, hole_box, hole_boxes, hole_mask, load_mask


@pytest.mark.parametrize("size", [(224, 224), (225, 301), (84, 97)])
@pytest.mark.parametrize("hole", [1, 2, 51, 52])
def test_square_covers_what_the_convention_says(size, hole):
    height, width = size
    x, y = width // 2, height // 2
    mask = hole_mask(size, hole)
    assert mask.dtype == np.float32 and mask.shape == size
    rows, columns = np.nonzero(mask == 0)
    assert set(rows) == set(range(y - hole // 2, y - hole // 2 + hole))
    assert set(columns) == set(range(x - hole // 2, x - hole // 2 + hole))
    assert (mask == 0).sum() == hole**2 and (mask == 1).sum() == mask.size - hole**2
    top, left, bottom, right = hole_box(size, hole)
    assert not mask[top:bottom, left:right].any()
    assert (bottom - top, right - left) == (hole, hole)


def test_default_hole_is_the_published_one():
    expected = np.ones((224, 224))
    expected[86:138, 86:138] = 0
    np.testing.assert_array_equal(hole_mask((224, 224)), expected)


def test_centre_is_x_then_y():
    assert hole_box((100, 200), 5, (150, 20)) == (18, 148, 23, 153)
    assert hole_box((100, 200), 4, (150, 20)) == (18, 148, 22, 152)
    mask = hole_mask((100, 200), 5, center=(150, 20))
    assert mask[20, 150] == 0 and mask[18, 148] == 0 and mask[23, 153] == 1


@pytest.mark.parametrize("hole", [1, 2, 3, 4, 7, 26, 51, 52])
def test_disc_by_a_loop(hole):
    size, (x, y) = (90, 100), (45, 50)
    expected = np.ones(size)
    middle_y, middle_x = y - hole // 2 + (hole - 1) / 2, x - hole // 2 + (hole - 1) / 2
    for row in range(size[0]):
        for column in range(size[1]):
            if (row - middle_y) ** 2 + (column - middle_x) ** 2 <= (hole / 2) ** 2:
                expected[row, column] = 0
    mask = hole_mask(size, hole, "disc", (x, y))
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.float32
    assert hole_boxes(mask) == [hole_box(size, hole, (x, y))]


def test_disc_has_the_area_of_a_disc():
    missing = (hole_mask((300, 300), 200, "disc") == 0).sum()
    assert missing == pytest.approx(np.pi * 100**2, rel=0.01)


@pytest.mark.parametrize(
    "hole, center, fits",
    [
        (52, (26, 26), True),
        (52, (25, 26), False),
        (52, (74, 64), True),
        (52, (75, 64), False),
        (52, (74, 65), False),
        (51, (25, 25), True),
        (51, (24, 25), False),
        (91, None, False),
    ],
)
def test_hole_must_fit(hole, center, fits):
    size = (90, 100)
    if fits:
        assert (hole_mask(size, hole, center=center) == 0).sum() == hole**2
    else:
        for shape in ("square", "disc"):
            with pytest.raises(InputError) as error:
                hole_mask(size, hole, shape, center)
            assert f"{hole} px" in str(error.value) and "100x90" in str(error.value)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("hole", [0, -3, 5.5, "5"])
def test_size_must_be_a_positive_whole_number(hole):
    with pytest.raises(InputError, match=str(hole)):
        hole_mask((90, 100), hole)


def test_other_arguments_are_checked():
    with pytest.raises(InputError, match="'ring'"):
        hole_mask((90, 100), 5, "ring")
    with pytest.raises(InputError, match=r"2\.5"):
        hole_mask((90, 100), 5, center=(2.5, 20))
    assert hole_box((90, 100), np.int64(4), (np.int32(50), np.uint8(40))) == (38, 48, 42, 52)


def test_hole_boxes_join_corners_and_come_in_reading_order():
    mask = np.ones((20, 30))
    mask[10:12, 20:25] = 0
    mask[10:13, 3:5] = 0
    mask[1, 28] = 0
    mask[2, 27] = 0  # touches the one above by a corner
    mask[15, 7] = mask[15, 9] = 0  # one visible pixel between them
    expected = [(1, 27, 3, 29), (10, 3, 13, 5), (10, 20, 12, 25), (15, 7, 16, 8), (15, 9, 16, 10)]
    assert hole_boxes(mask) == expected
    assert hole_boxes(np.ones((5, 6))) == []
    assert hole_boxes(np.zeros((5, 6))) == [(0, 0, 5, 6)]


@pytest.fixture
def expected():
    visible = np.random.default_rng(3).random((90, 101)) > 0.3
    return visible.astype(np.float32)


@pytest.mark.parametrize("kind", ["1", "L", "RGB", "RGBA", "LA", "P", "I;16"])
def test_mask_from_an_image(tmp_path, expected, kind):
    values = np.where(expected, 1, 0).astype(np.uint8)  # 1 is as visible as 255
    blue = np.dstack([values * 0, values * 0, values])
    image = {
        "1": lambda: Image.fromarray(values > 0),
        "L": lambda: Image.fromarray(values),
        "RGB": lambda: Image.fromarray(blue),
        "RGBA": lambda: Image.fromarray(np.dstack([blue, 255 * (1 - values)])),
        "LA": lambda: Image.fromarray(np.dstack([values, 255 * (1 - values)])),
        "P": lambda: Image.fromarray(blue * 255).quantize(2),
        "I;16": lambda: Image.fromarray(values.astype(np.uint16)),
    }[kind]()
    image.save(tmp_path / "m.png")
    mask = load_mask(tmp_path / "m.png")
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    "dtype, value",
    [
        ("bool", 1),
        ("uint8", 1),
        ("uint8", 255),
        ("int64", -1),
        (">i2", 255),
        ("float16", -1),
        ("float32", 0.25),
        ("float64", 1e-300),
    ],
)
def test_mask_from_an_array(tmp_path, expected, dtype, value):
    np.save(tmp_path / "m.npy", (expected.astype(float) * value).astype(dtype))
    mask = load_mask(tmp_path / "m.npy")
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, expected)


def test_masks_of_every_shape(tmp_path, expected):
    stack = np.stack([expected, 1 - expected])
    for name, values, wanted in [
        ("hw1", expected[..., None], expected),
        ("hw3", np.dstack([expected * 0, expected, expected * 0]), expected),
        ("hw4", np.dstack([expected] * 3 + [np.ones_like(expected)]), expected),
        ("nhw", stack, stack),
        ("1hw", stack[:1], stack[:1]),
        ("nhw1", stack[..., None], stack),
        ("nhw3", stack[..., None] * [0, 0, 7], stack),
    ]:
        np.save(tmp_path / f"{name}.npy", values)
        mask = load_mask(str(tmp_path / f"{name}.npy"))
        assert mask.shape == wanted.shape, name
        np.testing.assert_array_equal(mask, wanted, err_msg=name)


def test_blurred_mask_is_warned_of(tmp_path, caplog, expected):
    with caplog.at_level(logging.WARNING, logger="unetpred"):
        values = (expected * 255).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / "m.png")
        load_mask(tmp_path / "m.png")
        assert not caplog.records
        Image.fromarray(values).save(tmp_path / "m.jpg", quality=60)
        load_mask(tmp_path / "m.jpg")
    assert "m.jpg: has more than two values" in caplog.text


def object_array():
    array = np.empty((90, 101), object)
    array[:] = None
    return array


@pytest.mark.parametrize(
    "values, named",
    [
        (np.full((90, 101), np.nan), "NaN"),
        (np.full((2, 90, 101), np.inf), "mask 0: has NaN"),
        (object_array(), "never unpickled"),
        (np.ones(90), "shape (90,)"),
        (np.ones((1, 2, 90, 101, 1)), "shape (1, 2, 90, 101, 1)"),
        (np.ones((90, 101, 2)), "2 channels"),
        (np.ones((90, 101), complex), "real numbers"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, values, named):
    np.save(tmp_path / "m.npy", values)
    with pytest.raises(InputError) as error:
        load_mask(tmp_path / "m.npy")[0]  # of a stack, each is read when it is asked for
    assert named in str(error.value) and str(tmp_path / "m.npy") in str(error.value)


def test_bad_files_are_refused(tmp_path):
    for name in ("m.png", "m.npy", "m.txt"):
        with pytest.raises(InputError, match=f"{name}: no such file"):
            load_mask(tmp_path / name)
        (tmp_path / name).write_text("text")
        with pytest.raises(InputError, match=name) as error:
            load_mask(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"image .* or a \.npy"):
        load_mask(tmp_path)


def test_check_mask():
    mask = hole_mask((90, 100), 20)
    check_mask(mask, (90, 100), "m.png")
    with pytest.raises(InputError) as error:
        check_mask(mask, (100, 90), "m.png")
    assert all(part in str(error.value) for part in ("m.png", "100x90", "90x100"))
    with pytest.raises(InputError, match=r"m\.png: .*\(2, 90, 100\)"):
        check_mask(np.stack([mask] * 2), (90, 100), "m.png")
    with pytest.raises(InputError, match=r"m\.png: nothing is hidden"):
        check_mask(np.ones((90, 100)), (90, 100), "m.png")
    with pytest.raises(InputError, match=r"m\.png: nothing is visible"):
        check_mask(np.zeros((90, 100)), (90, 100), "m.png")


def test_a_stack_is_not_held_in_memory(tmp_path, rng):
    masks = rng.integers(0, 2, (400, 128, 128, 3), dtype=np.uint8)  # 19 MB; 26 MB in float32
    np.save(tmp_path / "m.npy", masks)
    tracemalloc.start()
    stack = load_mask(tmp_path / "m.npy")
    seen = [stack[i].sum() for i in range(len(stack))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6
    np.testing.assert_array_equal(seen, masks.any(axis=-1).sum(axis=(1, 2)))
