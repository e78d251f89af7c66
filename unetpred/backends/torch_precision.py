"""PyTorch only: the precision of convolutions and products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute in float32 for a while, where a GPU may have been told to take TF32."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    # newer versions have a setting for each kind of operation, and refuse that they be mixed
    settings: list[tuple[Any, str, bool | str]] = [
        (cudnn, "allow_tf32", False),
        (products, "allow_tf32", False),
    ]
    if hasattr(cudnn, "conv"):
        settings = [(holder, "fp32_precision", "ieee") for holder in (cudnn.conv, products)]
    kept = [getattr(holder, name) for holder, name, _ in settings]
    for holder, name, off in settings:
        setattr(holder, name, off)
    try:
        yield
    finally:
        for (holder, name, _), value in zip(settings, kept, strict=True):
            setattr(holder, name, value)
