"""AdamW with an average of the weights that is of use from the first steps on."""

from __future__ import annotations

import keras
from keras import ops


def make_optimizer(
    lr: float, weight_decay: float, ema: float, clip: float = 1.0
) -> keras.optimizers.Optimizer:
    """AdamW that keeps an average of the weights beside them.

    Parameters
    ----------
    lr : float
        Learning rate.
    weight_decay : float
        Of kernels; biases and normalisations are left alone.
    ema : float
        Momentum of the average; 0 for none. At step t it is at most (1 + t) / (10 + t), since
        otherwise the first weights would be most of the average for the first 1 / (1 - ema) steps.
    clip : float
        Gradients whose joint norm is above this are shrunk to it.
    """
    base = type(keras.optimizers.AdamW())  # on PyTorch a faster class than the one named

    class AveragingAdamW(base):
        @property
        def ema_momentum(self):
            t = ops.cast(self.iterations, "float32")
            return ops.minimum(self._most, (1 + t) / (10 + t))

        @ema_momentum.setter
        def ema_momentum(self, value: float):
            self._most = value

    optimizer = AveragingAdamW(
        lr,
        weight_decay=weight_decay,
        global_clipnorm=clip,
        use_ema=ema > 0,
        ema_momentum=ema,
        name="adamw",
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
