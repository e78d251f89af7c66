"""Drawn cells: bright discs with dark borders on a noisy ground, and their labels."""

import numpy as np
from PIL import Image


def cells(seed, height=72, width=80, count=6):
    """An image (H,W) uint8 of cells, and its label (H,W) uint8: 1 in cells."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    label = np.zeros((height, width), np.uint8)
    image = rng.normal(90, 12, (height, width))
    for _ in range(count):
        radius = rng.uniform(6, 12)
        distance = np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width))
        inside = distance < radius
        image[inside] = rng.normal(170, 12, inside.sum())
        image[(distance >= radius - 2) & (distance < radius + 1)] = 40
        label[inside] = 1
        label[(distance >= radius - 1) & (distance < radius + 1)] = 0
    return np.clip(image, 0, 255).astype("uint8"), label


def write_cells(folder, count=4, **more):
    """Folders image/ and label/ of cells, labels 0 and 255."""
    for name in ("image", "label"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image, label = cells(index, **more)
        Image.fromarray(image).save(folder / "image" / f"{index}.png")
        Image.fromarray(label * 255).save(folder / "label" / f"{index}.png")
    return folder


def palette(colours):
    """A palette (256,3) that begins with these colours."""
    found = np.zeros((256, 3), np.uint8)
    found[: len(colours)] = colours
    return found


def write_indexed(path, label, colours):
    """A png with a palette, by other code than the package's."""
    image = Image.fromarray(label, "L")
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    image.save(path)
