"""The network that ships, out of the one that is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from unetpred.training.records.checkpoints import values


class Shipping:
    """Exports of a training network: the average of its weights, folded.

    Parameters
    ----------
    network : keras.Model
        From `build_training_network`.
    optimizer : keras.optimizers.Optimizer
        From `make_optimizer`.
    fold : callable
        Gives the network that ships, folded, of the one that is trained.
    batches : callable
        Gives batches of inputs as in training.
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        fold: Callable[[keras.Model], keras.Model],
        batches: Callable[[], Iterable[Any]],
    ):
        self._network, self._optimizer, self._fold = network, optimizer, fold
        self._batches = batches
        self._step: int | None = None
        self._model: keras.Model | None = None

    def at(self, step: int) -> keras.Model:
        """Give the network as it ships; always the same model, with new weights.

        Parameters
        ----------
        step : int
            Where the run stands; the weights are taken anew when it has changed.
        """
        if self._step != step:
            with self._averaged():
                model = self._fold(self._network)
            if self._model is None:
                self._model = model
            else:  # what was compiled for it serves again
                self._model.set_weights(model.get_weights())
            self._step = step
        return self._model

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        kept = [(variable, values(variable)) for variable in self._network.variables]
        try:
            if int(self._optimizer.iterations):  # else there is no average yet
                self._optimizer.finalize_variable_values(self._network.trainable_variables)
            self._measure()
            yield
        finally:
            for variable, value in kept:
                variable.assign(value)

    def _measure(self) -> None:
        """Measure the statistics of the normalisations under the averaged weights.

        Those that training has gathered belong to the weights of its last steps. An average is
        shorter than what it is the average of, so under it every layer's features would come out
        too small, by a factor that multiplies up over 23 layers.
        """
        norms = [x for x in self._network.layers if isinstance(x, keras.layers.BatchNormalization)]
        momenta = [norm.momentum for norm in norms]
        try:
            for count, batch in enumerate(self._batches()):
                for norm in norms:
                    norm.momentum = count / (count + 1)  # a plain mean over the batches
                self._network(batch, training=True)
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
