"""The work of a map: scores of batches of places, here or in another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetpred.runs.cluster.packing import shrunk
from unetpred.runs.long_run import Work
from unetpred.runs.scoring.jobs import BATCH
from unetpred.runs.scoring.score_batch import Scoring
from unetpred.scoring.crops import Cut
from unetpred.scoring.maps import Places, PlaceScore, PlaceScorer, PredictabilityMap, plan

if TYPE_CHECKING:
    from unetpred.scoring.predictor import Predictor


class MapWork(PlaceScorer, Work[Places, tuple[Places, list[Cut]], list[PlaceScore]]):
    """Scores of a batch of places.

    Another process plans the map anew, which gives the same batches.

    Parameters
    ----------
    image, hole, context, predictor
        As for `unetpred.scoring.maps.plan`.
    scoring : Scoring
        What is computed.
    result : PredictabilityMap
        Of which it plans what is pending.
    """

    def __init__(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        context: int | str,
        predictor: Predictor,
        scoring: Scoring,
        result: PredictabilityMap,
    ):
        super().__init__(image, hole, context, predictor, scoring.content, scoring.luminance)
        self._plan = image, hole, context
        self._scoring, self._result = scoring, result
        self._planned: dict[tuple, Places] = {}

    def weights(self) -> dict[str, Path]:
        """As of `Work`."""
        return self._scoring.files()

    def __getstate__(self) -> dict:
        """Whoever gets it in another process loads the network there."""
        image, *others = self._plan
        return {"plan": (shrunk(image), *others), "of": (self._scoring, self._result)}

    def __setstate__(self, state: dict) -> None:
        self._plan, (self._scoring, self._result) = state["plan"], state["of"]

    def located(self, files: Mapping[str, Any]) -> MapWork:
        """As of `Work`."""
        from unetpred.scoring.predictor import Predictor

        image, hole, context = self._plan
        scoring = replace(self._scoring, **files)
        predictor = Predictor(scoring.weights, scoring.vgg_weights, scoring.batch_size or BATCH)
        return MapWork(image.astype(np.float32), hole, context, predictor, scoring, self._result)

    def shared(self, batch: Places) -> set[Any]:
        """As of `Work`."""
        return {id(batch.part)}

    def pack(
        self, batch: Places, sends: Callable[[str], bool], refused: Mapping[int, str]
    ) -> tuple:
        """As of `Work`."""
        return tuple(batch.cells)

    def unpack(self, packed: tuple) -> Places:
        """As of `Work`."""
        if not self._planned:
            image, hole, context = self._plan
            planned = plan(self._result, image, hole, context, self._predictor)
            self._planned = {tuple(batch.cells): batch for batch in planned}
        return self._planned[packed]
