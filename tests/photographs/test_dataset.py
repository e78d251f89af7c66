"""Photographs to train on: what is read, how crops are made, that a seed determines them."""

import colorsys
import logging

import numpy as np
import pytest
from PIL import Image

from unetpred.errors import InputError
from unetpred.holes.masks import hole_mask
from unetpred.photographs.augmentation import affine_colours, colour_matrix
from unetpred.photographs.dataset import (
    Photographs,
    at_least,
    at_most,
    central_crops,
    list_photographs,
    read_photograph,
    split,
)
from unetpred.photographs.loader import batches
from unetpred.photographs.pixel_store import PixelStore
from unetpred.runtime.prefetch import prefetch


def write(path, height=80, width=100, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype("uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(7):
        write(folder / f"{i}.png", 40 + 17 * i, 150 - 15 * i, i)
    return folder


@pytest.fixture(scope="module")
def files(folder):
    return list_photographs(folder)


# -- files --------------------------------------------------------------------------------------


def test_list_photographs(tmp_path):
    for name in ("b.JPG", "a/c.png", "a/.hidden.png", ".cache/x.png", "run/preview.png"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photograph")
    found = list_photographs(tmp_path, without=[tmp_path / "run"])
    assert [f.relative_to(tmp_path).as_posix() for f in found] == ["a/c.png", "b.JPG"]
    with pytest.raises(InputError, match="not a folder"):
        list_photographs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        list_photographs(tmp_path / "empty")


@pytest.mark.parametrize(
    ("count", "fraction", "expected"), [(2, 0.9, 1), (3, 0, 1), (100, 0.05, 5)]
)
def test_split_is_disjoint_complete_and_by_seed(tmp_path, count, fraction, expected):
    files = [tmp_path / str(i) for i in range(count)]
    training, held_out = split(files, fraction, 0)
    assert len(held_out) == expected and sorted(training + held_out) == sorted(files)
    assert split(files, fraction, 0) == (training, held_out)
    if count == 100:
        assert split(files, fraction, 1) != (training, held_out)


def test_one_photograph_cannot_be_split(tmp_path):
    with pytest.raises(InputError, match="val_dir"):
        split([tmp_path / "a.png"], 0.5, 0)


def test_read_photograph(tmp_path):
    pixels = write(tmp_path / "rgb.png", 20, 30)
    np.testing.assert_array_equal(read_photograph(tmp_path / "rgb.png"), pixels)
    grey = np.arange(400, dtype="uint16").reshape(20, 20) * 100
    Image.fromarray(grey).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(
        read_photograph(tmp_path / "deep.png"),
        np.repeat(np.round(grey / 257).astype("uint8")[..., None], 3, axis=-1),
    )
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_photograph(tmp_path / "turned.png"), np.rot90(pixels, -1))
    write(tmp_path / "thin.png", 3, 500)
    with pytest.raises(InputError, match=r"thin.*500x3 px"):
        read_photograph(tmp_path / "thin.png")


def test_values_out_of_range_are_no_photograph(tmp_path):
    """Clipped to 0..255 they would be white, and trained on or measured as such."""
    pixels = np.random.default_rng(0).random((20, 30, 3)).astype("float32")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "right.tif")
    expected = np.round(pixels[..., :1].repeat(3, axis=-1) * 255)
    np.testing.assert_array_equal(read_photograph(tmp_path / "right.tif"), expected)
    Image.fromarray(pixels[..., 0] * 300).save(tmp_path / "floats.tif")
    with pytest.raises(InputError, match=r"floats\.tif.*0\.\.1 or 0\.\.255 is needed"):
        read_photograph(tmp_path / "floats.tif")
    Image.fromarray((pixels[..., 0] * 30000).astype("int32")).save(tmp_path / "whole.tif")
    with pytest.raises(InputError, match=r"whole\.tif.*0\.\.255 is needed"):
        read_photograph(tmp_path / "whole.tif")


def test_transparency_is_warned_of_once(tmp_path, caplog):
    pixels = np.full((20, 30, 4), 100, "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for _ in range(2):
        np.testing.assert_array_equal(read_photograph(tmp_path / "a.png"), pixels[..., :3])
    assert caplog.text.count("alpha is ignored") == 1


def test_sizes():
    small = np.zeros((50, 100, 3), "uint8")
    assert at_least(small, 50) is small
    assert at_least(small, 64).shape == (64, 128, 3)
    assert at_most(small, 50) is small
    assert at_most(small, 20).shape == (20, 40, 3)


def test_central_crops(tmp_path, caplog):
    pixels = write(tmp_path / "a.png", 301, 260)
    write(tmp_path / "b.png", 60, 90)
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    crops = list(central_crops(list_photographs(tmp_path)))
    assert [file.name for file, _ in crops] == ["a.png", "b.png"]
    np.testing.assert_array_equal(crops[0][1], pixels[38:262, 18:242])
    assert crops[1][1].shape == (224, 224, 3)
    assert "c.png" in caplog.text


# -- colours ------------------------------------------------------------------------------------


def colours():
    return np.random.default_rng(0).uniform(0, 255, (50, 3))


def test_no_change_is_the_identity():
    matrix, offset = affine_colours()
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(offset, 0)


def test_no_saturation_is_luma():
    rgb = colours()
    matrix, offset = affine_colours(saturation=0)
    luma = rgb @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(rgb @ matrix.T + offset, np.stack([luma] * 3, -1), atol=1e-9)


def test_brightness_and_contrast():
    rgb = colours()
    matrix, offset = affine_colours(brightness=7, contrast=0.25)
    np.testing.assert_allclose(rgb @ matrix.T + offset, 0.25 * rgb + 0.75 * 127.5 + 7)


def test_hue_is_a_rotation_that_keeps_luma():
    rgb = colours()
    matrix, _ = affine_colours(turns=0.07)
    luma = [0.299, 0.587, 0.114]
    np.testing.assert_allclose(rgb @ matrix.T @ luma, rgb @ luma)
    back, _ = affine_colours(turns=-0.07)
    np.testing.assert_allclose(matrix @ back, np.eye(3), atol=1e-9)
    yiq = [colorsys.rgb_to_yiq(*pixel) for pixel in rgb / 255]
    turned = [colorsys.rgb_to_yiq(*pixel) for pixel in (rgb / 255) @ matrix.T]
    angle = np.angle([complex(*a[1:]) / complex(*b[1:]) for a, b in zip(turned, yiq, strict=True)])
    # colorsys has the same axes to three digits
    np.testing.assert_allclose(angle, 2 * np.pi * 0.07, atol=0.1)


def test_a_full_third_of_a_turn_leads_from_red_towards_blue():
    matrix, _ = affine_colours(turns=1 / 3)
    assert np.argmax(matrix @ [255, 0, 0]) == 2


def test_how_often_colours_change():
    maps = [colour_matrix(np.random.default_rng(seed)) for seed in range(2000)]
    grey = np.mean([np.allclose(m[0], m[1]) and np.allclose(m[0], m[2]) for m, _ in maps])
    assert grey == pytest.approx(0.5, abs=0.05)
    # luma is changed by contrast alone, and mid-grey by brightness alone
    factors = np.array([m.sum(axis=1)[0] for m, _ in maps])
    shifts = np.array([(m @ np.full(3, 127.5) + o - 127.5)[0] for m, o in maps])
    assert np.mean(np.isclose(factors, 1)) == pytest.approx(0.5, abs=0.05)
    assert 0 <= factors.min() < 0.05 and factors.max() < 1 + 1e-9
    assert np.mean(np.isclose(shifts, 0)) == pytest.approx(0.5, abs=0.05)
    assert -32 <= shifts.min() < -30 and 30 < shifts.max() <= 32


# -- batches ------------------------------------------------------------------------------------


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_is_a_function_of_seed_and_number(files):
    first = Photographs(files, 32, 4, seed=3)
    batches = [first.batch(step) for step in range(6)]
    again = Photographs(files, 32, 4, seed=3, cache=0)
    for step in (5, 0, 3):
        assert same(again.batch(step), batches[step])
    assert not same(batches[0], batches[1])
    assert not same(Photographs(files, 32, 4, seed=4).batch(0), batches[0])


def test_batches_ahead_are_the_same_and_in_order(files):
    photographs = Photographs(files, 32, 2)
    made = list(prefetch(photographs.batch, range(3, 15), workers=3))
    assert len(made) == 12
    for step, batch in zip(range(3, 15), made, strict=True):
        assert same(batch, photographs.batch(step))


def test_processes_make_the_batches_of_a_thread(files, tmp_path, caplog):
    """Each photograph is decoded once for all of them; broken ones are named once."""
    (tmp_path / "broken.png").write_text("no image")
    photographs = Photographs([*files, tmp_path / "broken.png"], 32, 4, patterns=0.2)
    wanted = [(step, step > 5) for step in range(12)]
    expected = [photographs.batch(*item) for item in wanted]
    caplog.clear()
    made = list(batches(photographs, iter(wanted), workers=2))
    assert len(made) == 12 and all(map(same, made, expected))
    assert [r.getMessage().count("broken.png") for r in caplog.records] == [1]
    with pytest.raises(InputError, match="none of its 1 photographs"):
        list(batches(Photographs([tmp_path / "broken.png"], 32, 1), iter(wanted), workers=2))


def test_store_of_decoded_photographs():
    pictures = [np.random.default_rng(i).integers(0, 256, (4 + i, 5, 3), "uint8") for i in range(3)]
    store = PixelStore(3, sum(p.nbytes for p in pictures[:2]))
    assert store.get(0) is None
    for i, picture in enumerate(pictures):
        store.put(i, picture)
    other = PixelStore(3, store.limit, store.descriptor)  # as another process opens it
    for i in range(2):
        np.testing.assert_array_equal(other.get(i), pictures[i])
    assert other.get(2) is None  # no room was left


def test_crops_that_a_run_ends_on(tmp_path):
    """Parts of the photographs as they are, mirrored or not, most with the hole of the score."""
    pixels = write(tmp_path / "a.png", 70, 80)
    photographs = Photographs([tmp_path / "a.png"], 64, 60, augmentation="vivid", patterns=0.5)
    batch = photographs.batch(0, final=True)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (64, 64), axis=(0, 1))
    windows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 64, 64, 3)
    everywhere = {view.tobytes() for w in windows for view in (w, w[:, ::-1])}
    drawn = sum(crop.tobytes() not in everywhere for crop in batch.images)
    assert drawn == batch.files.count("a pattern") < 10
    score = hole_mask((64, 64), 48)[..., None]  # a quarter of the crop is margin
    assert 0.6 < np.mean([np.array_equal(mask, score) for mask in batch.masks]) < 0.95


