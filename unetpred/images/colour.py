"""From RGB images to the values the networks see, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    if isinstance(rgb, np.ndarray):
        return _by_channel(rgb, np.subtract, VGG_MEAN_BGR)
    from keras import ops

    values = _floats(rgb)
    # number by number: an array of them would have to be taken to the GPU each time, which waits
    channels = [values[..., 2 - i] - mean for i, mean in enumerate(VGG_MEAN_BGR)]
    return ops.stack(channels, axis=-1)


def mask_to_network(mask: np.ndarray) -> np.ndarray:
    """Put the channels of a mask into the order of network values.

    Parameters
    ----------
    mask : numpy.ndarray, (..., 1 or 3)
        One channel for all colours, or one each for red, green and blue.

    Returns
    -------
    numpy.ndarray, (..., 1 or 3)
        One channel as it is; three as blue, green and red, as `to_network` turns an image.
    """
    # a copy, since PyTorch takes no array with negative strides
    return mask if mask.shape[-1] == 1 else np.ascontiguousarray(mask[..., ::-1])


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
    if isinstance(bgr, np.ndarray):
        return _by_channel(bgr, np.add, VGG_MEAN_BGR[::-1])
    from keras import ops

    values = _floats(bgr)
    channels = [values[..., i] + mean for i, mean in enumerate(VGG_MEAN_BGR)]
    return ops.stack(channels[::-1], axis=-1)


def _by_channel(values: np.ndarray, change: Callable, mean: Sequence[float]) -> np.ndarray:
    """Reverse the channels of (...,3) and change each by its mean."""
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float32)
    result = np.empty(values.shape, values.dtype)
    # one by one takes a third of the time: a loop over three channels is too short to be fast
    for channel, number in enumerate(np.asarray(mean, values.dtype)):
        change(values[..., 2 - channel], number, out=result[..., channel])
    return result


def _floats(values: Any) -> Any:
    """Give a tensor as floats."""
    from keras import backend, ops

    if backend.is_float_dtype(backend.standardize_dtype(values.dtype)):
        return values
    return ops.cast(values, "float32")
