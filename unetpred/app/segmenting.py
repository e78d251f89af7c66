"""Masks of pictures for the page, as `unetpred segment predict` writes them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unetpred.app.engine import Engine
from unetpred.app.history import new_folder
from unetpred.app.opened import Picture
from unetpred.segmentation.data.classes import Classes


@dataclass
class Segmented:
    """A mask, complete or not.

    Attributes
    ----------
    picture : Picture
    classes : Classes
    bands : list of numpy.ndarray, (h,W) uint8
        Numbers of classes, from the top; those that are there.
    """

    picture: Picture
    classes: Classes
    bands: list[np.ndarray] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How much of it is there, 0..1."""
        return sum(map(len, self.bands)) / self.picture.size[0]

    @property
    def mask(self) -> np.ndarray:
        """Numbers of classes (H,W) uint8."""
        return np.concatenate(self.bands)

    def overlay(self) -> np.ndarray:
        """The mask over the picture, (H,W,3) uint8."""
        from unetpred.plots.sheet import as_levels
        from unetpred.segmentation.pictures import overlay

        return overlay(as_levels(self.picture.source.load(), "image"), self.mask, self.classes)

    def coloured(self) -> np.ndarray:
        """The mask in the colours of its classes, (H,W,3) uint8."""
        from unetpred.segmentation.pictures import coloured

        return coloured(self.mask, self.classes)

    def shares(self) -> list[tuple[str, float]]:
        """The classes, and what part of the picture is theirs, 0..1."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes))
        return [
            (str(name), int(count) / self.mask.size)
            for name, count in zip(self.classes.names, counts, strict=True)
        ]

    def legend(self) -> str:
        """The classes that are there, the most first, as HTML.

        Each has its colour in the mask and the one over the picture.
        """
        from unetpred.segmentation.pictures import CELLS

        over = CELLS if self.classes.binary else self.classes.colours
        found = zip(self.shares(), self.classes.colours, over, strict=True)
        listed = sorted((one for one in found if one[0][1]), key=lambda one: -one[0][1])
        lines = []
        for (name, part), *colours in listed:
            first, second = (f"rgb{tuple(map(int, colour))} 50%" for colour in colours)
            swatch = f"background:linear-gradient(90deg,{first},{second})"
            lines.append(f'<li><i style="{swatch}"></i>{html.escape(name)} {part:.1%}</li>')
        return f'<ul class="unetpred-legend">{"".join(lines)}</ul>'


def segmenting(engine: Engine, picture: Picture, weights: str) -> Iterator[Segmented]:
    """Compute the mask of a picture; give it after every band of rows.

    Parameters
    ----------
    engine : Engine
    picture : Picture
    weights : str
        Of a network that segments.
    """
    segmenter = engine.segmenter(weights)
    found = Segmented(picture, segmenter.classes)
    bands = segmenter.bands(picture.source.load())
    while True:
        with engine.lock:
            band = next(bands, None)
        if band is None:
            return
        found.bands.append(segmenter.decide(band))
        yield found


def save_mask(found: Segmented) -> list[str]:
    """Write a mask as NAME_mask.png, indexed, and over its picture as NAME_overlay.png."""
    from PIL import Image

    from unetpred.segmentation.data.labels import write_mask

    folder, stem = new_folder(), Path(found.picture.name).stem
    mask, overlay = folder / f"{stem}_mask.png", folder / f"{stem}_overlay.png"
    write_mask(mask, found.classes.labels(found.mask), found.classes.palette())
    Image.fromarray(found.overlay()).save(overlay)
    return [str(mask), str(overlay)]
