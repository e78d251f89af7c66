"""Weights files: the original's and ours, read, written and exported.

Uses `network` and `io`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "files": ["describe", "load_model", "save_weights"],
    },
)