def test_every_photograph_once_a_pass(files):
    photographs = Photographs(files, 32, len(files))
    passes = [photographs.batch(step).files for step in range(3)]
    assert all(sorted(names) == sorted(map(str, files)) for names in passes)
    assert passes[0] != passes[1]


def test_form_of_a_batch(files):
    batch = Photographs(files, 64, 5, window=(16, 16, 48, 48)).batch(0)
    assert batch.images.shape == (5, 64, 64, 3) and batch.images.dtype == np.uint8
    assert batch.masks.shape == (5, 64, 64, 1)
    assert (batch.masks == 0).any(axis=(1, 2, 3)).all()
    batch.masks[:, 16:48, 16:48] = 1
    assert batch.masks.all()


def test_crops_are_parts_of_the_photographs(tmp_path):
    pixels = write(tmp_path / "a.png", 40, 50)
    photographs = Photographs([tmp_path / "a.png"], 32, 8, zoom=1, augmentation="none")
    places = set()
    for crop in photographs.batch(0).images:
        found = [
            (y, x)
            for y in range(9)
            for x in range(19)
            if np.array_equal(crop, pixels[y : y + 32, x : x + 32])
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 1


def test_corrupt_photographs_are_named_once_and_replaced(tmp_path, caplog):
    for i in range(4):
        write(tmp_path / f"{i}.png", seed=i)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2.png").write_text("no image")
    files = list_photographs(tmp_path)
    with caplog.at_level(logging.WARNING):
        made = list(prefetch(Photographs(files, 32, 4).batch, range(8), workers=4))
    names = {name for batch in made for name in batch.files}
    assert names == {str(tmp_path / "0.png"), str(tmp_path / "3.png")}
    for name in ("1.png", "2.png"):
        assert sum(name in record.getMessage() for record in caplog.records) == 1
    assert len(caplog.records) == 2
    # whatever was found broken before, a batch is the same
    assert same(Photographs(files, 32, 4).batch(5), made[5])


def test_nothing_can_be_read(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match="none of its 1 photographs"):
        Photographs([tmp_path / "a.png"], 32, 1).batch(0)


def test_vivid_colours_are_seldom_pale():
    saturations = {}
    for kind in ("upstream", "vivid"):
        maps = [colour_matrix(np.random.default_rng(seed), kind)[0] for seed in range(1000)]
        red = np.array([matrix @ [255.0, 0, 0] for matrix in maps])  # (1000,3)
        saturations[kind] = np.ptp(red, axis=1)
    assert np.mean(saturations["upstream"] < 1) > 0.45
    assert np.mean(saturations["vivid"] < 1) < 0.15
    assert np.median(saturations["vivid"]) > 200 > np.median(saturations["upstream"])
