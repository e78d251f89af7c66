"""One pass through a network, by the way that takes the least time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

if TYPE_CHECKING:
    import keras

#: Pixels of a batch up to which all features of all layers may be in memory at once: at width 1
#: they take about half a GiB then.
AT_ONCE = 1 << 19

_met: WeakSet = WeakSet()


def forward(model: keras.Model, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a network for one batch.

    TensorFlow takes several times longer to trace a network than to score an image with it. The
    first small batch is therefore computed layer by layer, and only a second one compiles.

    Parameters
    ----------
    model : keras.Model
        From `unetpred.model.build_unetpred` or `unetpred.model.build_hole_model`.
    inputs : sequence of numpy.ndarray
        Image (N,H,W,3) and mask (N,H,W,1 or 3).

    Returns
    -------
    list of numpy.ndarray
        One per output of the network; the same digits either way.
    """
    from keras import backend, ops

    small = np.prod(inputs[0].shape[:3]) <= AT_ONCE
    if backend.backend() == "tensorflow" and small and model not in _met:
        outputs = model([ops.convert_to_tensor(x) for x in inputs], training=False)
    else:
        outputs = model.predict_on_batch(list(inputs))
    _met.add(model)
    listed = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [ops.convert_to_numpy(y) for y in listed]
