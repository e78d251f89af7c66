"""Writing figures as files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from unetpred.errors import InputError
from unetpred.io.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Of letters in a pdf or ps: TrueType, which journals take; matplotlib's own choice is Type 3.
FONT_TYPE = 42


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure, whole or not at all, in the format its ending names.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Written pixel for pixel, whatever matplotlib's settings crop or scale. Letters in a pdf or
        ps stay letters that can be edited and searched (fonts of Type 42, as journals ask for).
    path : path-like
        `.png`, or another ending that matplotlib knows.

    Raises
    ------
    InputError
        If the folder is missing or not writable, or the ending is unknown.
    """
    from matplotlib import rc_context

    ending = os.path.splitext(path)[1].lstrip(".").lower()
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"{path}: pictures of this kind cannot be written; give a .png")
    settings: Any = {"savefig.bbox": None, "pdf.fonttype": FONT_TYPE, "ps.fonttype": FONT_TYPE}
    with rc_context(settings), atomic_path(path) as temporary:
        figure.savefig(temporary, format=ending, dpi=figure.dpi)
