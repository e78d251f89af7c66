"""Pictures of masks: coloured, over their image, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unetpred.segmentation.data.classes import IGNORED, Classes

OPACITY = 0.5
SIDE = 384  # px; the longest side of an image in a picture of several
VOID = (224, 224, 192)
#: What masks of two classes are drawn in over images, since white and black hide them.
CELLS = ((213, 94, 0), (0, 114, 178))


def coloured(label: np.ndarray, classes: Classes) -> np.ndarray:
    """Numbers of classes (H,W) in the colours of the classes, (H,W,3) uint8."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(classes)] = classes.colours
    table[IGNORED] = VOID
    return table[label]


def overlay(image: np.ndarray, label: np.ndarray, classes: Classes) -> np.ndarray:
    """Draw numbers of classes (H,W) over an image (H,W,3) uint8, half transparent.

    Of two classes, class 0 is orange, class 1 blue.
    """
    table = np.zeros((256, 3), np.float32)
    table[: len(classes)] = CELLS if classes.binary else classes.colours
    mixed = (1 - OPACITY) * image + OPACITY * table[label]
    shown = np.where((label == IGNORED)[..., None], image, np.rint(mixed))
    return shown.astype(np.uint8)


def side_by_side(
    rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], classes: Classes
) -> np.ndarray:
    """Image, label and mask of several images, one below the other, (H,W,3) uint8."""
    lines = []
    for image, label, mask in rows:
        line = [image, coloured(label, classes), coloured(mask, classes)]
        step = max(1, -(-max(image.shape[:2]) // SIDE))
        lines.append(np.concatenate([part[::step, ::step] for part in line], axis=1))
    width = max(line.shape[1] for line in lines)
    return np.concatenate(
        [np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0))) for line in lines]
    )
