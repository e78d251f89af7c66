"""Training: one visible configuration, losses, optimiser, loop, checkpoints, logs.

Uses `photographs`, `weights`, `network`, `scoring`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["TrainConfig"],
        "run": ["Run"],
    },
)
