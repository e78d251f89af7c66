"""Figures. Each function gives a `matplotlib.figure.Figure`; `save` writes one as a file."""

from unetpred.plots.maps import map_overlay
from unetpred.plots.pictures import gallery, save, training_curves, triptych

__all__ = ["gallery", "map_overlay", "save", "training_curves", "triptych"]
