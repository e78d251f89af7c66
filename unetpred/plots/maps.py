"""Predictability maps over their photographs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.map_layout import EDGE, plan_figure
from unetpred.plots.sheet import as_levels, fit_to_side
from unetpred.plots.style import (
    FONT,
    INK,
    JOURNAL_WIDTH,
    MM,
    POINTS,
    beyond,
    check_limits,
    colour_map,
    figure_class,
    figure_of,
    frame,
    given_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from unetpred.scoring.maps import PredictabilityMap

LABELS = {
    "structure": "structure r\n(higher = more predictable)",
    "structure_luminance": "structure of luminance, r\n(higher = more predictable)",
    "content": "content\n(higher = less predictable)",
}
ALPHA = 0.7  # of the map over the photograph
BARE = "#e6e6e6"  # where a map without its photograph has no value
DPI = 200
SHOWN = 1400  # px, the most that a panel's side has in the figure


def map_overlay(
    image: np.ndarray,
    result: PredictabilityMap,
    score: Literal["structure", "structure_luminance", "content"] = "structure",
    mask_size: int | None = None,
    pixels_per_degree: float | None = None,
    caption: str = "",
    width: float = JOURNAL_WIDTH,
    mask_shape: Literal["square", "disc"] = "square",
    *,
    blend: bool = True,
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: str | Colormap | None = None,
    bar: bool = True,
    ax: Axes | Iterable[Axes] | None = None,
) -> Figure:
    """Show an image, and beside or below it the map of a score.

    Colours are those of viridis, which colour-blind readers can tell apart and which prints well
    in grey; brighter is always more predictable. Every value fills the cell around its place;
    where there is none, the photograph stays bare.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255.
    result : PredictabilityMap
        Of that image.
    score : {"structure", "structure_luminance", "content"}
        What to show.
    mask_size : int, optional
        Side or diameter of the hole, px, drawn to scale on the photograph.
    pixels_per_degree : float, optional
        For a scale bar in degrees of visual angle.
    caption : str
        Text below, taken literally.
    width : float
        Of the figure, mm; its text keeps its size, 7 and 8 points. Below 120 mm the map
        is below the image, unless both are so narrow that they are larger side by side.
    mask_shape : {"square", "disc"}
        Of the hole that is drawn.
    blend : bool
        Whether the map lies over a pale grey version of the photograph. If not, its colours are
        those of the bar, and places without a value are light grey.
    vmin, vmax : float, optional
        Where the colours begin and end, for figures that are to be compared. If not given,
        structure has 0..1 in every figure, and content 0 to its largest value. Where values lie
        beyond, the bar has an arrow.
    cmap : str or matplotlib.colors.Colormap, optional
        Other colours; their bright end is for high values.
    bar : bool
        Whether there is a bar of colours.
    ax : matplotlib.axes.Axes, or two of them, optional
        Draw into these: the map alone into one, photograph and map into two. `caption` and
        `width` are not used then, and hole and scale bar are drawn where there is a photograph.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the map has not this score or is of an image of another size, or a size, a limit or
        the name of a map of colours is wrong.
    """
    pixels = as_levels(image, "image")
    values = getattr(result, score, None) if score in LABELS else None
    if values is None:
        raise InputError(f"map: has no score {score!r}; {' or '.join(LABELS)}, if computed")
    if width < 50:
        raise InputError(f"width {width}: a picture and its bar of colours need 50 mm")
    rows, columns = pixels.shape[:2]
    if result.x.max() >= columns or result.y.max() >= rows:
        raise InputError(
            f"map: has places up to x={result.x.max()}, y={result.y.max()}, "
            f"beyond an image of {columns}x{rows} px (width x height)"
        )
    known = values[np.isfinite(values)]
    low, high = (0.0, 1.0) if score != "content" else (0.0, max(known.max(initial=0), 1e-6))
    low, high = (given if given is not None else own for given, own in ((vmin, low), (vmax, high)))
    check_limits(low, high)
    colours = colour_map(cmap or ("viridis_r" if score == "content" else "viridis"))
    text: dict[str, Any] = {"color": INK, "family": FONT, "size": 8}
    photograph: Axes | None
    if ax is None:
        plan = plan_figure(rows / columns, width, bar, len(caption.splitlines()))
        make = figure_class()
        figure = make(figsize=(width * MM, plan.height * MM), dpi=DPI, facecolor="white")
        photograph, overlay = (figure.add_axes(plan.box(part, width)) for part in plan.pictures)
        cell = figure.add_axes(plan.box(plan.bar, width)) if bar else None
    else:
        *others, overlay = given_axes(
            ax, 2 if isinstance(ax, Iterable) else 1, "photograph and map"
        )
        photograph, figure = (others[0] if others else None), figure_of(overlay)
        cell = overlay.inset_axes((1.02, 0, 0.04, 1)) if bar else None

    extent = -0.5, columns - 0.5, rows - 0.5, -0.5
    shown = fit_to_side(pixels, SHOWN)
    if photograph is not None:
        photograph.imshow(shown, extent=extent, interpolation="nearest")
        photograph.set_title("photograph", loc="left", **text)
    if blend:
        grey = np.rint(shown @ np.array([0.2126, 0.7152, 0.0722])).astype("uint8")
        # pale, so that a value has much the same colour on dark and on bright parts
        limits: dict[str, Any] = {"vmin": -100, "vmax": 355, "interpolation": "nearest"}
        overlay.imshow(grey, extent=extent, cmap="gray", **limits)
    else:
        overlay.set_facecolor(BARE)
    drawn = overlay.imshow(
        np.ma.masked_invalid(values),
        extent=(*_edges(result.x), *_edges(result.y)[::-1]),
        cmap=colours,
        vmin=low,
        vmax=high,
        alpha=ALPHA if blend else None,
        interpolation="nearest",
    )
    overlay.set_title(score.replace("_", " of "), loc="left", **text)
    for axes in (overlay, *([photograph] if photograph is not None else [])):
        axes.set(xlim=extent[:2], ylim=extent[2:])
        frame(axes)
    if photograph is not None and mask_size is not None:
        _hole(photograph, mask_size, mask_shape, rows, columns, text)
    if photograph is not None and pixels_per_degree is not None:
        _scale_bar(photograph, pixels_per_degree, rows, columns, text)
    if cell is not None:
        upright = ax is not None or plan.upright
        made = figure.colorbar(
            drawn,
            cax=cell,
            orientation="vertical" if upright else "horizontal",
            extend=beyond(low, high, known.min(initial=low), known.max(initial=low)),
            extendfrac=0.04,
        )
        cell.set_facecolor("0.5")  # as over what is neither dark nor bright in the photograph
        made.set_label(LABELS[score], **{**text, "size": POINTS})
        cell.tick_params(labelsize=POINTS, labelfontfamily=FONT, color=INK, labelcolor=INK)
        made.outline.set_visible(False)
    if ax is None and caption:
        place = EDGE / width, (EDGE / 2) / plan.height
        figure.text(*place, caption, ha="left", va="bottom", parse_math=False,
                    **{**text, "size": POINTS})  # fmt: skip
    return figure


def _edges(places: np.ndarray) -> tuple[float, float]:
    """Where the first cell begins and the last one ends."""
    half = (places[1] - places[0]) / 2 if len(places) > 1 else 0.5
    return places[0] - half, places[-1] + half


def _outlined() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="black")]


def _hole(
    axes: Axes, size: int, shape: str, height: float, width: float, text: dict[str, Any]
) -> None:
    """The outline of a hole in the upper right corner."""
    from matplotlib.patches import Ellipse, Rectangle

    gap = 0.03 * max(height, width)
    corner = width - gap - size, gap
    line: dict[str, Any] = {"fill": False, "ec": "white", "lw": 1, "path_effects": _outlined()}
    if shape == "disc":
        middle = corner[0] + size / 2, corner[1] + size / 2
        axes.add_patch(Ellipse(middle, size, size, **line))
    else:
        axes.add_patch(Rectangle(corner, size, size, **line))
    style = {**text, "color": "white", "size": 6.5, "path_effects": _outlined()}
    beside = corner[0] - gap / 2, gap + size / 2
    axes.text(*beside, "hole", ha="right", va="center", clip_on=True, **style)


def _scale_bar(
    axes: Axes, per_degree: float, height: float, width: float, text: dict[str, Any]
) -> None:
    """A bar of 1, 2 or 5 times a power of ten of degrees, about a fifth of the width."""
    wanted = width / 5 / per_degree
    power = 10.0 ** np.floor(np.log10(wanted))
    degrees = power * max(step for step in (1, 2, 5) if step * power <= wanted * 1.001)
    gap = 0.04 * max(height, width)
    left, row = gap, height - gap
    axes.plot([left, left + degrees * per_degree], [row, row], color="white", lw=2,
              solid_capstyle="butt", path_effects=_outlined())  # fmt: skip
    axes.annotate(f"{degrees:g}°", (left + degrees * per_degree / 2, row), (0, 3),
                  textcoords="offset points", ha="center", va="bottom",
                  path_effects=_outlined(), **{**text, "color": "white"})  # fmt: skip
