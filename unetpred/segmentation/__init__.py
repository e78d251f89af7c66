"""Segmentation: the network gives masks of classes; data, training, prediction, measures.

Uses `training`, `photographs`, `weights`, `network`, `images`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "data.classes": ["Classes"],
        "training.config": ["SegmentationConfig"],
        "data.datasets": ["VOC", "Dataset", "Folders", "Stacks"],
        "measures": ["Measures", "evaluate", "v_rand"],
        "predictor": ["Segmenter"],
        "training.run": ["train"],
        "weights": ["load_segmenter", "save_segmenter"],
    },
)
