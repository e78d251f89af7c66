"""Random holes to train on."""

from __future__ import annotations

import numpy as np

KINDS = ("score", "square", "disc", "ellipse", "strokes", "several")
SHARES = (0.4, 0.2, 0.1, 0.1, 0.1, 0.1)


def random_mask(
    rng: np.random.Generator,
    size: tuple[int, int],
    window: tuple[int, int, int, int] | None = None,
    sizes: tuple[int, int] = (16, 104),
) -> np.ndarray:
    """A mask with one kind of random hole, independent of any image.

    The kinds and their shares: the centred 52 px square of the score (0.4), a square anywhere
    (0.2), a disc (0.1), an ellipse of any orientation (0.1), one to four free strokes (0.1), two
    to four smaller squares or discs (0.1).

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all randomness comes from.
    size : (height, width)
        Of the mask.
    window : (top, left, bottom, right), optional
        Holes lie inside this part; the whole mask but a margin of an eighth if not given.
    sizes : (smallest, largest)
        Side or diameter of the holes in px, limited to the window.

    Returns
    -------
    numpy.ndarray
        (H,W) float32, 1 = visible, 0 = missing. At least one pixel is missing.
    """
    height, width = size
    if window is None:
        window = (height // 8, width // 8, height - height // 8, width - width // 8)
    top, left, bottom, right = window
    room = min(bottom - top, right - left)
    small, large = min(sizes[0], room), min(sizes[1], room)
    rows, columns = np.mgrid[:height, :width].astype("float32")

    def somewhere(side: float) -> tuple[float, float]:
        half = side / 2
        return rng.uniform(top + half, bottom - half), rng.uniform(left + half, right - half)

    def square(side: int) -> np.ndarray:
        y, x = somewhere(side)
        t, l = round(y - side / 2), round(x - side / 2)  # noqa: E741
        return (rows >= t) & (rows < t + side) & (columns >= l) & (columns < l + side)

    def ellipse(diameter: float, ratio: float = 1.0) -> np.ndarray:
        y, x = somewhere(diameter)
        angle = rng.uniform(0, np.pi)
        u = (columns + 0.5 - x) * np.cos(angle) + (rows + 0.5 - y) * np.sin(angle)
        v = (rows + 0.5 - y) * np.cos(angle) - (columns + 0.5 - x) * np.sin(angle)
        return u**2 + (v / ratio) ** 2 < (diameter / 2) ** 2

    def stroke(length: float) -> np.ndarray:
        radius = rng.uniform(3, max(4, length / 8))
        y, x = somewhere(2 * radius)
        angle, hole = rng.uniform(0, 2 * np.pi), np.zeros(size, bool)
        for _ in range(int(length / radius) + 1):
            hole |= (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < radius**2
            angle += rng.normal(0, 0.4)
            x = np.clip(x + radius * np.cos(angle), left + radius, right - radius)
            y = np.clip(y + radius * np.sin(angle), top + radius, bottom - radius)
        return hole

    kind = rng.choice(KINDS, p=SHARES)
    side = int(rng.integers(small, large + 1))
    if kind == "score":
        side = min(52, room)
        t, l = height // 2 - side // 2, width // 2 - side // 2  # noqa: E741
        hole = np.zeros(size, bool)
        hole[t : t + side, l : l + side] = True
    elif kind == "square":
        hole = square(side)
    elif kind == "disc":
        hole = ellipse(side)
    elif kind == "ellipse":
        hole = ellipse(side, rng.uniform(0.3, 1))
    elif kind == "strokes":
        hole = np.any([stroke(1.5 * side) for _ in range(rng.integers(1, 5))], axis=0)
    else:
        part = max(small, side // 2)
        shapes = [square if rng.random() < 0.5 else ellipse for _ in range(rng.integers(2, 5))]
        hole = np.any([shape(part) for shape in shapes], axis=0)
    return 1 - hole.astype("float32")
