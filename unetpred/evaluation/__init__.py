"""Weights against simple fillings on held-out photographs: measures, tables, gallery.

Uses `scoring`, `photographs`, `plots`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "evaluate": ["evaluate"],
    },
)
