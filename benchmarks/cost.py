"""What scoring costs by size of batch and image, and by number of images."""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.scoring import WIDTHS, random_predictor, textures
from benchmarks.tables import Table
from benchmarks.timing import interleaved, ratio, seconds
from unetpred.commands.main import main
from unetpred.holes.masks import hole_mask

SIDE = 224


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure all three."""
    for name in ("lite",) if options.quick else ("lite", "full"):
        yield batches(name, options.quick)
        yield sizes(name, options.quick)
    yield numbers((16, 32, 64) if options.quick else (10, 100, 1000), 1 if options.quick else 3)


def _scoring(width: float, batch: int, side: int):
    predictor, images = random_predictor(width, batch), textures(batch, side)
    mask = hole_mask((side, side))[None, ..., None]
    return lambda: predictor.score(images, mask)


def batches(name: str, quick: bool) -> Table:
    """Time per image by size of the batch."""
    counts = (1, 4, 8) if quick else (1, 2, 4, 8, 16) if name == "lite" else (1, 2, 4, 8)
    calls = {str(n): _scoring(WIDTHS[name], n, SIDE) for n in counts}
    times = interleaved(calls, rounds=3 if quick else 7 if name == "lite" else 3)
    rows = [(n, 1e3 * seconds(times, str(n)) / n, ratio(times, str(n), "1") / n) for n in counts]
    columns = ("batch", "ms per image", "times that of batch 1")
    return Table(f"Size of the batch, {name}", columns, rows, f"Images of {SIDE} px.")


def sizes(name: str, quick: bool) -> Table:
    """Time per image by its size."""
    sides = (112, 224, 448) if quick or name == "full" else (112, 224, 448, 896)
    calls = {str(side): _scoring(WIDTHS[name], 1, side) for side in sides}
    times = interleaved(calls, rounds=3 if quick else 5)
    rows = [
        (
            f"{side}x{side}",
            1e3 * seconds(times, str(side)),
            ratio(times, str(side), str(SIDE)) / (side / SIDE) ** 2,
        )
        for side in sides
    ]
    columns = ("image", "ms per image", f"per pixel, times that of {SIDE} px")
    note = "One image at a time; the hole of 52 px is part of the cost of any of them."
    return Table(f"Size of the image, {name}", columns, rows, note)


def numbers(counts: tuple[int, ...], repeats: int) -> Table:
    """Time of the whole command, from files to table, by the number of files."""
    taken: dict[int, list[float]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as root:
        picture = Image.fromarray(textures(1, SIDE)[0].astype("uint8"))
        for count in taken:
            folder = Path(root) / str(count)
            folder.mkdir()
            for i in range(count):
                picture.save(folder / f"{i:05d}.png")
        _score_folder(Path(root) / str(counts[0]))  # what Keras does once in a process
        for _ in range(repeats):
            for count, found in taken.items():
                started = time.perf_counter()
                _score_folder(Path(root) / str(count))
                found.append(time.perf_counter() - started)
    medians = {count: statistics.median(found) for count, found in taken.items()}
    rows, before, first = [], None, None
    for count in counts:
        more = None if before is None else (medians[count] - medians[before]) / (count - before)
        first = first or more
        rows.append(
            (
                count,
                medians[count],
                1e3 * medians[count] / count,
                "" if more is None else 1e3 * more,
                "" if more is None else more / first,
            )
        )
        before = count
    return Table(
        "Number of images",
        (
            "images",
            "seconds",
            "ms per image",
            "ms per further image",
            "times the first of these",
        ),
        rows,
        "`unetpred predict --input FOLDER` with the shipped weights in a process that has "
        "imported Keras: reading weights, tracing, decoding png files, scoring, writing the "
        "table. A further image is one beyond those of the row above.",
    )


def _score_folder(folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        main(["predict", "--quiet", "--input", str(folder)])
