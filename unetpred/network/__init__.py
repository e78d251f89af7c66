"""The network: partial convolution, the U-Net's graph, windows of it, receptive fields, VGG-16.

Uses `holes`, `io` and `backends`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "architecture": ["Config"],
        "model": ["build_unetpred"],
        "partial_convolution": ["PConv2D"],
    },
)
