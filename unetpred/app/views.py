"""Pictures and tables as the page shows them."""

from __future__ import annotations

import base64
import html
import io
import math
import secrets
from pathlib import Path
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
#: Okabe and Ito's colours, of the curves.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
GREY = "#808791"  # can be read on white and on black
AXIS = {"color": GREY, "gridcolor": "rgba(128,135,145,0.25)", "zeroline": False}
#: What figures have in common: the page's own background, light or dark.
CLEAR: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": GREY, "family": "system-ui, sans-serif"},
    "modebar": {
        "bgcolor": "rgba(0,0,0,0)",
        "color": GREY,
        "activecolor": GREY,
        "remove": ["zoom", "pan", "select", "lasso", "zoomin", "zoomout", "autoscale", "reset"],
    },
}
AROUND = 2.0  # what is shown around a hole, times its side
LEAST = 128  # px of the picture that a panel shows
PANEL = 256  # px of the page that a panel has, about


def marked(picture: Picture, spot: Spot | None, answer: Answer | None) -> np.ndarray:
    """The whole picture (h,w,3) uint8 with its hole outlined, and what surrounds it dashed."""
    shown = picture.shown()
    if spot is None or answer is None:
        return shown
    (height, width), (high, wide) = picture.size, picture.shown_size
    top, left = answer.corner
    bottom, right = top + answer.hole.shape[0], left + answer.hole.shape[1]
    rows = ((np.arange(high) + 0.5) * height / high).astype(int)
    columns = ((np.arange(wide) + 0.5) * width / wide).astype(int)
    hidden = np.zeros((high, wide), bool)
    part = tuple(
        slice(*np.searchsorted(of, (first, last)))
        for of, first, last in ((rows, top, bottom), (columns, left, right))
    )
    hidden[part] = answer.hole[rows[part[0]] - top][:, columns[part[1]] - left] == 0
    drawn = outline_hole(shown, hidden)
    if spot.context != "full":
        step = picture.step
        drawn = outline_box(drawn, (top / step, left / step, bottom / step, right / step))
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


def in_files(shown: list[tuple[np.ndarray, str]], cache: str) -> list[tuple[str, str]]:
    """Images with captions, written into a new folder of Gradio's cache.

    Gradio writes arrays in four times the time, for files a tenth smaller.
    """
    from PIL import Image

    folder = Path(cache) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    found = []
    for index, (image, caption) in enumerate(shown):
        file = folder / f"{index}.png"
        Image.fromarray(image).save(file, compress_level=1)
        found.append((str(file), caption))
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


def tuning_figure(rows: list[dict], size: float | None = None) -> Any:
    """The size-tuning curves, whose values are told under the pointer: a Plotly figure.

    Parameters
    ----------
    rows : list of dict
        Of `unetpred.app.tuning.tuning`.
    size : float, optional
        The chosen one, px, which is marked.
    """
    import plotly.graph_objects as go

    from unetpred.app.tuning import CURVES

    figure = go.Figure()
    for (name, title), colour in zip(CURVES.items(), LINES, strict=True):
        known = [row for row in rows if not math.isnan(row[name])]
        figure.add_scatter(
            x=[row["size"] for row in known],
            y=[float(row[name]) for row in known],
            name=title,
            mode="lines+markers",
            line={"color": colour, "width": 3 if name == "structure" else 1.5},
            hovertemplate="%{x} px: %{y:.4f}",
        )
    if size is not None:
        figure.add_vline(size, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_xaxes(title="size of the hole, px", rangemode="tozero", **AXIS)
    figure.update_yaxes(title="structure ↑", **AXIS)
    figure.update_layout(
        height=320,
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.25},
        hovermode="x unified",
        dragmode=False,
        **CLEAR,
    )
    return figure


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
            "title": {"text": "structure: higher = more predictable", "side": "top"},
            "orientation": "h",
            "thickness": 12,
            "y": 1.02,
            "yanchor": "bottom",
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
    axis = {"showgrid": False, "zeroline": False, "constrain": "domain", "color": GREY}
    figure.update_xaxes(range=[-0.5, width - 0.5], **axis)
    figure.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", constraintoward="top", **axis)
    margin = {"l": 40, "r": 10, "t": 70, "b": 20}
    figure.update_layout(height=560, margin=margin, dragmode=False, **CLEAR)
    return figure


def _uri(levels: np.ndarray) -> str:
    """A picture as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
