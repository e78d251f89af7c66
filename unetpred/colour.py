"""From RGB images to the values the networks see, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Mean of the ImageNet photographs VGG-16 was trained on, in the order blue, green, red (0..255).
VGG_MEAN_BGR = (103.939, 116.779, 123.68)


def to_network(rgb: Any) -> Any:
    """Turn RGB values into network values: BGR, minus the VGG mean.

    Parameters
    ----------
    rgb : array or tensor, (..., 3)
        RGB, 0..255. A NumPy array stays one, a tensor of the running backend stays one.

    Returns
    -------
    array or tensor, (..., 3)
        BGR, mean-subtracted; float32, or the dtype of `rgb` where that is a floating one.
    """
    values, mean, flip = _operands(rgb)
    return flip(values) - mean


def from_network(bgr: Any) -> Any:
    """Turn network values into RGB values, the inverse of `to_network`.

    Nothing is clipped: a network's output may lie outside of 0..255.

    Parameters
    ----------
    bgr : array or tensor, (..., 3)
        BGR, mean-subtracted.

    Returns
    -------
    array or tensor, (..., 3)
        RGB, 0..255 where `bgr` came from an image.
    """
    values, mean, flip = _operands(bgr)
    return flip(values + mean)


def _operands(values: Any) -> tuple[Any, Any, Any]:
    """Give the values as floats, the mean in their kind, and what reverses the channels."""
    if isinstance(values, np.ndarray):
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(np.float32)
        return values, np.asarray(VGG_MEAN_BGR, values.dtype), lambda v: v[..., ::-1]

    from keras import backend, ops

    if not backend.is_float_dtype(backend.standardize_dtype(values.dtype)):
        values = ops.cast(values, "float32")
    mean = ops.convert_to_tensor(VGG_MEAN_BGR, dtype=values.dtype)
    return values, mean, lambda v: ops.flip(v, axis=-1)
