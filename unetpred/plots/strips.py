"""Words in strips above and below pictures that are kept pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SIZE = 13  # px, of letters
LINE = 18  # px, of a line
EDGE = 4  # px, left of a text


def strip(width: int, texts: Sequence[str]) -> np.ndarray:
    """Write texts beside each other, each over its share of a width.

    Parameters
    ----------
    width : int
        px.
    texts : sequence of str
        Those that are too long for their share are broken between words.

    Returns
    -------
    numpy.ndarray, (h,width,3) uint8
        Black on white, as high as the longest text needs.
    """
    from PIL import Image, ImageDraw

    share = width / len(texts)
    font = _font()
    broken = [_broken(text, font, share - 2 * EDGE) for text in texts]
    picture = Image.new("RGB", (width, LINE * max(map(len, broken))), "white")
    draw = ImageDraw.Draw(picture)
    for column, lines in enumerate(broken):
        for row, line in enumerate(lines):
            place = round(column * share) + EDGE, row * LINE + 1
            draw.text(place, line, fill="black", font=font)
    return np.asarray(picture)


def _font() -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(SIZE)
    except TypeError:  # before Pillow 10.1
        return ImageFont.load_default()


def _broken(text: str, font: Any, width: float) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip(" ")
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
