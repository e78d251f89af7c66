"""PyTorch only: a training step with compiled forward and backward passes."""

from __future__ import annotations

from collections.abc import Callable
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

RECORD_AT = 3  # steps after which a GPU's calls are recorded: the first ones choose their kernels


class CompiledStep:
    """What `keras.Model.train_on_batch` does, compiled but for the optimiser.

    Compiling takes some minutes on a CPU, at the first step; compiling the optimiser too, as Keras
    does, takes several times as long for little more speed. On a GPU nothing waits for the loss
    before it is looked at, so that the next batch is on its way while this one is computed.

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
        prepare: Callable[..., tuple[list, Any]],
    ):
        self._variables = network.trainable_variables
        self._update = Update(optimizer, self._variables)
        self._device = self._variables[0].value.device
        if self._device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # all batches have one shape

        def forward(*arrays):
            inputs, target = prepare(*arrays)
            return loss(target, network(inputs, training=True))

        self._forward = torch.compile(forward)

    def __call__(self, *arrays: np.ndarray) -> Any:
        """Take one step, and give the loss before it, a tensor () on the device."""
        for variable in self._variables:
            if variable.value.grad is not None:  # kept, so that it stays where it is
                variable.value.grad.zero_()
        tensors = [torch.from_numpy(array).to(self._device) for array in arrays]
        loss = self._forward(*tensors)
        loss.backward()
        self._update([variable.value.grad for variable in self._variables])
        return loss.detach()


class Update:
    """What the optimiser of `make_optimizer` does, in as few calls as PyTorch has for it.

    Keras turns each number into a tensor on the device, and the device has to end what it is at
    for that: a hundred times in a step. Here nothing waits. The state is that of the optimiser.

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
        self._seen, self._graph, self._places = 0, None, []
        self._muon: list[tuple[int, float]] = []  # index of a variable, factor of its rate
        self._adam: dict[float, list[int]] = {}
        for i, variable in enumerate(variables):
            factor = rate_factor(variable.path, optimizer.factors)
            if optimizer.name == "muon" and moved_by_muon(variable):
                self._muon.append((i, factor * muon_scale(variable)))
            else:
                self._adam.setdefault(factor, []).append(i)

    def __call__(self, gradients: list[torch.Tensor]) -> None:
        """Move the variables by their gradients.

        On a GPU the calls are recorded once and played back from then on, since beginning them one
        by one takes longer than they do. Gradients must then stay at their places in memory.
        """
        places = [gradient.data_ptr() for gradient in gradients]
        if gradients[0].device.type != "cuda" or self._seen < RECORD_AT:
            self._seen += 1
            self._move(gradients)
        elif self._graph is None or places != self._places:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):  # which computes nothing yet
                self._move(gradients)
            self._graph, self._places = graph, places
            graph.replay()
        else:
            self._graph.replay()

    @torch.no_grad()
    def _move(self, gradients: list[torch.Tensor]) -> None:
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

    def _adam_step(self, indices, gradients, rate, step) -> None:
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
