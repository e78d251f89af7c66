"""The files of results: tables of scores, arrays of whole pictures, files of activations.

Uses `io`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "arrays": ["Arrays"],
        "feature_files": ["FeatureFile"],
        "tables": ["to_frame", "write_table"],
    },
)
