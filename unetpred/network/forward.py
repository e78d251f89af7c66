"""One pass through a network, by the way that takes the least time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from unetpred.holes.masks import Box

if TYPE_CHECKING:
    import keras

#: Pixels of a batch up to which all features of all layers may be in memory at once: at width 1
#: they take about half a GiB then.
AT_ONCE = 1 << 19

#: Pixels times weights from which on TensorFlow computes windows without a graph faster than whole
#: outputs with one: at width 1 all images, at a quarter those from about 370 px a side.
_APART = 1 << 38

_met: WeakSet[keras.Model] = WeakSet()
_traced: WeakSet[keras.Model] = WeakSet()


def forward(model: keras.Model, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a network for one batch.

    TensorFlow takes several times longer to trace a network than to score an image with it. The
    first small batch is therefore computed layer by layer, and only a second one compiles.

    Parameters
    ----------
    model : keras.Model
        From `unetpred.network.model.build_unetpred` or `unetpred.network.model.build_hole_model`;
        or one of images alone.
    inputs : sequence of numpy.ndarray
        Image (N,H,W,3) and mask (N,H,W,1 or 3); or the image.

    Returns
    -------
    list of numpy.ndarray
        One per output of the network; the same digits either way.
    """
    from keras import backend, ops

    small = np.prod(inputs[0].shape[:3]) <= AT_ONCE
    if backend.backend() == "tensorflow" and small and model not in _met:
        tensors = [ops.convert_to_tensor(x) for x in inputs]
        outputs = model(tensors if len(tensors) > 1 else tensors[0], training=False)
    else:
        outputs = compiled(model, list(inputs) if len(inputs) > 1 else inputs[0])
    _met.add(model)
    listed = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [ops.convert_to_numpy(y) for y in listed]


def ready(model: keras.Model) -> keras.Model:
    """A model that TensorFlow does not compile anew for every length of a batch."""
    import keras

    if keras.config.backend() == "tensorflow":
        model.jit_compile = False
    return model


def compiled(model: keras.Model, inputs: Any) -> Any:
    """What `predict_on_batch` gives, without what TensorFlow has to say on compiling."""
    from keras import backend

    if backend.backend() != "tensorflow":
        return model.predict_on_batch(inputs)
    from unetpred.backends.tensorflow import quiet_tracing, trace_for_any_length

    with quiet_tracing():
        if model not in _traced:
            # or a shorter last batch would be traced anew, and one whose mask is shared, too
            trace_for_any_length(model, inputs)
            _traced.add(model)
        return model.predict_on_batch(inputs)


def forward_windows(
    network: keras.Model, boxes: Sequence[Box], inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Windows of a network's output for one batch, layer by layer, without a graph for them.

    Parameters
    ----------
    network : keras.Model
        From `unetpred.network.model.build_unetpred`.
    boxes : sequence of (top, left, bottom, right)
        The windows, half-open.
    inputs : sequence of numpy.ndarray
        As for `forward`.

    Returns
    -------
    list of numpy.ndarray, (N,bottom-top,right-left,3)
    """
    from keras import ops

    from unetpred.network.model import window_outputs

    image, mask = (ops.convert_to_tensor(x) for x in inputs)
    return [ops.convert_to_numpy(y) for y in window_outputs(network, image, mask, boxes)]


def pays_apart(network: keras.Model, shape: tuple[int, int]) -> bool:
    """Whether `forward_windows`, one image at a time, takes less time than whole outputs do.

    PyTorch has no graphs; other backends than TensorFlow would compile every operation anew.
    """
    from keras import backend

    name = backend.backend()
    work: int = shape[0] * shape[1] * network.count_params()
    return name == "torch" or (name == "tensorflow" and work >= _APART)
