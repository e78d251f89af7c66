"""PyTorch only: a training step with compiled forward and backward passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch


class CompiledStep:
    """What `keras.Model.train_on_batch` does, compiled but for the optimiser.

    Compiling takes some minutes, at the first step; compiling the optimiser too, as Keras does,
    takes several times as long for little more speed.

    Parameters
    ----------
    network : keras.Model
        With a built optimiser.
    loss : callable
        Of target and output.
    optimizer : keras.optimizers.Optimizer
    """

    def __init__(
        self,
        network: keras.Model,
        loss: Callable[[Any, Any], Any],
        optimizer: keras.optimizers.Optimizer,
    ):
        self._network, self._optimizer = network, optimizer
        self._forward = torch.compile(
            lambda inputs, target: loss(target, network(inputs, training=True))
        )

    def __call__(self, inputs: list[np.ndarray], target: np.ndarray) -> float:
        """Take one step, and give the loss before it."""
        variables = self._network.trainable_variables
        for variable in variables:
            variable.value.grad = None
        device = variables[0].value.device
        tensors = [torch.as_tensor(array, device=device) for array in (*inputs, target)]
        loss = self._forward(tensors[:-1], tensors[-1])
        loss.backward()
        with torch.no_grad():
            self._optimizer.apply([variable.value.grad for variable in variables], variables)
        return loss.item()
