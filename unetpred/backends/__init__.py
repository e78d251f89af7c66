"""What is one backend's alone: importing Keras quietly, TF32, and PyTorch's own kernels.

Files named after a backend are the only ones that may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "keras_import": ["import_keras"],
        "precision": ["full_float32"],
    },
)
