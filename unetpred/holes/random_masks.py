"""Random holes to train on."""

from __future__ import annotations

import numpy as np

from unetpred.holes.masks import DEFAULT_HOLE

#: Kinds of holes and how often each is drawn.
SHARES = {
    "score": 0.4,
    "square": 0.2,
    "disc": 0.1,
    "ellipse": 0.1,
    "strokes": 0.1,
    "several": 0.1,
}


def random_mask(
    rng: np.random.Generator | int,
    size: tuple[int, int],
    window: tuple[int, int, int, int] | None = None,
    sizes: tuple[int, int] = (16, 104),
    kind: str | None = None,
) -> np.ndarray:
    """Make a mask with a random hole, independent of any image.

    The kinds, drawn by `SHARES`:

    * "score": the 52 px square of the score, in the middle of the mask;
    * "square", "disc": anywhere, of a side or diameter from `sizes`;
    * "ellipse": of any orientation, the long axis from `sizes`, the short one 0.3 to 1 of it;
    * "strokes": one to four winding strokes, each up to 1.5 times a size from `sizes` long;
    * "several": two to four squares and discs of half a size from `sizes`; some may touch.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Where all randomness comes from, or the seed of it.
    size : (height, width)
        Of the mask, px.
    window : (top, left, bottom, right), optional
        Holes lie inside this part, the last two exclusive; the whole mask but a margin of an
        eighth if not given.
    sizes : (smallest, largest)
        Side or diameter of the holes in px, both limited to the window.
    kind : str, optional
        A kind of `SHARES`, if it shall not be drawn.

    Returns
    -------
    numpy.ndarray
        (H,W) float32, 1 = visible, 0 = missing. At least one pixel is missing.
    """
    rng = np.random.default_rng(rng)
    height, width = size
    if window is None:
        window = (height // 8, width // 8, height - height // 8, width - width // 8)
    top, left, bottom, right = window
    room = min(bottom - top, right - left)
    small, large = min(sizes[0], room), min(sizes[1], room)
    hole = np.zeros(size, bool)

    def somewhere(side: float) -> tuple[float, float]:
        half = side / 2
        return rng.uniform(top + half, bottom - half), rng.uniform(left + half, right - half)

    def add_square(side: int) -> None:
        y, x = somewhere(side)
        t, l = round(y - side / 2), round(x - side / 2)  # noqa: E741
        hole[t : t + side, l : l + side] = True

    def add_ellipse(
        y: float, x: float, diameter: float, ratio: float = 1.0, angle: float = 0.0
    ) -> None:
        t, l = int(y - diameter / 2), int(x - diameter / 2)  # noqa: E741
        reach = int(diameter) + 2
        part = hole[t : t + reach, l : l + reach]
        rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
        dy, dx = rows + (t + 0.5 - y), columns + (l + 0.5 - x)
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        part |= along**2 + (across / ratio) ** 2 < (diameter / 2) ** 2

    def add_stroke(length: float) -> None:
        radius = min(room / 2, rng.uniform(3, max(4, length / 8)))
        y, x = somewhere(2 * radius)
        angle = rng.uniform(0, 2 * np.pi)
        for _ in range(int(length / radius) + 1):
            add_ellipse(y, x, 2 * radius)
            angle += rng.normal(0, 0.4)
            x = np.clip(x + radius * np.cos(angle), left + radius, right - radius)
            y = np.clip(y + radius * np.sin(angle), top + radius, bottom - radius)

    if kind is None:
        kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    side = int(rng.integers(small, large + 1))
    if kind == "score":
        side = min(DEFAULT_HOLE, room)
        t = int(np.clip(height // 2 - side // 2, top, bottom - side))
        l = int(np.clip(width // 2 - side // 2, left, right - side))  # noqa: E741
        hole[t : t + side, l : l + side] = True
    elif kind == "square":
        add_square(side)
    elif kind == "disc":
        add_ellipse(*somewhere(side), side)
    elif kind == "ellipse":
        ratio, angle = rng.uniform(0.3, 1), rng.uniform(0, np.pi)
        add_ellipse(*somewhere(side), side, ratio, angle)
    elif kind == "strokes":
        for _ in range(rng.integers(1, 5)):
            add_stroke(1.5 * side)
    elif kind == "several":
        part = max(small, side // 2)
        for _ in range(rng.integers(2, 5)):
            if rng.random() < 0.5:
                add_square(part)
            else:
                add_ellipse(*somewhere(part), part)
    else:
        raise ValueError(f"kind {kind!r} is unknown; there are {', '.join(SHARES)}")
    if not hole.any():  # an ellipse thinner than a pixel may lie between their centres
        hole[(top + bottom) // 2, (left + right) // 2] = True
    return 1 - hole.astype("float32")
