"""Figures. Each function gives a `matplotlib.figure.Figure`; `save` writes one as a file."""

from unetpred.plots.curves import training_curves
from unetpred.plots.maps import map_overlay
from unetpred.plots.network import activation_grid, filters, mask_evolution
from unetpred.plots.pictures import gallery, save, triptych

__all__ = [
    "activation_grid",
    "filters",
    "gallery",
    "map_overlay",
    "mask_evolution",
    "save",
    "training_curves",
    "triptych",
]
