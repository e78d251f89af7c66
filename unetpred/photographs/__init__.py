"""Photographs to train on: crops, holes, colours and drawn patterns, by seed, in processes.

Uses `holes` and `images`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["Photographs"],
    },
)
