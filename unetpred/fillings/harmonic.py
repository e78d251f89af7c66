"""Laplace's equation in the holes of an image: a soap film in the frame of their rims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU


def harmonic(values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Continue what is visible into the holes, so that every hidden pixel is its neighbours' mean.

    The neighbours are the four that share a side with the pixel, as far as they lie in the image:
    visible ones have their values, and at the image's border the film is free, so that it meets
    the border at a right angle. The equations of all holes, of any shape, are solved at once and
    directly [1]_, to rounding. Every hole of an image in which anything is visible has a rim.

    Parameters
    ----------
    values : numpy.ndarray, (H,W,C)
        Any range; those of hidden pixels are not used.
    visible : numpy.ndarray, (H,W) bool
        At least one pixel is.

    Returns
    -------
    numpy.ndarray, (H,W,C) float64
        The visible values, and in each channel the film between them; it exceeds them nowhere.

    References
    ----------
    .. [1] X. S. Li, "An overview of SuperLU: algorithms, implementation, and user interface", ACM
       Trans. Math. Software 31(3), 2005, 302-325.
    """
    filled = np.array(values, "float64", order="C")
    if visible.all():
        return filled
    # what is farther away than a rim has no part in the equations
    part = tuple(
        slice(max(0, int(where[0]) - 1), int(where[-1]) + 2)
        for where in (np.flatnonzero(~visible.all(axis=axis)) for axis in (1, 0))
    )
    inside, hidden = np.ascontiguousarray(filled[part]), np.flatnonzero(~visible[part])
    flat = inside.reshape(-1, inside.shape[-1])  # a view
    solver, inner, outer = _equations(visible[part])
    known = np.zeros((len(hidden), flat.shape[1]))
    np.add.at(known, inner, flat[outer])  # the visible neighbours' sum
    flat[hidden] = solver.solve(known)
    filled[part] = inside
    return filled


def _equations(visible: np.ndarray) -> tuple[SuperLU, np.ndarray, np.ndarray]:
    """The factorised equations of the hidden pixels, and who is whose visible neighbour.

    The second and third array have an entry for each pair of a hidden pixel, by its number among
    the hidden ones, and a visible neighbour, by its place in the flattened image.
    """
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    place = np.arange(visible.size).reshape(visible.shape)
    across = place[:, :-1].ravel(), place[:, 1:].ravel()
    down = place[:-1].ravel(), place[1:].ravel()
    one, two = (np.concatenate(pair) for pair in zip(across, down, strict=True))
    one, two = np.concatenate([one, two]), np.concatenate([two, one])  # from both sides
    seen = visible.ravel()
    one, two = one[~seen[one]], two[~seen[one]]  # from the hidden ones alone

    count = int((~seen).sum())
    number = np.cumsum(~seen) - 1  # among the hidden pixels
    both = ~seen[two]
    rows, columns = number[one[both]], number[two[both]]
    diagonal = np.arange(count)
    neighbours = np.bincount(number[one], minlength=count)
    entries = np.concatenate([neighbours, np.full(len(rows), -1)]).astype("float64")
    places = np.concatenate([diagonal, rows]), np.concatenate([diagonal, columns])
    matrix = csc_matrix((entries, places), shape=(count, count))
    # the matrix is symmetric, and its diagonal leads: nothing need be exchanged for precision
    options = {"SymmetricMode": True}
    solver = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options=options)
    return solver, number[one[~both]], two[~both]
