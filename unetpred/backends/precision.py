"""Scoring in float32 on GPUs too.

On NVIDIA's GPUs TensorFlow, JAX and PyTorch by default round what goes into a convolution to the
10 bits of TF32. That changes a structure score by some 3e-5, more than batches and orders of images
do. Training may use TF32, so it is switched off only while something is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def full_float32() -> Iterator[None]:
    """Have the running backend of Keras convolve in float32; then put its setting back.

    The backend must have been imported by Keras, and no other one is. OpenVINO is told on its own,
    see `unetpred.backends.openvino`.
    """
    from keras import backend

    without_tf32: Callable[[], AbstractContextManager[None]]
    name = backend.backend()
    if name == "tensorflow":
        from unetpred.backends.tensorflow import without_tf32
    elif name == "torch":
        from unetpred.backends.torch_precision import without_tf32
    elif name == "jax":
        from unetpred.backends.jax import without_tf32
    else:
        yield
        return
    with without_tf32():
        yield
