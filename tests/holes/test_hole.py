"""Typed values check themselves, and say in words what they are."""

import dataclasses

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.holes.contexts import Context
from unetpred.holes.hole import Hole
from unetpred.holes.masks import hole_mask
from unetpred.holes.own_masks import Masks
from unetpred.holes.scenes import Place, Scenes
from unetpred.holes.sites import Sites


def test_a_hole_says_what_it_is():
    assert Hole() == Hole(52, "square", None, "px") and Hole().size == 52
    assert str(Hole(40, "disc", (3, 4))) == "disc of 40 px, at (3, 4)"
    assert str(Hole(1.5, units="deg")) == "square of 1.5 deg, centred"
    assert Hole(1.5, units="deg").in_pixels(21) == Hole(32)  # 31.5, and halves go up
    assert Hole([20, 30]).in_pixels() == Hole((20, 30)) and len({Hole([20, 30]), Hole(20)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Hole().size = 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "`size` 0: a number above 0"),
        ({"size": float("nan")}, "`size` nan: a number above 0"),
        ({"size": "large"}, "`size` 'large': a number above 0"),
        ({"size": 2.5}, "`size` 2.5: whole pixels"),
        ({"size": ()}, "`size`: is empty"),
        ({"shape": "star"}, "`shape` 'star': square or disc"),
        ({"units": "cm"}, "`units` 'cm': px or deg"),
        ({"center": (1.5, 2)}, "`center` (1.5, 2): two whole numbers"),
        ({"center": 3}, "`center` 3: two whole numbers"),
    ],
)
def test_a_hole_that_is_none(given, message):
    with pytest.raises(InputError) as error:
        Hole(**given)
    assert message in str(error.value)


def test_contexts():
    assert (Context().side, Context(90).side, Context("90").side) == (None, 90, 90)
    assert str(Context()) == "full image" and str(Context(90)).startswith("crop of 90x90 px")
    for wrong in (83, "wide", 90.5, float("inf"), None):
        with pytest.raises(InputError, match="`context`"):
            Context(wrong)


def test_scenes_refuse_what_contradicts(tmp_path):
    mask, sites = Masks(hole_mask((90, 90), 20)), Sites(tmp_path / "s.csv")
    for given, message in (
        ({"hole": Hole(), "masks": mask}, "`mask` gives the whole hole"),
        ({"masks": mask, "sites": sites}, "`sites` says where holes are"),
        ({"hole": Hole(center=(1, 2)), "sites": sites}, "`sites` says where holes are"),
        ({"hole": Hole((20, 30))}, "one size is right"),
        ({"hole": Hole(2, units="deg")}, "needs `pixels_per_degree`"),
        ({"pixels_per_degree": -1}, "a number above 0"),
    ):
        with pytest.raises(InputError, match=message):
            Scenes(**given)


def test_a_scene_is_the_crop_around_the_hole():
    image = np.random.default_rng(0).uniform(0, 255, (100, 120, 3)).astype("float32")
    scene = Scenes(Hole(20, center=(10, 50)), context=Context(84)).scene(image, 0)
    assert (scene.top, scene.left, scene.pixels.shape) == (8, -32, (84, 84, 3))
    np.testing.assert_array_equal(scene.pixels[:, 32:], image[8:92, :52])
    assert (scene.visible[:, :32] == 0).all() and (scene.hole[:, :32] == 1).all()
    rows, columns = np.nonzero(scene.hole == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 51, 32, 51)
    placed = Scenes(context=Context(84)).scene(image, 0, Place(10, 50, 20))
    np.testing.assert_array_equal(placed.hole, scene.hole)


def test_masks_of_a_folder(tmp_path):
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, hole_mask((90, 90), 20))
    masks = Masks(tmp_path)
    assert (masks.of("x/b.png", 7, (90, 90)) == 0).sum() == 400
    with pytest.raises(InputError, match=r"has no mask of this image; c\.png"):
        masks.of("c.tif", 0, (90, 90))
    before = str(masks)
    np.save(tmp_path / "b.npy", hole_mask((90, 90), 22))
    assert str(Masks(tmp_path)) != before  # resuming goes by what is in them
    np.savez(tmp_path / "b.npz", 1)  # is none
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"b\.npy and b\.png could both"):
        Masks(tmp_path)
    for wrong in (np.ones((90, 90)), np.zeros((90, 90)), np.array(["a", "b"]), tmp_path / "no"):
        with pytest.raises(InputError):
            Masks(wrong)
