"""The pictures of an evaluation: examples from best to worst, in pages."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from unetpred import plots
from unetpred.evaluation.measures import NETWORK, Row
from unetpred.photographs.dataset import central_crops
from unetpred.plots.pictures import HOLE_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What files are called: the first page gallery.png, further ones gallery_2.png and on.
STEM = "gallery"


class Filler(Protocol):
    """What fills one hole by all methods: RGB 0..255, (N,h,h,3) of crops (N,H,W,3)."""

    mask: np.ndarray
    patch: tuple[slice, slice]

    def __call__(self, crops: np.ndarray) -> dict[str, np.ndarray]: ...


def examples(
    rows: Sequence[Row], files: Sequence[Path], filler: Filler, count: int
) -> Iterator[Figure]:
    """Draw the fillings of one hole in evenly ranked examples; `rows` are those of the hole."""
    methods = list(dict.fromkeys(row.method for row in rows))
    scores = np.array([row.structure for row in rows if row.method == NETWORK])
    order = np.argsort(-scores, kind="stable")  # NaN last
    ranks = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)

    def lines() -> Iterator[list[tuple[np.ndarray, str]]]:
        for index in order[ranks]:
            # Read again: keeping every crop in case it is shown would take memory without bound.
            for _, crop in central_crops([files[index]], len(filler.mask)):
                of_image = rows[index * len(methods) : (index + 1) * len(methods)]
                masked = crop.copy()
                masked[filler.patch] = HOLE_GREY
                line = [(crop, of_image[0].image), (masked, f"hole of {rows[0].hole} px")]
                for row, patch in zip(of_image, filler(crop[None]).values(), strict=True):
                    filled = crop.astype("float32")
                    filled[filler.patch] = patch[0]
                    line.append((filled, _caption(row)))
                yield line

    return plots.gallery_pages(lines(), ["original", "masked", *methods])


def save_pages(pages: Iterable[Figure], folder: Path) -> None:
    """Write the pages of a gallery in place of those of an evaluation before this one."""
    written = set()
    for number, page in enumerate(pages, start=1):
        path = folder / (f"{STEM}.png" if number == 1 else f"{STEM}_{number}.png")
        plots.save(page, path)
        written.add(path)
    for path in set(pages_in(folder)) - written:
        path.unlink(missing_ok=True)


def pages_in(folder: Path) -> list[Path]:
    """The pages of galleries in a folder: pictures with such a name that are figures."""
    from PIL import Image

    found = []
    for path in folder.glob(f"{STEM}*.png"):
        if not re.fullmatch(rf"{STEM}(_\d+)?\.png", path.name):
            continue
        with contextlib.suppress(OSError), Image.open(path) as picture:
            if str(picture.info.get("Software", "")).startswith("Matplotlib"):
                found.append(path)
    return found


def _caption(row: Row) -> str:
    r = "r undefined" if np.isnan(row.structure) else f"r {row.structure:.2f}"
    distance = "" if row.content is None else f"\ncontent {row.content:.2f}"
    return f"{r}  L1 {row.l1:.1f}{distance}"
