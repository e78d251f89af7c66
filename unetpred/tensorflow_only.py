"""TensorFlow only: the same digits twice on a CPU. Nothing else imports TensorFlow by name."""

from __future__ import annotations


def make_deterministic() -> None:
    """Have TensorFlow's operations add up in a fixed order, where there is no GPU to slow down."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
