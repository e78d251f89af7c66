"""Where are the networks ahead of a soap film, and where not? On photographs that everybody has.

    python examples/outside_photographs.py [--photographs DIR] [--output_dir DIR]

scores up to twelve places in each photograph that scikit-image and scikit-learn bring along, which
no training has seen, or the middle of each photograph of a folder. It prints the tables of
`weights/README.md` and, of the former, draws the places where `full` is most ahead of the harmonic
filling and most behind.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas

ROOT = Path(__file__).parents[1]
#: Drawings, silhouettes, microscopes, telescopes and pictures of text are left away.
BUNDLED = {
    "skimage/data": (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
        "grass.png", "gravel.png", "motorcycle_left.png", "rocket.jpg", "clock_motion.png",
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
WEIGHTS = ("full", "lite")
CONTEXT, HOLE, COLUMNS, ROWS = 224, 52, 4, 3
SMOOTH = 0.03  # RMS contrast of the frame and the hole, luminance 0..1
ORIENTED = 0.35  # coherence of the structure tensor over both
SHOWN = 10


def bundled() -> list[Path]:
    """Give the photographs that are installed."""
    files = []
    for folder, names in BUNDLED.items():
        found = importlib.util.find_spec(folder.partition("/")[0])
        if found is None or found.origin is None:
            sys.stderr.write(f"{folder}: not installed, left away\n")
            continue
        files += [Path(found.origin).parents[1] / folder / name for name in names]
    return [file for file in files if file.is_file()]


def places(files: list[Path]) -> pandas.DataFrame:
    """Give a grid of places whose context lies within the photograph: image, x, y."""
    from PIL import Image

    rows = []
    for file in files:
        width, height = Image.open(file).size
        half = CONTEXT // 2
        xs = np.unique(np.linspace(half, width - half, COLUMNS).astype(int))
        ys = np.unique(np.linspace(half, height - half, ROWS).astype(int))
        rows += [{"image": str(file), "x": x, "y": y} for y in ys for x in xs]
    return pandas.DataFrame(rows)


def middles(folder: Path) -> pandas.DataFrame:
    """Give the middle of each photograph of a folder: image, x, y."""
    from PIL import Image

    from unetpred.images.folders import image_files

    rows = []
    for file in image_files(folder):
        width, height = Image.open(file).size
        rows.append({"image": str(file), "x": width // 2, "y": height // 2})
    return pandas.DataFrame(rows)


def crop(place: pandas.Series, side: int) -> np.ndarray:
    """Give what surrounds a place, (side,side,3) RGB 0..255."""
    from unetpred.images.sources import list_sources

    image = list_sources([place["image"]])[0].sources[0].load()
    top, left = int(place["y"]) - side // 2, int(place["x"]) - side // 2
    return image[top : top + side, left : left + side]


def kind(place: pandas.Series) -> str:
    """Say what a place is like, from the hole and the frame of its own width around it."""
    from skimage.feature import structure_tensor

    from unetpred.scoring.covariates import luminance, rms_contrast

    around = crop(place, 2 * HOLE)
    if rms_contrast(around) < SMOOTH:
        return "smooth"
    # the tensor of the whole part: its sums, not a map of it
    rr, rc, cc = (part.sum() for part in structure_tensor(luminance(around), sigma=1, order="rc"))
    coherence = np.hypot(rr - cc, 2 * rc) / (rr + cc)
    return "one orientation" if coherence > ORIENTED else "texture and mixed"


def interval(values: np.ndarray, groups: np.ndarray, draws: int = 2000) -> str:
    """Give the mean, and its 95 % bootstrap interval over photographs."""
    names = np.unique(groups)
    sums = np.array([values[groups == name].sum() for name in names])
    counts = np.array([(groups == name).sum() for name in names])
    drawn = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), (0.025, 0.975))
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def report(table: pandas.DataFrame) -> str:
    """Put the tables together, as markdown."""
    known = table.dropna(subset=[*(f"structure_{name}" for name in WEIGHTS), "structure_harmonic"])
    groups = known["image"].to_numpy()
    lines = [
        f"{len(known)} places in {len(np.unique(groups))} photographs"
        f" ({len(table) - len(known)} left away: r is undefined)",
        "",
        "| | structure r | content | lead over harmonic, r | ahead at |",
        "|---|---|---|---|---|",
    ]
    for name in (*WEIGHTS, "harmonic", "telea"):
        row = [f"{known[f'structure_{name}'].mean():.3f}", f"{known[f'content_{name}'].mean():.3f}"]
        if name in WEIGHTS:
            lead = (known[f"structure_{name}"] - known["structure_harmonic"]).to_numpy()
            row += [interval(lead, groups), f"{100 * (lead > 0).mean():.0f} %"]
        else:
            row += ["", ""]
        lines.append(f"| {name} | {' | '.join(row)} |")
    lead = known["structure_full"] - known["structure_harmonic"]
    quantiles = lead.quantile([0.05, 0.25, 0.5, 0.75, 0.95])
    lines += ["", "| lead of `full` | 5 % | 25 % | median | 75 % | 95 % | mean | places |"]
    lines += ["|---" * 8 + "|"]
    cells = " | ".join(f"{value:+.3f}" for value in quantiles)
    lines += [f"| all | {cells} | {lead.mean():+.3f} | {len(lead)} |"]
    for name, part in lead.groupby(known["kind"]):
        cells = " | ".join(f"{value:+.3f}" for value in part.quantile(quantiles.index))
        lines += [f"| {name} | {cells} | {part.mean():+.3f} | {len(part)} |"]
    pairs = [
        ("full", "harmonic", "pearson"), ("full", "telea", "pearson"),
        ("full", "lite", "spearman"), ("full", "lite", "pearson"),
    ]  # fmt: skip
    lines += ["", "| across places | correlation of their r |", "|---|---|"]
    for one, other, method in pairs:
        r = known[f"structure_{one}"].corr(known[f"structure_{other}"], method=method)
        lines.append(f"| {one} and {other}, {method.capitalize()} | {r:.3f} |")
    return "\n".join(lines) + "\n"


def _spread(table: pandas.DataFrame, order: pandas.Index) -> list[int]:
    """Give the first places of an order, at most three of a photograph."""
    taken: dict[str, int] = {}
    chosen: list[int] = []
    for index in order:
        image = table.loc[index, "image"]
        taken[image] = taken.get(image, 0) + 1
        if taken[image] <= 3 and len(chosen) < SHOWN:
            chosen.append(index)
    return chosen


def draw(table: pandas.DataFrame, path: Path) -> None:
    """Draw the places where `full` is most ahead of the harmonic filling, and most behind."""
    import unetpred
    from unetpred.fillings.simple import harmonic_fill
    from unetpred.holes.masks import hole_box, hole_mask
    from unetpred.plots import gallery, save

    lead = table["structure_full"] - table["structure_harmonic"]
    order = lead.dropna().sort_values(ascending=False).index
    chosen = [*_spread(table, order), *reversed(_spread(table, order[::-1]))]
    crops = np.stack([crop(table.loc[index], CONTEXT) for index in chosen]).astype("float32")
    filled = unetpred.Predictor("full")(crops).filled
    mask = hole_mask((CONTEXT, CONTEXT))
    top, left, bottom, right = hole_box((CONTEXT, CONTEXT))
    near = np.s_[top - HOLE // 2 : bottom + HOLE // 2, left - HOLE // 2 : right + HOLE // 2]
    rows = []
    for index, image, ours in zip(chosen, crops, filled, strict=True):
        row = table.loc[index]
        film = harmonic_fill(image, mask)
        masked = np.where(mask[..., None] == 0, 128, image)
        name = f"{Path(row['image']).stem} {lead[index]:+.2f}"
        rows.append([
            (image, name), (masked, ""),
            (ours[near], f"r {row['structure_full']:.2f}"),
            (film[near], f"r {row['structure_harmonic']:.2f}"),
            (image[near], ""),
        ])  # fmt: skip
    titles = ["original", "masked", "full", "harmonic", "original"]
    save(gallery(rows, titles, side=120), path)


def main(arguments: list[str] | None = None) -> None:
    """Score, print, draw."""
    sys.path.insert(0, str(ROOT))  # the clone, where unetpred is not installed
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--photographs", type=Path, metavar="DIR", help="score the middle of each of these instead")
    add("--output_dir", type=Path, default=ROOT / "weights", help="default: weights/")
    add("--table", type=Path, help="where all rows go, .csv; read from there if it exists")
    args = parser.parse_args(arguments)
    import unetpred

    if args.table and args.table.exists():
        table = pandas.read_csv(args.table)
    else:
        table = middles(args.photographs) if args.photographs else places(bundled())
        sites = table[["image", "x", "y"]]
        for name in WEIGHTS:
            scored = unetpred.score(
                sorted(set(sites["image"])),
                sites=sites,
                hole=unetpred.Hole(HOLE),
                context=CONTEXT,
                output=("structure", "content"),
                weights=name,
            )
            same = (scored["x"].to_numpy(float) == sites["x"].to_numpy(float)).all()
            assert len(scored) == len(sites) and same, "rows are not those of the sites"
            for score in ("structure", "content"):
                table[f"{score}_{name}"] = scored[score].to_numpy()
                for simple in ("harmonic", "telea"):
                    table[f"{score}_{simple}"] = scored[f"{score}_{simple}"].to_numpy()
        table["kind"] = [kind(place) for _, place in table.iterrows()]
        if args.table:
            table.to_csv(args.table, index=False)
    sys.stdout.write(report(table))
    if not args.photographs:
        draw(table, args.output_dir / "outside_places.png")


if __name__ == "__main__":
    main()
