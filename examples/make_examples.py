"""Make the example pictures from photographs that scikit-image has inside its package.

    python examples/make_examples.py [--output_dir DIR]

writes `sample_img.png` (224,224,3) and `samples.npy` (10,224,224,3), uint8 RGB. Nothing is
downloaded, and running it again gives the same pixels: crops are cut on whole pixels and reduced
by block means in whole numbers, and only lossless files are used.

The pictures are examples. Nothing may be trained, chosen or tuned on them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

SIDE = 224


class Crop(NamedTuple):
    """A square of a photograph: `SIDE * factor` pixels from (x, y), reduced `factor` times."""

    name: str
    source: str
    x: int
    y: int
    factor: int


#: Author and licence of each photograph, as the documentation of `skimage.data` has them.
LICENCES = {
    "astronaut": (
        "Eileen Collins, NASA Great Images database; no known copyright restrictions, "
        "released into the public domain"
    ),
    "brick": "CC0Textures (Bricks25); CC0",
    "camera": "Lav Varshney; no copyright restrictions, CC0 by the photographer",
    "chelsea": "Stefan van der Walt; no copyright restrictions, CC0 by the photographer",
    "coffee": (
        "Rachel Michetti, courtesy of Pikolo Espresso Bar; no copyright restrictions, "
        "CC0 by the photographer"
    ),
    "grass": "linolafett on DeviantArt (Grass 01); CC0",
    "gravel": "CC0Textures (Gravel04); CC0",
}

#: The rims of cup and saucer run through the hole.
SAMPLE = Crop("cup and saucer", "coffee", 300, 10, 1)

# From easy to hard: the order of the mean structure r of two fillings that know nothing of
# photographs, biharmonic and Telea, in the central 52 px hole (in brackets).
SAMPLES = (
    Crop("saucer, smooth shading", "coffee", 20, 40, 1),  # 0.99 (0.99, 0.99)
    Crop("rim of the saucer", "coffee", 370, 90, 1),  # 0.98 (0.98, 0.98)
    Crop("bridge of a cat's nose", "chelsea", 110, 50, 1),  # 0.92 (0.93, 0.90)
    Crop("space shuttle, upright stripes", "astronaut", 288, 0, 1),  # 0.91 (0.92, 0.90)
    Crop("edge of a coat", "camera", 30, 230, 1),  # 0.80 (0.88, 0.73)
    Crop("head of a photographer", "camera", 110, 30, 1),  # 0.76 (0.78, 0.73)
    Crop("nose and mouth", "astronaut", 110, 20, 1),  # 0.65 (0.66, 0.64)
    Crop("brick wall", "brick", 20, 250, 1),  # 0.26 (0.36, 0.16)
    Crop("gravel", "gravel", 30, 30, 2),  # 0.10 (0.12, 0.08)
    Crop("grass", "grass", 30, 30, 2),  # 0.04 (0.05, 0.02)
)


def cut(crop: Crop) -> np.ndarray:
    """Cut and reduce one crop.

    Parameters
    ----------
    crop : Crop
        What to cut.

    Returns
    -------
    array (SIDE,SIDE,3)
        uint8 RGB; grey photographs have three equal channels.

    Raises
    ------
    ValueError
        If the crop leaves the photograph.
    """
    import skimage.data

    photograph = getattr(skimage.data, crop.source)()
    if photograph.ndim == 2:
        photograph = np.repeat(photograph[..., None], 3, axis=-1)
    span = SIDE * crop.factor
    block = photograph[crop.y : crop.y + span, crop.x : crop.x + span]
    if block.shape != (span, span, 3):
        raise ValueError(f"{crop}: leaves its photograph, which has shape {photograph.shape}")
    cells = block.reshape(SIDE, crop.factor, SIDE, crop.factor, 3)
    total = cells.sum(axis=(1, 3), dtype="int64")  # (SIDE,SIDE,3)
    area = crop.factor**2
    return ((total + area // 2) // area).astype("uint8")


def main(arguments: list[str] | None = None) -> None:
    """Write both files."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output_dir", type=Path, default=Path(__file__).parent, help="default: beside this script"
    )
    folder = parser.parse_args(arguments).output_dir
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(cut(SAMPLE)).save(folder / "sample_img.png", optimize=True)
    np.save(folder / "samples.npy", np.stack([cut(crop) for crop in SAMPLES]))
    for where, crop in [
        ("sample_img.png", SAMPLE),
        *((f"samples.npy[{index}]", crop) for index, crop in enumerate(SAMPLES)),
    ]:
        print(f"{where}: {crop.name} (skimage.data.{crop.source}: {LICENCES[crop.source]})")


if __name__ == "__main__":
    main()
