"""Simple fillings, which need no training: mean, biharmonic, Telea's, harmonic.

Uses nothing but errors.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "simple": ["BASELINES"],
        "harmonic": ["harmonic"],
    },
)
