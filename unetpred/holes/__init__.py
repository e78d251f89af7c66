"""Which pixels are missing (masks: 1 = visible, 0 = missing) and what surrounds them.

Uses `images`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "contexts": ["Context"],
        "hole": ["Hole"],
        "masks": ["hole_box", "hole_mask"],
        "own_masks": ["Masks"],
        "scenes": ["Scenes"],
        "sites": ["Sites"],
    },
)
