"""PyTorch only: the precision of convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def without_tf32() -> Iterator[None]:
    """Convolve in float32 for a while, where the default on a GPU is TF32."""
    cudnn = torch.backends.cudnn
    # newer versions have a setting for each kind of operation, and refuse that they be mixed
    setting: tuple[Any, str, bool | str] = (cudnn, "allow_tf32", False)
    if hasattr(cudnn, "conv"):
        setting = (cudnn.conv, "fp32_precision", "ieee")
    holder, name, off = setting
    kept = getattr(holder, name)
    setattr(holder, name, off)
    try:
        yield
    finally:
        setattr(holder, name, kept)
