"""How predictable is a patch of an image from its surroundings?

Importing this package is cheap: Keras and its backend are imported when an attribute that
needs them is first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "PConv2D": "unetpred.network.partial_convolution",
    "build_unetpred": "unetpred.network.model",
    "load_model": "unetpred.weights.files",
    "Predictor": "unetpred.scoring.predictor",
    "features": "unetpred.scoring.activations",
    "PredictabilityMap": "unetpred.scoring.maps",
    "predictability_map": "unetpred.scoring.maps",
    "InputError": "unetpred.errors",
}
#: Rooms, and modules by the names that they had in 0.1.
_MODULES = {
    "losses": "unetpred.losses",
    "masks": "unetpred.holes.masks",
    "images": "unetpred.images",
    "scores": "unetpred.scoring.scores",
    "segmentation": "unetpred.segmentation",
    "plots": "unetpred.plots",
    "baselines": "unetpred.fillings.simple",
    "weights": "unetpred.weights",
}

__all__ = [
    "InputError",
    "PConv2D",
    "PredictabilityMap",
    "Predictor",
    "__version__",
    "build_unetpred",
    "features",
    "load_model",
    "predictability_map",
]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'unetpred' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
