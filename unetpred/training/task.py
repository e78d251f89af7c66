"""What a run trains towards: the part of it that knows of images, targets and measures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np


class Quality(NamedTuple):
    """What measuring a network on held-out images gives.

    Attributes
    ----------
    best : float
        What the best network has most of; NaN where that is undefined.
    row : dict of str to float
        What is added to a row of `history.csv`.
    picture : numpy.ndarray
        (H,W,3) uint8, to look at.
    seconds : float
        How long it takes, without what is done but once.
    text : str
        The numbers in words, for the log.
    valid : bool
        Whether the output of the network was made of numbers.
    """

    best: float
    row: dict[str, float]
    picture: np.ndarray
    seconds: float
    text: str
    valid: bool = True


class Task(Protocol):
    """What `unetpred.training.run.Run` asks of what it trains.

    Attributes
    ----------
    size : int
        Number of images to train on.
    columns : tuple of str
        What `history.csv` has beside step, loss, rate and speed.
    picture : str
        What the picture of held-out images shows.
    rate_factors : dict of str to float
        See `unetpred.training.optimisation.optimizer.make_optimizer`.
    """

    size: int
    columns: tuple[str, ...]
    picture: str
    rate_factors: dict[str, float]

    def build(self) -> keras.Model:
        """Build the network that is trained, with random weights."""

    def first_weights(self, network: keras.Model, batches: Iterable[Any]) -> None:
        """Give it the weights it begins with; `batches` are inputs as in training."""

    def begun(self, folder: Path) -> None:
        """Leave in the folder of a run what is worth a look before its first step."""

    def ship(self, network: keras.Model) -> keras.Model:
        """Make the network that ships of the one that is trained."""

    def write(self, model: keras.Model, path: Path, step: int) -> None:
        """Write the network that ships."""

    def batch(self, step: int, final: bool) -> tuple[Any, ...]:
        """Give a batch: arrays, and behind them the names of the files."""

    def batches(self, wanted: Iterable[tuple[int, bool]]) -> Generator[tuple[Any, ...], None, None]:
        """Give batches in order, made ahead."""

    def prepare(self, *arrays: Any) -> tuple[Any, Any]:
        """Turn the arrays of a batch into inputs of the network and target of the loss."""

    def loss(self, true: Any, predicted: Any) -> Any:
        """Compare target and output."""

    def measure(self, model: keras.Model, stop: Callable[[], bool]) -> Quality | None:
        """Measure the network that ships on held-out images; None if `stop` said so."""

    def baselines(self) -> dict[str, float]:
        """Measure what simple methods reach, for the row at step 0; empty if there are none."""

    def fingerprint(self) -> dict[str, Any]:
        """Tell the images from others: `count`, and a hash."""

    def notes(self) -> dict[str, Any]:
        """What `config.json` says beside the configuration."""
