"""Make what the model card shows of the examples: a table, a gallery, and the training curves.

    python examples/make_card.py [--weights NAME|FILE] [--history history.csv] [--output_dir DIR]

prints the table of `weights/README.md` and writes `NAME_examples.png` and, of the history of a run,
`NAME_curves.png`, where NAME is that of the weights.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
SIMPLE = {"biharmonic": "biharmonic", "telea": "Telea", "harmonic": "harmonic"}


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write the pictures."""
    sys.path.insert(0, str(ROOT))  # the clone, where unetpred is not installed
    from unetpred.backends.keras_import import import_keras

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--weights", help="weights; the shipped default if not given")
    add("--name", help="what the pictures' names begin with, if not the name of the weights")
    add("--history", type=Path, help="history.csv of the run that made the weights")
    add("--baseline", action="append", default=[], metavar="NAME=R,L1",
        help="a dashed line in the curves, repeatable; of the same photographs")  # fmt: skip
    add("--output_dir", type=Path, default=ROOT / "weights", help="default: weights/")
    args = parser.parse_args(arguments)
    import_keras()
    from PIL import Image

    from unetpred import Predictor
    from unetpred.fillings.simple import BASELINES
    from unetpred.holes.masks import hole_box, hole_mask
    from unetpred.io.registry import find_weights
    from unetpred.plots import gallery, save, training_curves
    from unetpred.plots.pictures import HOLE_GREY
    from unetpred.scoring.content import contents
    from unetpred.scoring.scores import structure

    stem = args.name or find_weights(args.weights)[0]

    sample = np.asarray(Image.open(ROOT / "examples/sample_img.png").convert("RGB"))
    more = np.load(ROOT / "examples/samples.npy")
    images = np.concatenate([sample[None], more]).astype("float32")
    names = ["sample_img.png", *(f"samples.npy, {i}" for i in range(len(more)))]
    mask = hole_mask(images.shape[1:3])
    top, left, bottom, right = hole_box(images.shape[1:3])
    patch = np.s_[..., top:bottom, left:right, :]
    predictor = Predictor(args.weights)
    filled = predictor(images).filled
    rows, shown = [], []  # per image: r of all fillings, then L1 of all, then content
    for image, ours, name in zip(images, filled, names, strict=True):
        fillings = [ours, *(BASELINES[key](image, mask) for key in SIMPLE)]
        r = [structure(one, image, mask).value for one in fillings]
        l1 = [np.abs(one - image)[mask == 0].mean() for one in fillings]
        patches = [one[patch][None].astype("float32") for one in fillings]
        distances = contents(patches, image[patch][None], predictor.vgg())
        rows.append([*r, *l1, *(float(one.total[0]) for one in distances)])
        masked = np.where(mask[..., None] == 0, HOLE_GREY, image)
        scored = [(one, f"r {value:.2f}") for one, value in zip(fillings, r, strict=True)]
        shown.append([(image, name.removesuffix(".png")), (masked, ""), *scored])

    methods = ["unetpred", *SIMPLE.values()]
    scores = {"r": 3, "L1": 1, "content": 3}  # and their decimals
    heads = [f"{method} {score}" for score in scores for method in methods]
    decimals = [number for number in scores.values() for _ in methods]
    table = [f"| picture | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    means = {"**mean**": np.mean(rows, axis=0), "mean of samples.npy": np.mean(rows[1:], axis=0)}
    for name, row in [*zip(names, rows, strict=True), *means.items()]:
        cells = [f"{value:.{number}f}" for value, number in zip(row, decimals, strict=True)]
        bold = "**" if name.startswith("**") else ""
        table.append(f"| {name} | " + " | ".join(f"{bold}{cell}{bold}" for cell in cells) + " |")
    sys.stdout.write("\n".join(table) + "\n")

    titles = ["original", "masked", *methods]
    save(gallery(shown, titles, side=160), args.output_dir / f"{stem}_examples.png")
    if args.history:
        with args.history.open(newline="") as file:
            history = list(csv.DictReader(file))
        lines = {}
        for given in args.baseline:
            name, _, values = given.partition("=")
            lines[name] = dict(zip(("structure", "l1"), map(float, values.split(",")), strict=True))
        curves = training_curves(history, lines)
        save(curves, args.output_dir / f"{stem}_curves.png")


if __name__ == "__main__":
    main()
