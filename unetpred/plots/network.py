"""Pictures of the network: how its masks fill up, its filters, its activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.style import (
    FONT,
    INK,
    JOURNAL_WIDTH,
    LETTER,
    MM,
    TEXT,
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

ROOM = 28.0  # mm, that the text above a mask needs
GAP = 0.02  # inches, around every cell


def mask_evolution(
    masks: Mapping[str, np.ndarray],
    columns: int | None = None,
    width: float = JOURNAL_WIDTH,
    *,
    ax: Iterable[Axes] | None = None,
) -> Figure:
    """Show how the hole closes from layer to layer.

    All masks are drawn at the same size, whatever the number of their units, with what is left
    of the hole written above.

    Parameters
    ----------
    masks : mapping of str to array (h,w)
        1 = visible, 0 = missing, by name of a layer, as from
        `unetpred.network.layer_outputs.layer_masks`.
    columns : int, optional
        Masks in a row; as many as have room for their text, and six at most, if not given.
    width : float
        Of the figure, mm; its text is of 7 points, so a mask needs some 25 mm.
    ax : iterable of matplotlib.axes.Axes, optional
        Draw into these, one per mask.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per mask. Visible is white, missing dark blue.

    Raises
    ------
    InputError
        If there is none, one has not two axes, or `ax` are not as many.
    """
    if not masks:
        raise InputError("mask_evolution: no mask to show")
    panels = {name: np.asarray(mask) for name, mask in masks.items()}
    for name, mask in panels.items():
        if mask.ndim != 2:
            raise InputError(f"{name}: mask of shape {mask.shape} cannot be shown; give (h,w)")
    shapes = [mask.shape for mask in panels.values()]
    if columns is None:
        columns = int(np.clip(width // ROOM, 1, 6))
    ratio = shapes[0][0] / shapes[0][1]
    figure, cells = _grid(len(panels), columns, ratio, heading=0.48, width=width, ax=ax)
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(["#08306B", "#FFFFFF"])
    for axes, (name, mask) in zip(cells, panels.items(), strict=True):
        axes.imshow(mask != 0, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
        frame(axes, line=True)
        rows, units = mask.shape
        missing = _percent(np.mean(mask == 0)) + " missing"
        axes.set_title(f"{name}\n{units}x{rows}\n{missing}", loc="left", pad=2, **TEXT)
    return figure


def _percent(part: float) -> str:
    """A part of 0..1 with one decimal; more than nothing is never written as nothing."""
    return "<0.1 %" if 0 < part < 0.0005 else f"{100 * part:.1f} %"


def filters(
    kernel: np.ndarray,
    columns: int | None = None,
    width: float | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Show the kernels of the first layer in colours.

    Parameters
    ----------
    kernel : array (k,k,3,F)
        Of a layer that sees the image, in the network's order of channels: blue, green, red.
    columns : int, optional
        Kernels in a row; the next power of two above the square root of F if not given.
    width : float, optional
        Of the figure, mm; 10 per kernel of a row, 40 to 90, if not given.
    ax : matplotlib.axes.Axes, optional
        Draw into this.

    Returns
    -------
    matplotlib.figure.Figure
        One image of all kernels, row by row, a white unit between them. Each is scaled by its
        own largest absolute weight; mid grey is 0.

    Raises
    ------
    InputError
        If it is not of that shape.
    """
    kernel = np.asarray(kernel, "float64")
    if kernel.ndim != 4 or kernel.shape[2] != 3 or not kernel.size:
        raise InputError(f"filters: kernel of shape {kernel.shape}; (k,k,3,F) can be shown")
    height, wide, _, count = kernel.shape
    columns = columns or 2 ** int(np.ceil(np.log2(np.sqrt(count))))
    columns = min(columns, count)
    rows = -(-count // columns)
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    scaled = 0.5 + 0.5 * kernel[:, :, ::-1] / np.where(largest > 0, largest, 1)
    sheet = np.ones((rows * (height + 1) - 1, columns * (wide + 1) - 1, 3))
    for index in range(count):
        top, left = (index // columns) * (height + 1), (index % columns) * (wide + 1)
        sheet[top : top + height, left : left + wide] = scaled[..., index]
    if width is None:
        width = float(np.clip(10 * columns, 40, JOURNAL_WIDTH / 2))
    figure, (axes,) = _grid(1, 1, sheet.shape[0] / sheet.shape[1], 0.3, width=width, ax=ax)
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
    note = f"{count} kernels of {height}x{wide}\neach on its own scale; grey is 0"
    axes.set_title(note, loc="left", pad=4, **TEXT)
    return figure


def activation_grid(
    activations: np.ndarray,
    channels: Sequence[int] | None = None,
    columns: int | None = None,
    title: str = "",
    labels: Sequence[str] | None = None,
    width: float = JOURNAL_WIDTH,
    scale: str = "activation",
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: str | Colormap | None = None,
    ax: Iterable[Axes] | None = None,
) -> Figure:
    """Show channels of a layer as images, on one scale of colours.

    Parameters
    ----------
    activations : array (h,w,C)
        Of one image, as from `unetpred.features`.
    channels : sequence of int, optional
        Which ones; if not given, the 32 of the largest standard deviation, in their order.
    columns : int, optional
        Channels in a row; as many as have room for their labels, and eight at most, if not given.
    title : str
        Written above, such as the name of the layer.
    labels : sequence of str, optional
        Written above each channel; its number if not given.
    width : float
        Of the figure, mm; its text is of 7 and 8 points.
    scale : str
        Written under the bar of colours.
    vmin, vmax : float, optional
        Where the scale begins and ends. If not given, it begins at 0 and ends at the 99.9 %
        quantile of what is shown, so that single units do not darken the rest; where values are
        below 0, it is symmetric about 0.
    cmap : str or matplotlib.colors.Colormap, optional
        Viridis, or orange against purple where values are below 0, if not given.
    ax : iterable of matplotlib.axes.Axes, optional
        Draw into these, one per channel, without title and bar of colours.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per channel, and a bar of colours, with an arrow where values lie beyond.

    Raises
    ------
    InputError
        If it is not of that shape, has no such channel, is not finite, or the scale is empty.
    """
    activations = np.asarray(activations)
    if activations.ndim != 3 or not activations.size:
        raise InputError(f"activations of shape {activations.shape}; (h,w,C) can be shown")
    if not np.isfinite(activations).all():
        raise InputError("activations hold NaN or infinity; there is nothing to show")
    count = activations.shape[2]
    if channels is None:
        spread = activations.std(axis=(0, 1), dtype="float64")
        channels = sorted(np.argsort(-spread, kind="stable")[:32].tolist())
    if not len(channels) or not all(0 <= channel < count for channel in channels):
        raise InputError(f"channels {list(channels)}: some of 0..{count - 1} are right")
    labels = [str(channel) for channel in channels] if labels is None else list(labels)
    if len(labels) != len(channels):
        raise InputError(f"labels: {len(labels)} for {len(channels)} channels; one each is right")
    shown = activations[..., list(channels)].astype("float64")
    least, most = float(shown.min()), float(shown.max())
    low, high = 0.0, float(np.quantile(shown, 0.999))
    if least < 0:
        high = max(high, -float(np.quantile(shown, 0.001)))
        low = -high
    if low == high:  # nothing, or hardly anything, is active
        low, high = min(least, 0.0), max(most, 1.0)
    low, high = (given if given is not None else own for given, own in ((vmin, low), (vmax, high)))
    check_limits(low, high)
    colours = colour_map(cmap or ("PuOr_r" if least < 0 else "viridis"))
    if columns is None:
        columns = int(np.clip(width // (LETTER * max(map(len, labels))), 1, 8))
    ratio = shown.shape[0] / shown.shape[1]
    figure, cells = _grid(len(channels), columns, ratio, 0.15, 0.5, width, ax)
    for index, axes in enumerate(cells):
        picture = axes.imshow(
            shown[..., index], cmap=colours, vmin=low, vmax=high, interpolation="nearest"
        )
        frame(axes, line=True)
        axes.set_title(labels[index], loc="left", pad=1.5, **TEXT)
    if ax is not None:
        return figure
    bar = figure.colorbar(
        picture,
        ax=cells,
        location="bottom",
        shrink=0.5 if width > 120 else 1,
        aspect=40,
        pad=0.02,
        extend=beyond(low, high, least, most),
    )
    bar.ax.tick_params(labelsize=7, labelfontfamily=FONT)
    bar.set_label(scale, **TEXT)
    if title:
        left = GAP / figure.get_figwidth()
        figure.suptitle(title, x=left, ha="left", color=INK, family=FONT, fontsize=8)
    return figure


def _grid(
    count: int,
    columns: int,
    ratio: float,
    heading: float,
    below: float = 0.0,
    width: float = JOURNAL_WIDTH,
    ax: Iterable[Axes] | Axes | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure with cells of one shape (height / width = `ratio`), in reading order.

    `heading` and `below` are inches: above every cell, and below all of them. `width` is in mm.
    With `ax` it is theirs.
    """
    if columns < 1:
        raise InputError(f"columns {columns}: at least 1 is right")
    if ax is not None:
        axes = given_axes(ax, count, "one per picture")
        return figure_of(axes[0]), axes
    make = figure_class()
    columns = min(columns, count)
    rows = -(-count // columns)
    inches = width * MM
    height = rows * (inches / columns * ratio + heading) + below + 0.1
    figure = make(figsize=(inches, height), dpi=200, layout="constrained", facecolor="white")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=GAP, h_pad=GAP, wspace=0.02, hspace=0.02)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
