"""PyTorch only: a training step with compiled forward and backward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from unetpred.training.optimizer import (
    MUON_MOMENTUM,
    moved_by_muon,
    muon_scale,
    orthogonal,
    rate_factor,
)


class CompiledStep:
    """Does what `keras.Model.train_on_batch` does, compiled except for the optimiser.

    Compiling takes some minutes on a CPU, at the first step; compiling the optimiser too, as Keras
    does, takes several times as long for little more speed. On a GPU nothing waits for the loss
    before somebody reads it, so the next batch is on its way while this one is computed.

    Parameters
    ----------
    network : keras.Model
        With a built optimiser.
    loss : callable
        Of target and output.
    optimizer : keras.optimizers.Optimizer
        From `make_optimizer`, built.
    prepare : callable
        Gives inputs and target from the arrays of a batch.
    """

    def __init__(
        self,
        network: keras.Model,
        loss: Callable[[Any, Any], Any],
        optimizer: keras.optimizers.Optimizer,
        prepare: Callable[..., tuple[list[Any], Any]],
    ):
        self._variables = network.trainable_variables
        self._update = Update(optimizer, self._variables)
        self._device = self._variables[0].value.device
        if self._device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # all batches have one shape

        def forward(*arrays: torch.Tensor) -> torch.Tensor:
            inputs, target = prepare(*arrays)
            return loss(target, network(inputs, training=True))

        self._forward = torch.compile(forward)

    def __call__(self, *arrays: np.ndarray) -> Any:
        """Take one step, and give the loss before it, a tensor () on the device."""
        for variable in self._variables:
            variable.value.grad = None
        tensors = [torch.from_numpy(array).to(self._device) for array in arrays]
        loss = self._forward(*tensors)
        loss.backward()
        self._update([variable.value.grad for variable in self._variables])
        return loss.detach()


class Update:
    """Does what the optimiser of `make_optimizer` does, in as few calls of PyTorch as possible.

    Keras turns each number into a tensor on the device, and for that the device has to finish
    what it is doing, a hundred times in a step. Here nothing waits. The state is that of the
    optimiser.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        From `make_optimizer`, built.
    variables : list of keras.Variable
        Those that it was built with.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]):
        self._optimizer = optimizer
        self._values = [variable.value for variable in variables]
        self._momentums = [m.value for m in optimizer._momentums]
        self._averages = [
            a.value for a in getattr(optimizer, "_model_variables_moving_average", [])
        ]
        self._velocities = [v.value for v in optimizer._velocities]
        self._decayed = [v.value for v in variables if optimizer._use_weight_decay(v)]
        self._muon: list[tuple[int, float]] = []  # index of a variable, factor of its rate
        self._adam: dict[float, list[int]] = {}
        for i, variable in enumerate(variables):
            factor = rate_factor(variable.path, optimizer.factors)
            if optimizer.name == "muon" and moved_by_muon(variable):
                self._muon.append((i, factor * muon_scale(variable)))
            else:
                self._adam.setdefault(factor, []).append(i)

    @torch.no_grad()
    def __call__(self, gradients: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> None:
        """Move the variables by their gradients."""
        keras_optimizer, step = self._optimizer, self._optimizer.iterations.value
        rate = keras_optimizer.learning_rate.value
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        # not clamped where it is no number, so that this is seen
        gradients = torch._foreach_mul(
            gradients, torch.minimum(keras_optimizer.global_clipnorm / norm, torch.ones_like(norm))
        )
        torch._foreach_mul_(self._decayed, 1 - keras_optimizer.weight_decay * rate)
        for i, scale in self._muon:
            if scale:
                momentum = self._momentums[i]
                momentum.lerp_(gradients[i], 1 - MUON_MOMENTUM)
                update = orthogonal(torch.lerp(gradients[i], momentum, MUON_MOMENTUM))
                self._values[i].sub_(update * (rate * scale))
        for factor, indices in self._adam.items():
            if factor:
                self._adam_step(indices, gradients, rate * factor, step + 1)
        if self._averages:
            kept = torch.minimum((1 + step) / (10 + step), torch.full_like(rate, self._most))
            kept = kept * (step > 0)
            torch._foreach_mul_(self._averages, kept)
            torch._foreach_add_(self._averages, torch._foreach_mul(self._values, 1 - kept))
        step.add_(1)

    @property
    def _most(self) -> float:
        return self._optimizer.most

    def _adam_step(
        self, indices: list[int], gradients: Sequence[torch.Tensor], rate: Any, step: Any
    ) -> None:
        first, second = self._optimizer.beta_1, self._optimizer.beta_2
        values, momentums, velocities, gradients = (
            [tensors[i] for i in indices]
            for tensors in (self._values, self._momentums, self._velocities, gradients)
        )
        torch._foreach_lerp_(momentums, gradients, 1 - first)
        torch._foreach_mul_(velocities, second)
        torch._foreach_addcmul_(velocities, gradients, gradients, 1 - second)
        rate = rate * torch.sqrt(1 - second**step) / (1 - first**step)
        roots = torch._foreach_sqrt(velocities)
        torch._foreach_add_(roots, self._optimizer.epsilon)
        updates = torch._foreach_div(momentums, roots)
        torch._foreach_mul_(updates, rate)
        torch._foreach_sub_(values, updates)
