"""Pictures and tables as the page shows them."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import Any

import numpy as np

from unetpred.app.engine import Answer, Spot
from unetpred.app.mapping import Mapped
from unetpred.app.opened import Picture
from unetpred.plots.outlines import outline_box, outline_hole
from unetpred.plots.pictures import HOLE_GREY
from unetpred.plots.sheet import as_levels
from unetpred.scoring.covariates import box_of

#: The fillings of an answer: what the page calls them, and the ends of their columns' names.
FILLED = {
    "network": ("U-Net-Pred", ""),
    "harmonic": ("harmonic (soap film)", "_harmonic"),
    "telea": ("Telea", "_telea"),
    "mean_fill": ("mean colour", "_mean_fill"),
}
AROUND = 2.0  # what is shown around a hole, times its side
LEAST = 128  # px of the picture that a panel shows
PANEL = 256  # px of the page that a panel has, about


def marked(picture: Picture, spot: Spot | None, answer: Answer | None) -> np.ndarray:
    """The whole picture (h,w,3) uint8 with its hole outlined, and what surrounds it dashed."""
    shown = picture.shown()
    if spot is None or answer is None:
        return shown
    image = np.ones(picture.size, "uint8")
    scene = spot.scenes.scene(picture.source.load(), 0, None, picture.name)
    scene.paste(scene.hole.astype("uint8"), image)
    high, wide = picture.shown_size
    rows = np.minimum(((np.arange(high) + 0.5) * picture.size[0] / high).astype(int), len(image))
    columns = ((np.arange(wide) + 0.5) * picture.size[1] / wide).astype(int)
    drawn = outline_hole(shown, image[rows][:, columns] == 0)
    if spot.context != "full":
        step, side = picture.step, scene.hole.shape[0]
        top, left = scene.top / step, scene.left / step
        drawn = outline_box(drawn, (top, left, top + side / step, left + side / step))
    return drawn


def panels(answer: Answer) -> list[tuple[np.ndarray, str]]:
    """What is around the hole: original, masked, and filled in by each method, with captions."""
    hole = answer.hole == 0
    part = _around(hole, answer.inside)
    side = part[0].stop - part[0].start
    factor = max(1, round(PANEL / side))

    def panel(image: np.ndarray) -> np.ndarray:
        return as_levels(image[part], "image").repeat(factor, axis=0).repeat(factor, axis=1)

    within = hole[part].repeat(factor, axis=0).repeat(factor, axis=1)
    original = panel(answer.pixels)
    masked = np.where(within[..., None], np.uint8(HOLE_GREY), original)
    found = [(original, "original"), (masked, "masked")]
    for name, (title, end) in FILLED.items():
        filled = outline_hole(panel(answer.fillings[name]), within)
        score = answer.row[f"structure{end}"]
        found.append((filled, f"{title.split(' (')[0]} {number(score)}"))
    return found


def _around(hole: np.ndarray, inside: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """The square around a hole, as far as it lies within the picture."""
    rows, columns = box_of(np.where(hole, 0, 1))
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    wanted = max(LEAST, math.ceil(AROUND * longest))
    slices = []
    for box, low, high in ((rows, *inside[::2]), (columns, *inside[1::2])):
        side = min(wanted, high - low)
        start = (box.start + box.stop) // 2 - side // 2
        start = min(max(start, low), high - side)
        slices.append(slice(start, start + side))
    return slices[0], slices[1]


def number(value: float) -> str:
    """A score with four decimals."""
    return "NaN" if math.isnan(value) else f"{value:.4f}"


def scores_table(answer: Answer) -> str:
    """The scores of all fillings, in Markdown, with their direction."""
    row = answer.row
    has_content = "content" in row
    lines = [
        "| filled in by | structure ↑ |" + (" content ↓ |" if has_content else ""),
        "|:--|--:|" + ("--:|" if has_content else ""),
    ]
    for name, (title, end) in FILLED.items():
        bold = "**" if name == "network" else ""
        label = f"{title}, {plain(str(row['weights']))}" if name == "network" else title
        cells = [f"{bold}{label}{bold}", f"{bold}{number(row[f'structure{end}'])}{bold}"]
        if has_content:
            cells.append(f"{bold}{number(row.get(f'content{end}', math.nan))}{bold}")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "structure: higher = **more** predictable."]
    if has_content:
        lines[-1] += " content: higher = **less** predictable."
    if row.get("reason"):
        lines += ["", f"Undefined: {plain(row['reason'])}."]
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text that neither HTML nor Markdown reads anything into."""
    escaped = html.escape(text)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|~" else c for c in escaped)


def tuning_frame(rows: list[dict]) -> Any:
    """The size-tuning curves, a row per size and filling, for a plot."""
    import pandas

    from unetpred.app.tuning import CURVES

    return pandas.DataFrame(
        [
            {"size": row["size"], "structure": row[name], "filled in by": title}
            for name, title in CURVES.items()
            for row in rows
            if not math.isnan(row[name])
        ],
        columns=["size", "structure", "filled in by"],
    )


def map_figure(mapped: Mapped) -> Any:
    """The map over its picture, whose values are told under the pointer: a Plotly figure."""
    import plotly.graph_objects as go

    result, (height, width) = mapped.result, mapped.picture.size
    heat = go.Heatmap(
        x=result.x.tolist(),
        y=result.y.tolist(),
        z=[[None if math.isnan(v) else float(v) for v in line] for line in result.structure],
        zmin=0,
        zmax=1,
        colorscale="Viridis",
        opacity=0.7,
        hoverongaps=False,
        hovertemplate="x %{x}, y %{y}<br>structure %{z:.4f}<extra></extra>",
        colorbar={
            "title": {"text": "structure (higher = more predictable)", "side": "right"},
            "thickness": 12,
        },
    )
    figure = go.Figure(heat)
    figure.add_layout_image(
        source=_uri(mapped.picture.shown()),
        xref="x",
        yref="y",
        x=-0.5,
        y=-0.5,
        sizex=width,
        sizey=height,
        sizing="stretch",
        layer="below",
    )
    axis = {"showgrid": False, "zeroline": False, "constrain": "domain"}
    figure.update_xaxes(range=[-0.5, width - 0.5], **axis)
    figure.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", **axis)
    figure.update_layout(
        margin={"l": 40, "r": 10, "t": 10, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    return figure


def _uri(levels: np.ndarray) -> str:
    """A picture as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
