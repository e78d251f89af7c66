"""Training on several devices of a machine: each computes its part of every batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import keras

from unetpred.errors import InputError

#: Within it, networks are made and batches are divided.
Scope = Callable[[], AbstractContextManager[Any]]


def devices_scope(devices: int | Literal["all"] | None, batch_size: int) -> Scope:
    """Divide batches between devices, by Keras' own `DataParallel`.

    Every device has all weights, and gradients are summed over the whole batch: the result is that
    of one device, up to rounding.

    Parameters
    ----------
    devices : int or "all", optional
        How many; the backend's own choice, which is one, if not given.
    batch_size : int
        Images per step, on all of them together.

    Returns
    -------
    callable
        Gives a context for making networks and for training steps, and for nothing else: what is
        measured in between need not be divisible.

    Raises
    ------
    InputError
        If the backend is not JAX, there are not so many devices, or the batch cannot be divided.
    """
    if devices is None:
        return nullcontext
    backend = keras.backend.backend()
    if backend != "jax":
        raise InputError(
            f"--devices {devices}: Keras trains on several devices with JAX alone, and this is "
            f"{backend}; set KERAS_BACKEND=jax, or leave --devices away"
        )
    there = keras.distribution.list_devices()
    count = len(there) if devices == "all" else int(devices)
    if count > len(there):
        raise InputError(f"--devices {devices}: there are {len(there)}: {', '.join(there)}")
    if batch_size % count:
        raise InputError(
            f"batch_size is {batch_size}; a multiple of {count} is needed for {count} devices"
        )
    spread = keras.distribution.DataParallel(devices=there[:count], auto_shard_dataset=False)
    return spread.scope
