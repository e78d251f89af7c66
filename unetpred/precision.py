"""Scoring in float32 on GPUs too.

TensorFlow, JAX and PyTorch round what goes into a convolution to the 10 bits of TF32 on NVIDIA's
GPUs, unless told otherwise. That moves a structure score by some 3e-5, more than batches and
orders of images do. Training may have it, so it is switched off for the time of scoring alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_float32() -> Iterator[None]:
    """Have the running backend of Keras convolve in float32; then put its setting back.

    The backend must have been imported by Keras, and no other one is. OpenVINO is told on its own,
    see `unetpred.openvino_only`.
    """
    from keras import backend

    name = backend.backend()
    if name == "tensorflow":
        from unetpred.tensorflow_only import without_tf32
    elif name == "torch":
        from unetpred.torch_precision import without_tf32
    elif name == "jax":
        from unetpred.jax_only import without_tf32
    else:
        yield
        return
    with without_tf32():
        yield
