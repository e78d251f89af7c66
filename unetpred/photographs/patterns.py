"""Drawn patterns to train on beside photographs: stripes and edges, as stimuli have them."""

from __future__ import annotations

import numpy as np

KINDS = ("grating", "bars", "edge")


def random_pattern(
    rng: np.random.Generator | int, side: int, kind: str | None = None
) -> np.ndarray:
    """Draw a pattern that goes on through any hole.

    Photographs have few long straight stripes, but gratings, bars and edges are what vision is
    studied with, and what follows from the surroundings alone.

    The kinds, drawn alike:

    * "grating": between two colours, of any orientation, a period of 6 to 80 px, and a profile
      from sinusoidal to square; three in ten are crossed with another one;
    * "bars": parallel ones of 4 to 40 px, each of its own colour;
    * "edge": between two colours, from sharp to 20 px wide.

    Half of them are bent into arcs of a radius down to the side. Half have grey colours only. All
    have a gradient of light of up to 30 levels to either side, and half noise of up to 6 levels.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Where all randomness comes from, or the seed of it.
    side : int
        Of the pattern, px.
    kind : {"grating", "bars", "edge"}, optional
        Drawn at random if not given.

    Returns
    -------
    numpy.ndarray
        (side,side,3) float32, RGB 0..255.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    rng = np.random.default_rng(rng)
    kind = kind or str(rng.choice(KINDS))
    along, across = _coordinates(rng, side)
    grey = rng.random() < 0.5

    def colour(count: int) -> np.ndarray:
        return rng.uniform(0, 255, (count, 1 if grey else 3)) * np.ones(3)  # (count,3)

    if kind == "grating":
        profile = _grating(rng, along)
        if rng.random() < 0.3:
            profile = (profile + _grating(rng, across)) / 2
        first, second = colour(2)
        pattern = first + profile[..., None] * (second - first)
    elif kind == "bars":
        widths = rng.uniform(4, 40, side)  # more than enough to cross the diagonal
        bounds = np.cumsum(widths) - rng.uniform(1, 2) * side
        pattern = colour(side + 1)[np.searchsorted(bounds, along)]
    elif kind == "edge":
        blur = np.exp(rng.uniform(np.log(0.3), np.log(5)))
        profile = 1 / (1 + np.exp(-(along - rng.uniform(-0.25, 0.25) * side) / blur))
        first, second = colour(2)
        pattern = first + profile[..., None] * (second - first)
    else:
        raise ValueError(f"kind {kind!r} is unknown; there are {', '.join(KINDS)}")
    light = rng.uniform(-30, 30, 2)
    y, x = np.mgrid[:side, :side] / side - 0.5
    pattern = pattern + (2 * light[0] * y + 2 * light[1] * x)[..., None]
    if rng.random() < 0.5:
        pattern = pattern + rng.normal(0, rng.uniform(0, 6), (side, side, 1))
    return np.clip(pattern, 0, 255).astype("float32")


def _coordinates(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (side,side) in px across and along the stripes, from the middle, bent or not."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    if rng.random() < 0.5:
        radius = side / rng.uniform(0.1, 1)
        along, across = np.hypot(along + radius, across) - radius, across
    return along, across


def _grating(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    period = np.exp(rng.uniform(np.log(6), np.log(80)))
    sharpness = np.exp(rng.uniform(np.log(0.3), np.log(10)))
    wave = np.sin(2 * np.pi * (along / period + rng.random()))
    return 0.5 + 0.5 * np.tanh(sharpness * wave) / np.tanh(sharpness)
