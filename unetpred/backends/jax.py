"""JAX only: the precision of convolutions."""

from __future__ import annotations

from contextlib import AbstractContextManager

import jax


def without_tf32() -> AbstractContextManager[None]:
    """Compute in float32 for a while, where the default on a GPU is TF32."""
    return jax.default_matmul_precision("highest")  # convolutions go by it, too
