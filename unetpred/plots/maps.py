"""Predictability maps over their photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.pictures import (
    FONT,
    INK,
    JOURNAL_WIDTH,
    MM,
    as_levels,
    figure_class,
    fit_to_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unetpred.scoring.maps import PredictabilityMap

LABELS = {
    "structure": "structure r\n(higher = more predictable)",
    "content": "content\n(higher = less predictable)",
}
ALPHA = 0.7  # of the map over the photograph
DPI = 200
SIDE_BY_SIDE = 120  # mm, in which two pictures have room beside each other
SHOWN = 1400  # px, the most that a panel's side has in the figure


def map_overlay(
    image: np.ndarray,
    result: PredictabilityMap,
    score: Literal["structure", "content"] = "structure",
    mask_size: int | None = None,
    pixels_per_degree: float | None = None,
    caption: str = "",
    width: float = JOURNAL_WIDTH,
    mask_shape: Literal["square", "disc"] = "square",
) -> Figure:
    """Show an image, and beside or below it the map of a score over its grey version.

    Colours are those of viridis, which colour-blind readers can tell apart and which prints well
    in grey; brighter is always more predictable. Every value fills the cell around its place;
    where there is none, the photograph stays bare.

    Parameters
    ----------
    image : array (H,W,3)
        RGB, 0..255.
    result : PredictabilityMap
        Of that image.
    score : {"structure", "content"}
        What to show. Structure has the range 0..1 in every figure, so that figures compare, and
        an arrow on the colour bar if there are values below; content begins at 0.
    mask_size : int, optional
        Side or diameter of the hole, px, drawn to scale on the photograph.
    pixels_per_degree : float, optional
        For a scale bar in degrees of visual angle.
    caption : str
        Text below, taken literally.
    width : float
        Of the figure, mm; its text keeps its size, 7 and 8 points. Below `SIDE_BY_SIDE` the map
        is below the image.
    mask_shape : {"square", "disc"}
        Of the hole that is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the map has not this score or is of an image of another size.
    """
    pixels = as_levels(image, "image")
    values = getattr(result, score, None) if score in LABELS else None
    if values is None:
        raise InputError(f"map: has no score {score!r}; {' or '.join(LABELS)}, if computed")
    if width < 50:
        raise InputError(f"width {width}: a picture and its bar of colours need 50 mm")
    inches, panels = width * MM, (1, 2) if width >= SIDE_BY_SIDE else (2, 1)
    height, width = pixels.shape[:2]
    if result.x.max() >= width or result.y.max() >= height:
        raise InputError(
            f"map: has places up to x={result.x.max()}, y={result.y.max()}, "
            f"beyond an image of {width}x{height} px (width x height)"
        )
    size = inches, _height(height / width, inches, panels, caption)
    make = figure_class()
    figure = make(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    text: dict[str, Any] = {"color": INK, "family": FONT, "size": 8}
    photograph, overlay = figure.subplots(*panels)
    extent = -0.5, width - 0.5, height - 0.5, -0.5
    shown = fit_to_side(pixels, SHOWN)
    grey = np.rint(shown @ np.array([0.2126, 0.7152, 0.0722])).astype("uint8")
    photograph.imshow(shown, extent=extent, interpolation="nearest")
    # pale, so that a value has much the same colour on dark and on bright parts
    overlay.imshow(grey, extent=extent, cmap="gray", vmin=-100, vmax=355, interpolation="nearest")

    known = values[np.isfinite(values)]
    lowest, highest = (0, 1) if score == "structure" else (0, max(known.max(initial=0), 1e-6))
    drawn = overlay.imshow(
        np.ma.masked_invalid(values),
        extent=(*_edges(result.x), *_edges(result.y)[::-1]),
        cmap="viridis" if score == "structure" else "viridis_r",
        vmin=lowest,
        vmax=highest,
        alpha=ALPHA,
        interpolation="nearest",
    )
    for axes, title in ((photograph, "photograph"), (overlay, score)):
        axes.set(xlim=extent[:2], ylim=extent[2:], xticks=(), yticks=())
        axes.set_anchor("W" if panels[0] == 2 else "C")
        axes.set_title(title, loc="left", **text)
        for spine in axes.spines.values():
            spine.set_visible(False)
    if mask_size is not None:
        _hole(photograph, mask_size, mask_shape, height, width, text)
    if pixels_per_degree is not None:
        _scale_bar(photograph, pixels_per_degree, height, width, text)
    bar = figure.colorbar(
        drawn,
        ax=overlay,
        fraction=0.05,
        pad=0.02,
        aspect=25,
        extend="min" if known.min(initial=0) < lowest else "neither",
    )
    bar.ax.set_facecolor("0.5")  # as over what is neither dark nor bright in the photograph
    bar.set_label(LABELS[score], **text)
    bar.ax.tick_params(labelsize=7, labelfontfamily=FONT, color=INK, labelcolor=INK)
    bar.outline.set_visible(False)
    if caption:
        figure.supxlabel(caption, x=0.01, ha="left", parse_math=False, **{**text, "size": 7})
    return figure


def _height(ratio: float, width: float, panels: tuple[int, int], caption: str) -> float:
    """Of the figure, inches: of the panels (height / width = `ratio`), titles and the caption."""
    rows, columns = panels
    panel = max((width - 0.9) / columns * ratio, 1.4)  # what the longest label needs
    return min(rows * (panel + 0.2), 9) + 0.15 + 0.15 * len(caption.splitlines())


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
