"""What determines the training of a network that segments. Light: it imports no Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unetpred.errors import InputError
from unetpred.segmentation.data.augmentation import KINDS
from unetpred.training.config import MULTIPLE, OPTIMIZERS


@dataclass
class SegmentationConfig:
    """Everything that determines a run. What is not said here is as in `TrainConfig`.

    Attributes
    ----------
    images, labels : str, optional
        Folders of images and labels, paired by stem; or TIFF files of several pages.
    voc, split : str, optional
        In their stead a folder as PASCAL VOC has it, and which of its lists is trained on.
    val_images, val_labels : str, optional
        What is measured on.
    val_split : float or str
        Without them: the share of the images that is held out, 0..1, of stacks the last ones; of
        `voc` the name of another list.
    val_limit : int
        At most so many held-out images are measured on.
    classes : str, optional
        A file with the names of the classes.
    void : int, optional
        The value of labels whose pixels do not count.
    init : str
        See `unetpred.segmentation.training.first_weights.first_weights`.
    width : float, optional
        Factor on the filters; that of the first weights if not given, 0.25 for random ones.
    image_size : int
        Side of the crops, px, a multiple of 32.
    augmentation : {"upright", "turned", "none"}
    elastic, scale, contrast : float
        See `unetpred.segmentation.data.augmentation.Augmentation`.
    dice : float
        Weight of the overlap in the loss, see
        `unetpred.segmentation.training.losses.segmentation_loss`.
    class_weights : {"none", "balanced"}
        See `unetpred.segmentation.training.losses.balanced`.
    border : float
        Weight of thin borders, for two classes; see
        `unetpred.segmentation.data.borders.border_weights`.
    """

    images: str | None = None
    labels: str | None = None
    voc: str | None = None
    split: str = "train"
    val_images: str | None = None
    val_labels: str | None = None
    val_split: float | str = 0.1
    val_limit: int = 64
    val_interval: int = 250
    classes: str | None = None
    void: int | None = None
    checkpoint_dir: str = "checkpoints"
    init: str = "random"
    vgg_weights: str | None = None
    width: float | None = None
    image_size: int = 224
    augmentation: str = "upright"
    elastic: float = 10.0
    scale: float = 1.25
    contrast: float = 0.25
    dice: float = 0.0
    class_weights: str = "none"
    border: float = 0.0
    batch_size: int = 4
    epochs: int = 100
    max_minutes: float | None = None
    steps_per_epoch: int | None = None
    optimizer: str = "muon"
    lr: float = 2e-3
    encoder_rate: float = 1.0
    warmup: int = 50
    decay: float = 0.7
    weight_decay: float = 1e-4
    ema: float = 0.99
    mixed_precision: bool = False
    jit_compile: bool | None = None
    checkpoint_interval: int = 250
    log_interval: int = 50
    seed: int = 0
    workers: int = 1

    final = 0.0  # a run ends on crops as it began

    def __post_init__(self) -> None:
        for name, known in (
            ("augmentation", KINDS),
            ("optimizer", OPTIMIZERS),
            ("class_weights", ("none", "balanced")),
        ):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} {getattr(self, name)!r} is unknown; there are {', '.join(known)}"
                )
        counts = ("val_limit", "val_interval", "batch_size", "epochs", "checkpoint_interval")
        for name in (*counts, "log_interval", "workers", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; at least 1 is needed")
        for name in ("seed", "warmup", "weight_decay", "encoder_rate", "elastic", "dice", "border"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; 0 or more is needed")
        if self.seed >= 1 << 32:
            raise InputError(f"seed is {self.seed}; less than {1 << 32} is needed")
        for name in ("lr", "max_minutes", "width"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} is {value}; a number above 0 is needed")
        for name, top in (("ema", 1), ("contrast", 1), ("decay", math.nextafter(1, 2))):
            value = getattr(self, name)
            if not 0 <= value < top:
                raise InputError(f"{name} is {value}; 0..1 is needed{', below 1' * (top == 1)}")
        if not 1 <= self.scale <= 4:
            raise InputError(f"scale is {self.scale}; 1..4 is needed")
        if self.image_size < MULTIPLE or self.image_size % MULTIPLE:
            raise InputError(
                f"image_size is {self.image_size}; a multiple of {MULTIPLE} px is needed"
            )
        self._check_split()

    def _check_split(self) -> None:
        if self.voc and isinstance(self.val_split, str):
            return
        try:
            self.val_split = float(self.val_split)
        except ValueError:
            raise InputError(
                f"val_split is {self.val_split!r}; a share 0..1 is needed, or with --voc the name "
                "of a list"
            ) from None
        if not 0 < self.val_split < 1:
            raise InputError(f"val_split is {self.val_split:g}; between 0 and 1 is needed")
