"""What determines a training run. Light: importing it imports neither Keras nor a backend."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Literal

from unetpred.errors import InputError
from unetpred.photographs.augmentation import AUGMENTATIONS
from unetpred.training.optimisation.losses import HOLE_WEIGHTS, UPSTREAM_WEIGHTS, VGG_TERMS

#: Variant and width of each preset, see `unetpred.network.model.Config`.
PRESETS = {"lite": ("paper", 0.25), "full": ("paper", 1.0)}
#: The losses, each with the weights that may be set.
LOSSES = {"hole": HOLE_WEIGHTS, "upstream": UPSTREAM_WEIGHTS}
OPTIMIZERS = ("muon", "adamw")
MULTIPLE = 32  # of the crops' side: what the paper variant halves five times


@dataclass
class TrainConfig:
    """Everything that determines a run.

    Attributes
    ----------
    dataset_dir : str
        Photographs to train on, in this folder and those within it.
    checkpoint_dir : str
        Where the run's files go.
    val_dir : str, optional
        Photographs to measure on. Without it a part of the training photographs is held out.
    val_split : float
        That part, 0..1; at least one photograph.
    val_limit : int
        At most so many held-out photographs are measured on.
    val_interval : int
        Steps between two measurements; there is one at the end in any case.
    preset : {"lite", "full"}
        Width of the network: a quarter, or as published.
    init : str
        "random"; "mean" to begin with means of what surrounds a hole, see
        `unetpred.training.first_weights.carry_colours`; "vgg16" for the encoder; "vgg16_mean" for
        both; the name or the file of weights; or the `state.h5` of a run.
    vgg_weights : str, optional
        File of VGG-16. Without it ImageNet's are taken: those that ship, or Keras downloads them.
    loss : {"hole", "upstream"}
        `unetpred.training.optimisation.losses.hole_loss` or `upstream_loss` beside it.
    loss_weights : dict of str to float
        Weights that replace those of the loss, by name.
    image_size : int
        Side of the crops, px, a multiple of 32.
    window : int, optional
        The holes lie in the central square of this side, and only it is computed; half of
        `image_size` if not given. The upstream loss looks at the whole crop.
    augmentation : {"upstream", "vivid", "none"}
        How colours are varied, see `unetpred.photographs.augmentation.colour_matrix`.
    patterns : float
        Share of the crops, 0..1, that are no photographs but drawn stripes and edges, see
        `unetpred.photographs.patterns.random_pattern`.
    batch_size : int
        Crops per step.
    epochs : int
        Length of the run from its start.
    max_minutes : float, optional
        Takes the place of `epochs`: the run ends within this time, all that it does counted, also
        what it did before it was interrupted. The rate falls with the share of the time that has
        passed, so two such runs differ.
    final : float
        The last part of the run, 0..1, whose crops are nearer to what is scored, see
        `unetpred.photographs.dataset.Photographs.batch`.
    steps_per_epoch : int, optional
        One pass over the photographs if not given.
    optimizer : {"muon", "adamw"}
        What moves the weights, see `unetpred.training.optimisation.optimizer.make_optimizer`.
    lr : float
        Learning rate after the warm-up.
    encoder_rate : float
        Factor on the rate of the encoder; 0 leaves it as it began.
    warmup : int
        Steps over which the rate rises.
    decay : float
        The last part of the run, 0..1, over which the rate falls to 0 by a cosine. With 0 a run
        does not depend on its length, so that a longer one begins as a shorter one does.
    weight_decay : float
        For kernels, times the learning rate.
    ema : float
        Momentum of the average of the weights, which is what is measured and exported. The
        average never looks back on more than about a tenth of the steps so far.
    mixed_precision : bool
        Compute in bfloat16.
    jit_compile : bool, optional
        Whether the training step is compiled: it is on JAX if not given. On PyTorch that takes
        minutes at the start, and is worth them in runs of more than an hour.
    checkpoint_interval : int
        Steps between two checkpoints.
    log_interval : int
        Steps between two rows of `history.csv`.
    seed : int
        Of the first weights, the split, and all crops, holes and colours.
    workers : int
        Processes that read photographs; a single one is a thread of this process.
    devices : int or "all", optional
        On how many devices each step is computed; with JAX alone.
    """

    dataset_dir: str
    checkpoint_dir: str = "checkpoints"
    val_dir: str | None = None
    val_split: float = 0.05
    val_limit: int = 256
    val_interval: int = 1000
    preset: str = "lite"
    init: str = "random"
    vgg_weights: str | None = None
    loss: str = "hole"
    loss_weights: dict[str, float] = field(default_factory=dict)
    image_size: int = 128
    window: int | None = None
    augmentation: str = "upstream"
    patterns: float = 0.0
    batch_size: int = 16
    epochs: int = 100
    max_minutes: float | None = None
    final: float = 0.0
    steps_per_epoch: int | None = None
    optimizer: str = "muon"
    lr: float = 2e-3
    encoder_rate: float = 1.0
    warmup: int = 200
    decay: float = 0.0
    weight_decay: float = 1e-4
    ema: float = 0.999
    mixed_precision: bool = False
    jit_compile: bool | None = None
    checkpoint_interval: int = 500
    log_interval: int = 100
    seed: int = 0
    workers: int = 2
    devices: int | Literal["all"] | None = None

    def __post_init__(self) -> None:
        self._check()
        if self.window is None:
            whole = self.loss == "upstream"
            self.window = self.image_size if whole else max(self.image_size // 2, 16)

    def _check(self) -> None:
        """Raise InputError for the first value that cannot be used."""
        choices = (
            ("preset", PRESETS),
            ("loss", LOSSES),
            ("augmentation", AUGMENTATIONS),
            ("optimizer", OPTIMIZERS),
        )
        for name, known in choices:
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} {getattr(self, name)!r} is unknown; there are {', '.join(known)}"
                )
        counts = ("val_limit", "val_interval", "batch_size", "epochs", "checkpoint_interval")
        for name in (*counts, "log_interval", "workers", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; at least 1 is needed")
        some = self.devices not in (None, "all")
        if some and not (isinstance(self.devices, int) and self.devices >= 1):
            raise InputError(f"devices is {self.devices!r}; all, or at least 1, is needed")
        for name in ("seed", "warmup", "weight_decay", "encoder_rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; 0 or more is needed")
        if self.seed >= 1 << 32:
            raise InputError(f"seed is {self.seed}; less than {1 << 32} is needed")
        for name in ("lr", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} is {value}; a number above 0 is needed")
        for name, below in (
            ("val_split", True),
            ("ema", True),
            ("decay", False),
            ("patterns", False),
            ("final", False),
        ):
            value = getattr(self, name)
            if not 0 <= value <= 1 or (below and value == 1):
                raise InputError(f"{name} is {value}; 0..1 is needed{', below 1' * below}")
        size = self.image_size
        if size < MULTIPLE or size % MULTIPLE:
            near = max(MULTIPLE, round(size / MULTIPLE) * MULTIPLE)
            raise InputError(
                f"image_size is {size}; a multiple of {MULTIPLE} is needed, such as {near}"
            )
        if self.window is not None and not 8 <= self.window <= size:
            raise InputError(f"window is {self.window}; 8..{size} (image_size) is needed")
        if self.loss == "upstream" and self.window not in (None, size):
            raise InputError(
                f"window is {self.window}; the upstream loss looks at the whole crop: leave "
                "window away, or take the hole loss"
            )
        if self.init in ("vgg16", "vgg16_mean") and self.preset != "full":
            raise InputError(f"VGG-16 has the width of --preset full; {self.preset} cannot take it")
        unknown = set(self.loss_weights) - set(LOSSES[self.loss])
        if unknown:
            raise InputError(
                f"the {self.loss} loss has no weight {', '.join(sorted(unknown))}; it has "
                f"{', '.join(LOSSES[self.loss])}"
            )
        for name, value in self.loss_weights.items():
            if not 0 <= value < math.inf:
                raise InputError(f"loss weight {name} is {value}; 0 or more is needed")

    @property
    def box(self) -> tuple[int, int, int, int]:
        """What of the crop is computed, (top, left, bottom, right), the last two exclusive."""
        assert self.window is not None  # half of image_size since it was made
        edge = (self.image_size - self.window) // 2
        return edge, edge, edge + self.window, edge + self.window

    @property
    def loss_needs_vgg(self) -> bool:
        """Whether a term of the loss that counts is one of VGG-16's features."""
        weights = {**LOSSES[self.loss], **self.loss_weights}
        return any(weights.get(name, 0) != 0 for name in VGG_TERMS)


def learning_rate(config: TrainConfig, step: int, share: float) -> float:
    """Give the learning rate of a step: warm-up, plateau, and a cosine to 0 at the end.

    Parameters
    ----------
    config : TrainConfig
    step : int
        Counted from 0.
    share : float
        How much of the run is done, 0..1, of its steps or of its time.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    fallen = 0.0 if config.decay == 0 else (share - (1 - config.decay)) / config.decay
    return config.lr * warm * 0.5 * (1 + math.cos(math.pi * min(max(fallen, 0.0), 1.0)))


def cache_bytes() -> int:
    """Give how much memory decoded photographs may take: 4 GiB, or a quarter of what there is."""
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        installed = 4 << 30
    return min(4 << 30, installed // 4)
