"""Holes and masks: 1 is visible, 0 is missing."""

from __future__ import annotations

import logging
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from unetpred.errors import InputError
from unetpred.images.array_files import read_npy
from unetpred.images.arrays import array_layout
from unetpred.images.decoding import IMAGE_ENDINGS, decode_image, drop_alpha
from unetpred.io.limits import check_size
from unetpred.io.reading import check_regular, reading

logger = logging.getLogger(__name__)

Box = tuple[int, int, int, int]
"""(top, left, bottom, right) px, the last two exclusive: `image[top:bottom, left:right]`."""

DEFAULT_HOLE = 52
"""Side of the published method's hole, px."""


def hole_box(
    size_hw: tuple[int, int], hole: int = DEFAULT_HOLE, center: tuple[int, int] | None = None
) -> Box:
    """Place a hole: rows Y - hole//2 .. Y - hole//2 + hole - 1 for centre (X,Y), columns alike.

    Parameters
    ----------
    size_hw : tuple of int
        (H, W) of the image, px.
    hole : int
        Side, or diameter, px.
    center : tuple of int, optional
        (x, y), column and row, 0-based. Default (W//2, H//2).

    Returns
    -------
    tuple of int
        (top, left, bottom, right), the last two exclusive.

    Raises
    ------
    InputError
        If the hole does not fit into the image, or a number is not whole.
    """
    height, width = size_hw
    hole = _whole(hole, "the size of the hole")
    x, y = (width // 2, height // 2) if center is None else center
    x, y = _whole(x, "the centre's x"), _whole(y, "the centre's y")
    if hole < 1:
        raise InputError(f"a hole of {hole} px is none; at least 1 px is needed")
    top, left = y - hole // 2, x - hole // 2
    if top < 0 or left < 0 or top + hole > height or left + hole > width:
        raise InputError(
            f"a hole of {hole} px at x={x}, y={y} covers columns {left}..{left + hole - 1} and "
            f"rows {top}..{top + hole - 1}, which does not fit into an image of "
            f"{width}x{height} px (width x height)"
        )
    return top, left, top + hole, left + hole


def hole_mask(
    size_hw: tuple[int, int],
    hole: int = DEFAULT_HOLE,
    shape: Literal["square", "disc"] = "square",
    center: tuple[int, int] | None = None,
) -> np.ndarray:
    """Make the mask of a single hole.

    Parameters
    ----------
    size_hw, hole, center
        As in `hole_box`.
    shape : {"square", "disc"}
        A disc is missing where a pixel's centre lies within hole/2 of the centre of the
        hole x hole box.

    Returns
    -------
    numpy.ndarray
        (H,W) float32, 1 visible, 0 missing.

    Raises
    ------
    InputError
        If the hole does not fit into the image.
    """
    if shape not in ("square", "disc"):
        raise InputError(f"unknown shape of hole {shape!r}; square or disc is needed")
    top, left, bottom, right = hole_box(size_hw, hole, center)
    mask = np.ones(size_hw, np.float32)
    if shape == "square":
        mask[top:bottom, left:right] = 0
    else:
        # Twice the distance to the centre of the box, which may lie between pixels.
        offset = 2 * np.arange(bottom - top) - (bottom - top - 1)
        outside = offset[:, None] ** 2 + offset[None, :] ** 2 > (bottom - top) ** 2
        mask[top:bottom, left:right] = outside
    return mask


def hole_boxes(mask: np.ndarray) -> list[Box]:
    """Find the holes: bounding boxes of the 8-connected sets of missing pixels.

    Parameters
    ----------
    mask : numpy.ndarray
        (H,W), 0 missing, anything else visible.

    Returns
    -------
    list of tuple of int
        (top, left, bottom, right) of each, the last two exclusive, from top to bottom, then
        from left to right.
    """
    missing = np.asarray(mask) == 0
    rows, columns = (np.flatnonzero(missing.any(axis=axis)) for axis in (1, 0))
    if len(rows) and missing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all():
        # one rectangle, as the default hole is; importing SciPy takes longer than the rest
        return [(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)]

    from scipy import ndimage

    labels, _ = ndimage.label(missing, structure=np.ones((3, 3)))
    boxes: list[Box] = [(r.start, c.start, r.stop, c.stop) for r, c in ndimage.find_objects(labels)]
    return sorted(boxes)


class MaskStack:
    """Masks of which each is read when it is asked for.

    Parameters
    ----------
    path : str
        What messages call them: the file.
    shape : tuple of int
        (N,H,W), of the masks.
    opened : callable
        Gives the array of all; called anew for every mask.
    """

    def __init__(self, path: str, shape: tuple[int, int, int], opened: Callable[[], np.ndarray]):
        self.path, self.shape, self._open = path, shape, opened

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        """One mask, (H,W) float32, 1 visible, 0 missing. Raises InputError as `load_mask` does."""
        # mapped anew each time: what has been read of a mapping stays in memory as long as it does
        masks = self._open()
        if index >= len(masks):
            raise IndexError(index)  # where a loop over all of them ends
        with reading(self.name(index)):
            return _visible(drop_alpha(np.array(masks[index]))[0], self.name(index))

    def name(self, index: int) -> str:
        """What messages call a mask."""
        return f"{self.path}: mask {index}"


def load_mask(path: str | os.PathLike[str]) -> np.ndarray | MaskStack:
    """Read a mask: what is not 0 is visible.

    Parameters
    ----------
    path : path-like
        An image, of which a pixel is visible if any colour channel is not 0 (alpha is ignored),
        or a .npy of shape (H,W), (N,H,W), either with a last axis of 1, 3 or 4 channels.

    Returns
    -------
    numpy.ndarray or MaskStack
        (H,W) float32, 1 visible, 0 missing; for (N,H,W) a stack of them that is read one by one.

    Raises
    ------
    InputError
        If it cannot be read, has NaN or infinite values, or is no picture by its shape.
    """
    path = os.fspath(path)
    ending = Path(path).suffix.lower()
    if os.path.exists(path) and ending not in (*IMAGE_ENDINGS, ".npy"):
        raise InputError(f"{path}: a mask is an image ({', '.join(IMAGE_ENDINGS)}) or a .npy")
    present = check_regular(path)
    with reading(path):
        if ending == ".npy":
            values = read_npy(path)
            _, size = array_layout(values.shape, path)
            check_size(size, present, path, values.itemsize)
            return mask_array(values, path, lambda: read_npy(path))
        pixels = decode_image(path).pixels
        if len(np.unique(pixels)) > 2:
            logger.warning(
                "%s: has more than two values; all but 0 are taken for one (JPEG blurs masks, PNG "
                "does not)",
                path,
            )
        return _visible(pixels, path)


def mask_array(
    values: np.ndarray, name: str, opened: Callable[[], np.ndarray] | None = None
) -> np.ndarray | MaskStack:
    """A mask, or masks, in an array: what is not 0 is visible.

    Parameters
    ----------
    values : numpy.ndarray
        (H,W), (N,H,W), either with a last axis of 1, 3 or 4 channels.
    name : str
        What messages call it.
    opened : callable, optional
        Gives the array anew, where it lies in a file.

    Returns
    -------
    numpy.ndarray or MaskStack
        As of `load_mask`.

    Raises
    ------
    InputError
        If it has NaN or infinite values, or is no picture by its shape.
    """
    count, size = array_layout(values.shape, name)
    if count is not None:
        return MaskStack(name, (count, *size), opened or (lambda: values))
    return _visible(drop_alpha(values)[0], name)


def check_mask(mask: np.ndarray, size_hw: tuple[int, int], name: str, zero: bool = True) -> None:
    """Refuse a mask that cannot be used for an image.

    Parameters
    ----------
    mask : numpy.ndarray
        (H,W).
    size_hw : tuple of int
        (H, W) of the image, px.
    name : str
        What the message calls the mask.
    zero : bool
        Whether 0 was missing in what the user gave; else anything else was.

    Raises
    ------
    InputError
        If the sizes differ, or nothing is hidden, or nothing is visible.
    """
    if mask.shape != tuple(size_hw):
        raise InputError(
            f"{name}: is {_size_text(mask.shape)}, but the image is {_size_text(size_hw)}; "
            "a mask has the size of its image"
        )
    missing, visible = ("0", "1") if zero else ("1", "0")
    if np.all(mask):
        raise InputError(f"{name}: nothing is hidden; a mask is {missing} where pixels are missing")
    if not np.any(mask):
        raise InputError(
            f"{name}: nothing is visible; a mask is {visible} where pixels are visible"
        )


def checked_masks(
    mask: np.ndarray | None, shape: tuple[int, int, int, int], zero: bool = True
) -> np.ndarray:
    """Check the masks of some images, and give them one form.

    Parameters
    ----------
    mask : numpy.ndarray or None
        (H,W), (N,H,W), or either with one or three channels; anything but 0 = visible. None for
        the published hole, centred.
    shape : tuple of int
        (N,H,W,3), of the images.
    zero : bool
        Whether 0 is missing in `mask`; else anything else is.

    Returns
    -------
    numpy.ndarray
        (1 or N,H,W,1 or 3) float32, 1 visible, 0 missing.

    Raises
    ------
    InputError
        If the shape does not fit, a value is not finite, or a mask hides nothing or all.
    """
    count, height, width, _ = shape
    if mask is None:
        return hole_mask((height, width))[None, ..., None]
    given = np.asarray(mask)
    forms = {
        (height, width): (1, height, width, 1),
        (height, width, 1): (1, height, width, 1),
        (height, width, 3): (1, height, width, 3),
        (count, height, width): (count, height, width, 1),
        (count, height, width, 1): (count, height, width, 1),
        (count, height, width, 3): (count, height, width, 3),
    }
    if given.shape not in forms:
        raise InputError(
            f"mask of shape {given.shape} does not fit images of shape {shape}: "
            "(H,W), (N,H,W), or either with one or three channels is right"
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError("mask holds NaN or infinity; 0 = missing and anything else = visible")
    masks = ((given != 0) == zero).astype("float32").reshape(forms[given.shape])
    for one in masks:
        check_mask(one.reshape(height, -1), (height, width * one.shape[-1]), "mask", zero)
    return masks


def _visible(pixels: np.ndarray, name: str) -> np.ndarray:
    """(H,W[,C]) -> (H,W) float32."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise InputError(f"{name}: has NaN or infinite values; 0 (missing) and 1 are needed")
    visible = pixels != 0
    return (visible.any(axis=-1) if visible.ndim == 3 else visible).astype(np.float32)


def _whole(value: int, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; a whole number of pixels is needed") from None


def _size_text(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"{shape[1]}x{shape[0]} px (width x height)"
    return f"of shape {tuple(shape)}"
