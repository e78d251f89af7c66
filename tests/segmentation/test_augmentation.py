"""Image and label are deformed alike; labels are never interpolated."""

import numpy as np
import pytest
from cells import cells

from unetpred.segmentation.data.augmentation import Augmentation, warp
from unetpred.segmentation.data.borders import border_weights
from unetpred.segmentation.data.classes import IGNORED


def test_crops_without_augmentation_are_parts(rng):
    image = rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    label = rng.integers(0, 5, (70, 90), dtype=np.uint8)
    places = set()
    for seed in range(20):
        crop = Augmentation("none").crop(np.random.default_rng(seed), 32, image, label)
        found = [
            (y, x)
            for y in range(39)
            for x in range(59)
            if (label[y : y + 32, x : x + 32] == crop.label).all()
        ]
        assert len(found) == 1
        ((y, x),) = found
        np.testing.assert_array_equal(crop.image, image[y : y + 32, x : x + 32])
        places.add((y, x))
    assert len(places) > 15


@pytest.mark.parametrize("kind", ["upright", "turned"])
def test_mirrors_and_turns_are_whole_pixels(rng, kind):
    """With nothing but symmetries a crop as large as the image is one of its mirror images."""
    image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    label = image[..., 0] // 64
    mirrored = [image[:, ::step] for step in (1, -1)]
    every = [np.rot90(part, k) for part in mirrored for k in range(4)]
    expected = every if kind == "turned" else mirrored
    seen = set()
    for seed in range(60):
        augmentation = Augmentation(kind, elastic=0, scale=1, contrast=0)
        crop = augmentation.crop(np.random.default_rng(seed), 32, image, label)
        (match,) = [i for i, part in enumerate(expected) if (part == crop.image).all()]
        np.testing.assert_array_equal(crop.label, crop.image[..., 0] // 64)
        seen.add(match)
    assert seen == set(range(len(expected)))


def test_labels_are_nearest_and_follow_the_image(rng):
    """A picture whose levels are its label: deformed, they differ at the borders alone."""
    coarse = rng.integers(0, 2, (12, 12), dtype=np.uint8)
    label = coarse.repeat(16, 0).repeat(16, 1)
    image = np.repeat((label * 60)[..., None], 3, -1)
    for seed in range(5):
        crop = Augmentation("turned", contrast=0).crop(
            np.random.default_rng(seed), 128, image, label
        )
        assert set(np.unique(crop.label)) <= {0, 1, IGNORED}
        inside = crop.label != IGNORED
        near = np.abs(crop.image[..., 0].astype(int) - 60 * crop.label.astype(int)) <= 30
        assert near[inside].mean() > 0.99


def test_elastic_deformation_is_of_the_published_strength():
    """Displacements of the grid's points: normal with the given deviation, smooth in between."""
    augmentation = Augmentation("upright", elastic=10, scale=1, contrast=0)
    moves = []
    for seed in range(400):
        _, y = augmentation.places(np.random.default_rng(seed), 65, (65, 65))
        moves.append(y[::32, ::32] - np.arange(65)[::32, None])
        assert np.abs(np.diff(y, 2, axis=0)).max() < 0.2
    moves = np.array(moves)
    assert abs(moves.std() - 10) < 0.5 and abs(moves.mean()) < 0.5
    # the nine points move independently
    table = np.corrcoef(moves.reshape(400, 9).T) - np.eye(9)
    assert np.abs(table).max() < 0.2


def test_beyond_the_border_nothing_counts(rng):
    image = rng.integers(0, 256, (20, 50, 3), dtype=np.uint8)
    label = np.ones((20, 50), np.uint8)
    crop = Augmentation("none").crop(rng, 32, image, label)
    rows = (crop.label != IGNORED).any(1)
    assert rows.sum() == 20 and (crop.label[rows] == 1).all()
    first = rows.argmax()
    np.testing.assert_array_equal(crop.image[first - 1], crop.image[first + 1])  # mirrored


def test_images_larger_than_opencv_addresses():
    label = np.zeros((40, 40000), np.uint8)
    label[:, 35000:] = 3
    image = np.repeat(label[..., None], 3, -1)
    y, x = np.mgrid[:32, 34990:35022].astype("float32")
    crop = warp(image, label, x, y)
    np.testing.assert_array_equal(crop.label, label[:32, 34990:35022])


def test_the_same_seed_gives_the_same_crop(rng):
    image, label = cells(0)
    image = np.repeat(image[..., None], 3, -1)
    a, b = (
        Augmentation("turned").crop(np.random.default_rng(3), 64, image, label) for _ in range(2)
    )
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.label, b.label)


def test_border_weights_are_equation_2():
    """Against distances to every cell, computed one by one."""
    label = np.zeros((40, 50), np.uint8)
    label[5:20, 4:18] = label[5:22, 21:40] = label[25:36, 10:30] = 1
    label[0, :10] = IGNORED
    found = border_weights(label, 10, 5)
    cells_of = [np.argwhere(part) for part in (np.zeros_like(label, bool) for _ in range(3))]
    boxes = [np.s_[5:20, 4:18], np.s_[5:22, 21:40], np.s_[25:36, 10:30]]
    for number, box in enumerate(boxes):
        part = np.zeros(label.shape, bool)
        part[box] = True
        cells_of[number] = np.argwhere(part)
    for y, x in [(10, 19), (22, 15), (23, 25), (39, 49), (5, 41), (30, 5), (10, 10), (0, 5)]:
        first, second = sorted(np.sqrt(((p - (y, x)) ** 2).sum(1)).min() for p in cells_of)[:2]
        expected = 1 + 10 * np.exp(-((first + second) ** 2) / 50) * (label[y, x] == 0)
        assert found[y, x] == pytest.approx(expected, rel=1e-5)
    assert (border_weights(np.zeros((5, 5))) == 1).all()
