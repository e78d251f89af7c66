"""How predictable is a patch of an image from its surroundings?

Importing this package is cheap: Keras and its backend are imported when an attribute that
needs them is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for editors and type checkers
    from unetpred import app as app
    from unetpred import images as images
    from unetpred import losses as losses
    from unetpred import plots as plots
    from unetpred import segmentation as segmentation
    from unetpred import weights as weights
    from unetpred.errors import InputError
    from unetpred.fillings import simple as baselines  # noqa: F401
    from unetpred.holes import masks as masks
    from unetpred.holes.hole import Hole
    from unetpred.network.model import build_unetpred
    from unetpred.network.partial_convolution import PConv2D
    from unetpred.runs.features_in_memory import features
    from unetpred.runs.maps.map_in_memory import predictability_map
    from unetpred.runs.scoring.score import score
    from unetpred.scoring import scores as scores
    from unetpred.scoring.maps import PredictabilityMap
    from unetpred.scoring.predictor import Predictor
    from unetpred.weights.files import load_model

__version__ = "0.2.0.dev0"

_HOMES = {
    "PConv2D": "unetpred.network.partial_convolution",
    "build_unetpred": "unetpred.network.model",
    "load_model": "unetpred.weights.files",
    "Predictor": "unetpred.scoring.predictor",
    "features": "unetpred.runs.features_in_memory",
    "PredictabilityMap": "unetpred.scoring.maps",
    "predictability_map": "unetpred.runs.maps.map_in_memory",
    "InputError": "unetpred.errors",
    "Hole": "unetpred.holes.hole",
    "score": "unetpred.runs.scoring.score",
}
#: Rooms, and modules by the names that they had in 0.1.
_MODULES = {
    "app": "unetpred.app",
    "losses": "unetpred.losses",
    "masks": "unetpred.holes.masks",
    "images": "unetpred.images",
    "scores": "unetpred.scoring.scores",
    "segmentation": "unetpred.segmentation",
    "plots": "unetpred.plots",
    "baselines": "unetpred.fillings.simple",
    "weights": "unetpred.weights",
}

#: Names whose modules import Keras, or whose functions do: it must come without chatter.
_NEED_KERAS = ("PConv2D", "build_unetpred", "load_model", "losses")

__all__ = [
    "Hole",
    "InputError",
    "PConv2D",
    "PredictabilityMap",
    "Predictor",
    "__version__",
    "build_unetpred",
    "features",
    "load_model",
    "predictability_map",
    "score",
]


if not TYPE_CHECKING:  # or type checkers would take a misspelt name for one of these

    def __getattr__(name: str) -> Any:
        if name in _NEED_KERAS:
            from unetpred.backends.keras_import import import_keras

            import_keras(ours=False)
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
        raise AttributeError(f"module 'unetpred' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
