"""Figures. Each function gives a `matplotlib.figure.Figure`; `save` writes one as a file.

They are 180 mm wide, two columns of a journal, with text of 7 and 8 points; ``width=85`` fits one
column, and with ``ax=`` they are drawn into axes of a figure of your own. Colours are viridis,
orange against purple, and Okabe and Ito's, which colour-blind readers can tell apart.
"""

from unetpred.plots.curves import training_curves
from unetpred.plots.maps import map_overlay
from unetpred.plots.network import activation_grid, filters, mask_evolution
from unetpred.plots.pictures import gallery, gallery_pages, triptych
from unetpred.plots.saving import save

__all__ = [
    "activation_grid",
    "filters",
    "gallery",
    "gallery_pages",
    "map_overlay",
    "mask_evolution",
    "save",
    "training_curves",
    "triptych",
]
