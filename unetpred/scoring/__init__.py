"""A predictor and its ways of computing holes; scores, covariates, maps, activations.

Uses `weights`, `network`, `fillings`, `holes`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "predictor": ["Predictor"],
        "result": ["Result"],
        "map_grid": ["PredictabilityMap"],
        "activations": ["Extractor"],
        "scores": ["content", "structure"],
    },
)
