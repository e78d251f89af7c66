"""What was scored in a tab: a table, and the files that it is downloaded as."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.app.engine import Answer, Engine, Spot
from unetpred.app.mapping import Mapped
from unetpred.app.opened import Picture
from unetpred.results.tables import write_table
from unetpred.runs.provenance import provenance

MOST = 1000  # rows of a tab; the oldest go
AFTER = 600  # seconds, after which Gradio has its copy of a file for sure
_FOLDER = f"unetpred-page-{os.getpid()}-"

#: The columns that the page shows, and what it calls them.
COLUMNS = {
    "image": "image",
    "hole": "hole",
    "x": "x",
    "y": "y",
    "size": "size",
    "context": "context",
    "weights": "weights",
    "structure": "structure ↑",
    "content": "content ↓",
    "structure_harmonic": "harmonic ↑",
    "structure_telea": "Telea ↑",
    "structure_mean_fill": "mean ↑",
}


def shown(rows: Sequence[dict]) -> list[list[Any]]:
    """The cells of the table in the page, the newest row first."""
    return [[_cell(row.get(name)) for name in COLUMNS] for row in reversed(rows)]


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        if np.isnan(value):
            return "NaN"
        return f"{value:g}" if value == int(value) else f"{value:.4f}"
    return "" if value is None else value


def save_table(rows: Sequence[dict], engine: Engine, command: str | None = None) -> list[str]:
    """Write rows as scores.csv and scores.parquet, with where they come from.

    Parameters
    ----------
    rows : sequence of dict
        Of `Answer`.
    engine : Engine
    command : str, optional
        For provenance; that of the process if not given.

    Returns
    -------
    list of str
        The files, in a new temporary folder.
    """
    folder = new_folder()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    whole = [{name: row.get(name, float("nan")) for name in columns} for row in rows]
    origin = origin_of([row["weights"] for row in rows], engine, command)
    files = [folder / "scores.csv", folder / "scores.parquet"]
    for file in files:
        write_table(file, whole, origin)
    return [str(file) for file in files]


def origin_of(weights: Sequence[str], engine: Engine, command: str | None = None) -> dict:
    """The provenance of scores of one set of weights or several."""
    names = list(dict.fromkeys(weights))
    found = [
        provenance(
            name,
            "each row's own: columns hole, x, y (its centre, px) and size (px)",
            engine.output,
            engine.vgg_weights,
            "each row's own: px around the hole's centre, or full, the whole image",
            command,
        )
        for name in names
    ]
    joined = {name: ", ".join(one[name] for one in found) for name in ("weights", "weights_sha256")}
    return {**found[0], **joined}


def save_figure(picture: Picture, spot: Spot, engine: Engine) -> list[str]:
    """Write a hole's figure as PNG and PDF, and its mask where it is painted.

    Returns
    -------
    list of str
        filled.png and filled.pdf, and mask.png (0 = hidden) of a painted hole.
    """
    from PIL import Image

    from unetpred.plots import save, triptych

    answer = engine.score(picture, spot)
    image, mask, filled = whole(picture, answer, spot)
    figure = triptych(image, mask, filled, caption(answer.row))
    folder = new_folder()
    files = [folder / "filled.png", folder / "filled.pdf"]
    for file in files:
        save(figure, file)
    if spot.mask is not None:
        files.append(folder / "mask.png")
        Image.fromarray(np.where(spot.mask == 0, 0, 255).astype("uint8")).save(files[-1])
    return [str(file) for file in files]


def whole(
    picture: Picture, answer: Answer, spot: Spot
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture (H,W,3), its mask (H,W), and the picture as it is filled in."""
    image = picture.source.load()
    scene = spot.scenes.scene(image, 0, None, picture.name)
    mask, filled = np.ones(image.shape[:2], "float32"), image.copy()
    scene.paste(scene.hole, mask)
    scene.paste(answer.fillings["network"], filled)
    return image, mask, filled


def caption(row: dict) -> str:
    """A row in words, in two lines."""
    hole = f"{row['hole']} of {row['size']:g} px at ({row['x']}, {row['y']})"
    where = "whole image" if row["context"] == "full" else f"{row['context']} px around it"
    numbers = [f"structure {row['structure']:.4f} (higher = more predictable)"]
    if "content" in row:
        numbers.append(f"content {row['content']:.4f} (higher = less predictable)")
    return f"{row['image']}   {hole}   {where}   weights: {row['weights']}\n{'   '.join(numbers)}"


def save_map(mapped: Mapped, engine: Engine, command: str | None = None) -> list[str]:
    """Write a map as map.csv, map.png and map.pdf."""
    from unetpred.plots import map_overlay, save

    hole = mapped.spot.hole
    assert hole is not None
    folder, name = new_folder(), mapped.picture.name
    frame = mapped.result.to_frame()
    rows = [
        {"image": name, "index": None, **{str(key): value for key, value in row.items()}}
        for row in frame.to_dict("records")
    ]
    origin = origin_of([mapped.spot.weights], engine, command) | {
        "hole": f"{hole.form()}, centred on each place in turn",
        "context": str(mapped.spot.scenes.context),
        "stride": str(mapped.stride),
    }
    origin.pop("content", None)
    table = folder / "map.csv"
    write_table(table, rows, origin)
    text = f"{name}   hole: {hole.form()}   stride: {mapped.stride} px"
    text += f"   weights: {mapped.spot.weights}"
    size = int(hole.sizes[0])
    figure = map_overlay(
        mapped.picture.source.load(), mapped.result, mask_size=size, caption=text,
        mask_shape=hole.shape,
    )  # fmt: skip
    files = [table, folder / "map.png", folder / "map.pdf"]
    for file in files[1:]:
        save(figure, file)
    return [str(file) for file in files]


def new_folder() -> Path:
    """A new folder for files of downloads, which Gradio copies from; older ones are removed."""
    for one in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):
            if time.time() - one.stat().st_mtime > AFTER:
                shutil.rmtree(one, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_FOLDER))


def remove_folders() -> None:
    """Remove what `new_folder` has made in this process."""
    for one in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        shutil.rmtree(one, ignore_errors=True)
