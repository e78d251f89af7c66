"""From files, arrays and HDF5 to pixels, RGB 0..255, and to the values that networks see.

Uses `io`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "inputs": ["list_inputs"],
        "sources": ["list_sources"],
    },
)
