"""How predictable is a patch of an image from its surroundings?

Importing this package is cheap: Keras and its backend are imported when an attribute that
needs them is first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "PConv2D": "unetpred.layers",
    "build_unetpred": "unetpred.model",
    "load_model": "unetpred.weights",
    "Predictor": "unetpred.predict",
    "features": "unetpred.activations",
    "PredictabilityMap": "unetpred.maps",
    "predictability_map": "unetpred.maps",
    "InputError": "unetpred.errors",
}
_MODULES = ("losses", "masks", "images", "scores", "plots", "baselines", "weights")

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
        return importlib.import_module(f"unetpred.{name}")
    raise AttributeError(f"module 'unetpred' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
