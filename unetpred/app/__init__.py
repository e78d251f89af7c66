"""The page: draw a hole in the browser, see what fills it and how well it could be predicted.

Uses `runs`, `results`, `segmentation`, `plots`, `scoring`, `holes`, `images`. Needs Gradio.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "page": ["page", "serve"],
    },
)
