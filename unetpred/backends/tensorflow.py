"""TensorFlow only: its settings. Nothing else imports TensorFlow by name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf


def make_deterministic() -> None:
    """Have TensorFlow's operations add up in a fixed order, where there is no GPU to slow down.

    On a GPU products of float32 matrices are not taken in TF32 from here on: the optimiser's lose
    their footing in it, and a compiled step looks at this setting when it runs, not when it is
    made.
    """
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_tensor_float_32_execution(False)
    else:
        tf.config.experimental.enable_op_determinism()


@contextmanager
def quiet_tracing() -> Iterator[None]:
    """Keep TensorFlow's advice on tracing from the log for a while.

    It counts what all networks trace, and takes one traced once for each size for a mistake.
    """

    def wanted(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def trace_for_any_length(model: Any, inputs: Any) -> None:
    """Trace what a model predicts, once for batches of any length.

    Parameters
    ----------
    model : keras.Model
        Not one that XLA compiles, which is done for each length in any case.
    inputs : array, or sequence of arrays
        A batch, of whose shapes all but the lengths are kept.
    """
    if model.jit_compile:
        return
    several = isinstance(inputs, list | tuple)
    specs = [
        tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in (inputs if several else [inputs])
    ]
    model.make_predict_function()
    model.predict_function.get_concrete_function([(specs if several else specs[0],)])


@contextmanager
def without_tf32() -> Iterator[None]:
    """Convolve in float32 for a while, where the default on a GPU is TF32."""
    kept = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(kept)
