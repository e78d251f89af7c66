"""Which of a mask's two values is missing, and masks that look as if it were the other one."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import numpy as np

from unetpred.errors import InputError

logger = logging.getLogger(__name__)

#: What anything but 0 stands for in a mask: what is visible, as here, or what is missing, as in
#: OpenCV's and many inpainters' masks, whose hole is white.
Polarity = Literal["visible", "missing"]
POLARITIES: tuple[Polarity, ...] = get_args(Polarity)


def check_polarity(polarity: str) -> None:
    """Raise InputError unless `polarity` is one of `POLARITIES`."""
    if polarity not in POLARITIES:
        raise InputError(
            f"`mask_polarity` {polarity!r}: {' or '.join(POLARITIES)} is right, for what is not 0"
        )


def looks_inverted(mask: np.ndarray) -> bool:
    """Whether a mask is more likely meant the other way round.

    Parameters
    ----------
    mask : numpy.ndarray, (H,W) or (H,W,C)
        0 = missing, anything else visible.

    Returns
    -------
    bool
        Whether more than half is missing, or the missing part touches all four borders.
    """
    missing = np.asarray(mask) == 0
    if missing.ndim == 3:
        missing = missing.any(axis=-1)
    borders = missing[0], missing[-1], missing[:, 0], missing[:, -1]
    return bool(missing.mean() > 0.5 or all(border.any() for border in borders))


def warn_if_inverted(
    mask: np.ndarray, name: str, polarity: Polarity = "visible", more: str = ""
) -> bool:
    """Warn of a mask that `looks_inverted`.

    Parameters
    ----------
    mask : numpy.ndarray, (H,W) or (H,W,C)
        0 = missing, whatever it was in its file.
    name : str
        What the message calls it.
    polarity : {"visible", "missing"}
        What anything but 0 stood for.
    more : str
        What else to say.

    Returns
    -------
    bool
        Whether it does.
    """
    if not looks_inverted(mask):
        return False
    share = np.mean(np.asarray(mask) == 0)
    zero, other = ("0", "missing") if polarity == "visible" else ("anything but 0", "visible")
    logger.warning(
        "%s: %.0f %% is missing; %s = missing here, is the mask inverted? `mask_polarity` %s takes "
        "it the other way%s",
        name,
        100 * share,
        zero,
        other,
        more,
    )
    return True
