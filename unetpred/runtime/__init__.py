"""What every long run needs: prefetching, progress, interruption, the words to go on.

Knows nothing of images or networks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "prefetch": ["prefetch"],
        "interrupt": ["Stopped", "stop_signals"],
        "progress": ["progress_bar"],
    },
)
