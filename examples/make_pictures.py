"""Make the pictures of the README: a filled-in photograph, a map, and a hole through stripes.

    python examples/make_pictures.py [--output_dir DIR] [--weights NAME|FILE]

writes `examples_sample_img_filled.png`, `map.png` and `stripes.png`, with the shipped weights and
photographs that scikit-image has inside its package. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


def stripes(side: int = 224, period: float = 18.0, angle: float = 30.0) -> np.ndarray:
    """A sinusoidal grating.

    Parameters
    ----------
    side : int
        Of the image, px.
    period : float
        Of the grating, px.
    angle : float
        Of the direction across the stripes, degrees from the rows of the image.

    Returns
    -------
    array (side,side,3)
        uint8 RGB, of three equal channels.
    """
    rows, columns = np.mgrid[:side, :side]
    across = columns * np.cos(np.radians(angle)) + rows * np.sin(np.radians(angle))
    grey = np.rint(127.5 + 100 * np.sin(2 * np.pi * across / period))
    return np.repeat(grey[..., None], 3, axis=-1).astype("uint8")


def main(arguments: list[str] | None = None) -> None:
    """Write the pictures."""
    sys.path.insert(0, str(ROOT))  # the clone, where unetpred is not installed
    from unetpred.backends.keras_import import import_keras

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, default=ROOT / "docs", help="default: docs/")
    parser.add_argument("--weights", help="weights; the shipped default if not given")
    parser.add_argument("--stride", type=int, default=16, help="of the map, px (default: 16)")
    args = parser.parse_args(arguments)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    import_keras()

    import skimage.data
    from PIL import Image

    from unetpred import Predictor, predictability_map
    from unetpred.holes.masks import DEFAULT_HOLE, hole_mask
    from unetpred.plots import map_overlay, save, triptych

    predictor = Predictor(args.weights)
    sample = np.asarray(Image.open(ROOT / "examples/sample_img.png").convert("RGB"))
    for name, image in (("examples_sample_img_filled", sample), ("stripes", stripes())):
        result = predictor(image[None])
        figure = triptych(
            image, hole_mask(image.shape[:2]), result.filled[0],
            f"structure {result.structure[0]:.3f}",
        )  # fmt: skip
        save(figure, args.output_dir / f"{name}.png")
    # grey: on saturated colours any filling of about that colour scores high
    scene = np.repeat(skimage.data.camera()[..., None], 3, axis=-1)
    result = predictability_map(scene, stride=args.stride, predictor=predictor)
    save(map_overlay(scene, result, mask_size=DEFAULT_HOLE), args.output_dir / "map.png")


if __name__ == "__main__":
    main()
