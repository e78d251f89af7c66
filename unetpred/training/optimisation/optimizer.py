"""The optimiser: Muon for the kernels, AdamW for the rest, and an average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from unetpred.backends.precision import full_float32

#: The quintic of the Newton-Schulz iteration, a x + b x^3 + c x^5, as published with Muon.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
STEPS = 5
MUON_MOMENTUM = 0.95


def make_optimizer(
    lr: float,
    weight_decay: float,
    ema: float,
    kind: str = "muon",
    clip: float = 1.0,
    factors: Mapping[str, float] | None = None,
) -> keras.optimizers.Optimizer:
    """AdamW or Muon that keeps an average of the weights beside them.

    Muon [1]_ replaces the momentum of a matrix of weights by the nearest orthogonal one, so that
    every direction of a layer's input learns at the same pace, not only those that vary most. Here
    it moves the kernels between hidden layers, scaled as in [2]_, so that one learning rate suits
    both; AdamW moves the first and the last kernel, biases and normalisations.

    Parameters
    ----------
    lr : float
        Learning rate.
    weight_decay : float
        Of kernels; biases and normalisations are left alone.
    ema : float
        Momentum of the average; 0 for none. At step t it is at most (1 + t) / (10 + t), since
        otherwise the first weights would be most of the average for the first 1 / (1 - ema) steps.
    kind : {"muon", "adamw"}
        "adamw" moves all weights by AdamW.
    clip : float
        Gradients whose joint norm is above this are shrunk to it.
    factors : mapping of str to float, optional
        Factors on the learning rate, by how the paths of variables begin; with 0 only the
        decay of weights moves them.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
       https://kellerjordan.github.io/posts/muon.
    .. [2] Jingyuan Liu et al., "Muon is scalable for LLM training", arXiv:2502.16982, section 2.2.
    """
    base: Any = type(keras.optimizers.AdamW())  # on PyTorch a faster class than the one named

    class Averaging(base):
        @property
        def most(self) -> float:  # what the momentum of the average ends at
            return self._most

        @property
        def ema_momentum(self):
            t = ops.cast(self.iterations, "float32")
            return ops.minimum(self._most, (1 + t) / (10 + t))

        @ema_momentum.setter
        def ema_momentum(self, value: float):
            self._most = value

        def _backend_update_step(self, grads, trainable_variables, learning_rate):
            groups: dict[float, list] = {}
            for pair in zip(grads, trainable_variables, strict=True):
                groups.setdefault(rate_factor(pair[1].path, self.factors), []).append(pair)
            for factor, pairs in groups.items():
                if factor:
                    rate = learning_rate if factor == 1 else learning_rate * factor
                    self._move(pairs, rate)

        def _move(self, pairs, rate):
            super()._backend_update_step(*map(list, zip(*pairs, strict=True)), rate)

    class AveragingMuon(Averaging):
        def _move(self, pairs, rate):
            rest = []
            for gradient, variable in pairs:
                if moved_by_muon(variable):
                    self._muon_step(gradient, variable, rate)
                else:
                    rest.append((gradient, variable))
            if rest:
                super()._move(rest, rate)

        def _muon_step(self, gradient, variable, learning_rate):
            momentum = self._momentums[self._get_variable_index(variable)]
            mixed = _mix(momentum.value, gradient, MUON_MOMENTUM)
            update = orthogonal(_mix(gradient, mixed, 1 - MUON_MOMENTUM))  # Nesterov's
            scale = muon_scale(variable)
            self.assign(momentum, mixed)
            self.assign_sub(variable, update * ops.cast(learning_rate * scale, variable.dtype))

    optimizer = (AveragingMuon if kind == "muon" else Averaging)(
        lr,
        weight_decay=weight_decay,
        global_clipnorm=clip,
        use_ema=ema > 0,
        ema_momentum=ema,
        name=kind,
    )
    optimizer.factors = dict(factors or {})
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@full_float32()
def orthogonal(x: Any) -> Any:
    """Bring all singular values of a kernel close to 1, by the Newton-Schulz iteration of Muon.

    The products are those of float32 on every device: in the few bits of TF32 or bfloat16 this form
    of the iteration, which takes powers of the Gram matrix, goes astray.

    Parameters
    ----------
    x : tensor (..., inputs, filters)
        All axes but the last one count as one, the rows of a matrix.

    Returns
    -------
    tensor of the shape of x, float32
        With the singular vectors of x, and singular values of about 0.7 to 1.2, except those that
        were below some thousandths of the norm of x.
    """
    shape = x.shape
    x = ops.reshape(ops.cast(x, "float32"), (-1, shape[-1]))  # (rows, filters)
    x = x / (ops.norm(x) + 1e-7)
    tall = x.shape[0] >= x.shape[1]
    # x -> x q(x'x) over and over is one product with a polynomial of the smaller Gram matrix
    gram = ops.transpose(x) @ x if tall else x @ ops.transpose(x)
    a, b, c = NEWTON_SCHULZ
    one = ops.eye(gram.shape[0], dtype="float32")
    product = factor = a * one + b * gram + c * (gram @ gram)
    for _ in range(STEPS - 1):
        gram = factor @ gram @ factor
        factor = a * one + b * gram + c * (gram @ gram)
        product = product @ factor
    return ops.reshape(x @ product if tall else product @ x, shape)


def rate_factor(path: str, factors: Mapping[str, float]) -> float:
    """Give the factor on the rate of the variable of this path; 1 if none is named."""
    return next((factor for start, factor in factors.items() if path.startswith(start)), 1)


def _mix(x, y, share: float):
    return x * share + y * (1 - share)


def muon_scale(kernel: keras.Variable) -> float:
    """Give the factor that lets one rate serve Muon and AdamW."""
    height, width, inputs, filters = kernel.shape
    return 0.2 * max(filters, height * width * inputs) ** 0.5


def moved_by_muon(variable: keras.Variable) -> bool:
    """Tell whether a variable is a kernel between hidden layers."""
    # the first layer sees three colours, and the last one makes them
    return len(variable.shape) == 4 and variable.shape[2] > 3 and variable.shape[3] > 3
