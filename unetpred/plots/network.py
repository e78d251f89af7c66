"""Pictures of the network: how its masks fill up, its filters, its activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.errors import InputError
from unetpred.plots.pictures import FONT, INK, JOURNAL_WIDTH, MM, figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TEXT: dict[str, Any] = {"color": INK, "family": FONT, "fontsize": 7}


def mask_evolution(
    masks: Mapping[str, np.ndarray], columns: int = 6, width: float = JOURNAL_WIDTH
) -> Figure:
    """Show how the hole closes from layer to layer.

    All masks are drawn at the same size, whatever the number of their units, with what is left
    of the hole written above.

    Parameters
    ----------
    masks : mapping of str to array (h,w)
        1 = visible, 0 = missing, by name of a layer, as from
        `unetpred.network.layer_outputs.layer_masks`.
    columns : int
        Masks in a row.
    width : float
        Of the figure, mm; its text is of 7 points, so a mask needs some 25 mm.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per mask. Visible is white, missing dark blue.

    Raises
    ------
    InputError
        If there is none, or one has not two axes.
    """
    if not masks:
        raise InputError("mask_evolution: no mask to show")
    panels = {name: np.asarray(mask) for name, mask in masks.items()}
    for name, mask in panels.items():
        if mask.ndim != 2:
            raise InputError(f"{name}: mask of shape {mask.shape} cannot be shown; give (h,w)")
    shapes = [mask.shape for mask in panels.values()]
    figure, cells = _grid(
        len(panels), columns, shapes[0][0] / shapes[0][1], heading=0.4, width=width
    )
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(["#08306B", "#FFFFFF"])
    for axes, (name, mask) in zip(cells, panels.items(), strict=True):
        axes.imshow(mask != 0, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
        _frame(axes)
        rows, units = mask.shape
        missing = f"{100 * np.mean(mask == 0):.2g} % missing"
        axes.set_title(f"{name}\n{units}x{rows}\n{missing}", loc="left", pad=2, **_TEXT)
    return figure


def filters(kernel: np.ndarray, columns: int | None = None) -> Figure:
    """Show the kernels of the first layer in colours.

    Parameters
    ----------
    kernel : array (k,k,3,F)
        Of a layer that sees the image, in the network's order of channels: blue, green, red.
    columns : int, optional
        Kernels in a row; the next power of two above the square root of F if not given.

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
    height, width, _, count = kernel.shape
    columns = columns or 2 ** int(np.ceil(np.log2(np.sqrt(count))))
    columns = min(columns, count)
    rows = -(-count // columns)
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    scaled = 0.5 + 0.5 * kernel[:, :, ::-1] / np.where(largest > 0, largest, 1)
    sheet = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, 3))
    for index in range(count):
        top, left = (index // columns) * (height + 1), (index % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = scaled[..., index]
    side = float(np.clip(10 * columns, 61, JOURNAL_WIDTH / 2))  # the title needs 61 mm
    figure, (axes,) = _grid(1, 1, rows / columns, heading=0.2, width=side)
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
    note = f"{count} kernels of {height}x{width}, each on its own scale"
    axes.set_title(note, loc="left", pad=2, **_TEXT)
    return figure


def activation_grid(
    activations: np.ndarray,
    channels: Sequence[int] | None = None,
    columns: int = 8,
    title: str = "",
    labels: Sequence[str] | None = None,
    width: float = JOURNAL_WIDTH,
    scale: str = "activation",
) -> Figure:
    """Show channels of a layer as images, on one scale of colours.

    Parameters
    ----------
    activations : array (h,w,C)
        Of one image, as from `unetpred.features`.
    channels : sequence of int, optional
        Which ones; if not given, the 32 of the largest standard deviation, in their order.
    columns : int
        Channels in a row.
    title : str
        Written above, such as the name of the layer.
    labels : sequence of str, optional
        Written above each channel; its number if not given.
    width : float
        Of the figure, mm; its text is of 7 and 8 points.
    scale : str
        Written under the bar of colours.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per channel, and a bar of colours. The scale ends at the 0.1 and 99.9 %
        quantiles of what is shown, so that single units do not darken the rest. Where a value is
        below 0, the scale is symmetric about 0.

    Raises
    ------
    InputError
        If it is not of that shape, has no such channel, or is not finite.
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
    low, high = np.quantile(shown, (0.001, 0.999))
    colours = "viridis"
    if shown.min() < 0:
        colours, high = "PuOr_r", max(abs(low), abs(high))
        low = -high
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = beyond.get((shown.min() < low, shown.max() > high), "neither")
    if low == high:
        low, high = shown.min(), max(shown.max(), shown.min() + 1)
    figure, cells = _grid(
        len(channels),
        columns,
        shown.shape[0] / shown.shape[1],
        heading=0.15,
        below=0.5,
        width=width,
    )
    for index, axes in enumerate(cells):
        picture = axes.imshow(
            shown[..., index], cmap=colours, vmin=low, vmax=high, interpolation="nearest"
        )
        _frame(axes)
        axes.set_title(labels[index], loc="left", pad=1.5, **_TEXT)
    bar = figure.colorbar(
        picture, ax=cells, location="bottom", shrink=0.5, aspect=40, pad=0.02, extend=extend
    )
    bar.ax.tick_params(labelsize=7, labelfontfamily=FONT)
    bar.set_label(scale, **_TEXT)
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, family=FONT, fontsize=8)
    return figure


def _grid(
    count: int,
    columns: int,
    ratio: float,
    heading: float,
    below: float = 0.0,
    width: float = JOURNAL_WIDTH,
) -> tuple[Figure, list[Axes]]:
    """A figure with cells of one shape (height / width = `ratio`), in reading order.

    `heading` and `below` are inches: above every cell, and below all of them. `width` is in mm.
    """
    if columns < 1:
        raise InputError(f"columns {columns}: at least 1 is right")
    make = figure_class()
    columns = min(columns, count)
    rows = -(-count // columns)
    width *= MM
    height = rows * (width / columns * ratio + heading) + below + 0.1
    figure = make(figsize=(width, height), dpi=200, layout="constrained", facecolor="white")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def _frame(axes: Axes) -> None:
    """A thin frame and no ticks: places in a layer's grid mean little."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=0.4, color="#999999")
