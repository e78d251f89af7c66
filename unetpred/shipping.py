"""The network that ships, out of the one that is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import keras
import numpy as np

from unetpred.checkpoint import values
from unetpred.folding import fold
from unetpred.model import Config


class Shipping:
    """Exports of a training network: the average of its weights, folded.

    Parameters
    ----------
    network : keras.Model
        From `build_training_network`.
    optimizer : keras.optimizers.Optimizer
        From `make_optimizer`.
    config : Config
        What the network was built with.
    """

    def __init__(self, network: keras.Model, optimizer: keras.optimizers.Optimizer, config: Config):
        self._network, self._optimizer, self._config = network, optimizer, config
        self._step: int | None = None
        self._model: keras.Model | None = None

    def at(self, step: int, unmeasured: Iterable[str]) -> keras.Model:
        """Give the network as it ships; always the same model, with new weights.

        Parameters
        ----------
        step : int
            Where the run stands; the weights are taken anew when it has changed.
        unmeasured : iterable of str
            The normalisations whose statistics began from nothing at step 0.
        """
        if self._step != step:
            with self._averaged(step, unmeasured):
                model = fold(self._network, self._config)
            if self._model is None:
                self._model = model
            else:  # what was compiled for it serves again
                self._model.set_weights(model.get_weights())
            self._step = step
        return self._model

    @contextmanager
    def _averaged(self, step: int, unmeasured: Iterable[str]) -> Iterator[None]:
        kept = [(variable, values(variable)) for variable in self._network.variables]
        try:
            self._optimizer.finalize_variable_values(self._network.trainable_variables)
            for name in unmeasured:
                norm = self._network.get_layer(name)
                # as in Adam: the share that the first values, 0 and 1, have in moving averages
                share = norm.momentum**step
                if 1e-6 < share < 1:
                    mean, variance = values(norm.moving_mean), values(norm.moving_variance)
                    norm.moving_mean.assign(mean / (1 - share))
                    norm.moving_variance.assign(np.maximum(variance - share, 0) / (1 - share))
            yield
        finally:
            for variable, value in kept:
                variable.assign(value)
