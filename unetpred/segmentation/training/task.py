"""Segmenting: what a run of `unetpred segment train` trains a network towards."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from unetpred.errors import InputError
from unetpred.images.colour import to_network
from unetpred.io.files import atomic_path
from unetpred.network.architecture import ENCODER, SCALE
from unetpred.runtime.prefetch import prefetch
from unetpred.segmentation.data.augmentation import Augmentation
from unetpred.segmentation.data.borders import border_weights
from unetpred.segmentation.data.checked import Checked, divide
from unetpred.segmentation.data.datasets import VOC, Dataset, open_dataset
from unetpred.segmentation.measures import confusion_matrix, measures_of
from unetpred.segmentation.network import build_training_segmenter, fold
from unetpred.segmentation.pictures import coloured, side_by_side
from unetpred.segmentation.predictor import Segmenter
from unetpred.segmentation.training.config import SegmentationConfig
from unetpred.segmentation.training.first_weights import first_weights, width_for
from unetpred.segmentation.training.losses import balanced, segmentation_loss, target
from unetpred.segmentation.weights import save_segmenter
from unetpred.training.config import cache_bytes
from unetpred.training.task import Quality

logger = logging.getLogger(__name__)

SHOWN = 4  # held-out images in the picture
PREVIEWED = 8  # augmented pairs


class Segmenting:
    """Images with labels, the network that labels them, and how well it does.

    The attributes and methods are those of `unetpred.training.task.Task`.

    Parameters
    ----------
    config : SegmentationConfig
    train, held_out : Dataset, optional
        One's own data, in place of what `config` names. Without `held_out` a part of `train` is
        held out.

    Raises
    ------
    InputError
        If images or labels are not to be had, or do not fit together.
    """

    picture = "image, label, prediction"

    def __init__(
        self,
        config: SegmentationConfig,
        train: Dataset | None = None,
        held_out: Dataset | None = None,
    ):
        self.config = config
        self.images, self.held_out = _datasets(config, train, held_out)
        self.classes = self.images.classes
        self.columns: tuple[str, ...] = (
            "foreground_iou" if self.classes.binary else "mean_iou",
            "pixel_accuracy",
        )
        logger.info("training: %s", self.images.text())
        logger.info("held out: %s", self.held_out.text())
        if config.border and not self.classes.binary:
            raise InputError(
                f"border is {config.border:g}: thin borders are weighted for two classes, "
                f"there are {len(self.classes)}"
            )
        self.width = config.width or width_for(config.init)
        self.size = len(self.images)
        # by the beginnings of variables' paths, as in the training of networks that fill in
        encoder = {f"vblock{block}_": config.encoder_rate for block, _ in enumerate(ENCODER, 1)}
        self.rate_factors: dict[str, float] = {} if config.encoder_rate == 1 else encoder
        self._augmentation = Augmentation(
            config.augmentation, config.elastic, config.scale, config.contrast
        )
        counts = self.images.counts[:-1]
        self._class_weights = (
            balanced(counts) if config.class_weights == "balanced" else [1.0] * len(self.classes)
        )
        self._borders: dict[int, np.ndarray] = {}
        self._shown: tuple[keras.Model, Segmenter] | None = None

    def build(self) -> keras.Model:
        return build_training_segmenter(len(self.classes), self.width, self.config.image_size)

    def first_weights(self, network: keras.Model, batches: Iterable[Any]) -> None:
        config = self.config
        first_weights(network, self.width, self.classes, config.init, config.vgg_weights, batches)

    def begun(self, folder: Path) -> None:
        """Write augmented pairs, to be looked at: `augmented.png`."""
        from PIL import Image

        images, labels, names = [], [], []
        for step in range(PREVIEWED):
            batch = self.batch(step, False)
            images += list(batch[0])
            labels += list(batch[1])
            names += batch[-1]
            if len(images) >= PREVIEWED:
                break
        rows = [
            np.concatenate([image, coloured(label, self.classes)], axis=1)
            for image, label in zip(images[:PREVIEWED], labels, strict=False)
        ]
        with atomic_path(folder / "augmented.png") as temporary:
            Image.fromarray(np.concatenate(rows)).save(temporary)

    def ship(self, network: keras.Model) -> keras.Model:
        return fold(network, len(self.classes), self.width)

    def write(self, model: keras.Model, path: Path, step: int) -> None:
        save_segmenter(model, self.classes, self.width, path, step=step)

    def batch(self, step: int, final: bool) -> tuple[Any, ...]:
        """Give images (N,S,S,3) uint8, labels (N,S,S) uint8, weights where borders have them, and
        names."""
        size, crops, names = self.config.batch_size, [], []
        for i in range(size):
            rng = np.random.default_rng([self.config.seed, 2, step, i])
            index = self._index(step * size + i)
            pair = self.images[index]
            weight = self._border(index) if self.config.border else None
            side = self.config.image_size
            crops.append(self._augmentation.crop(rng, side, pair.image, pair.label, weight))
            names.append(self.images.name(index))
        arrays = [np.stack([crop.image for crop in crops]), np.stack([c.label for c in crops])]
        if self.config.border:
            arrays.append(np.stack([c.weight for c in crops if c.weight is not None]))
        return (*arrays, names)

    def _index(self, position: int) -> int:
        """Give what is at a position in the endless sequence of shuffled passes."""
        number, place = divmod(position, self.size)
        rng = np.random.default_rng([self.config.seed, 3, number])
        return int(rng.permutation(self.size)[place])

    def _border(self, index: int) -> np.ndarray:
        weights = self._borders.get(index)
        if weights is None:
            weights = border_weights(self.images[index].label, self.config.border)
            self._borders[index] = weights.astype(np.float16)
        return self._borders[index]

    def batches(self, wanted: Iterable[tuple[int, bool]]) -> Generator[tuple[Any, ...], None, None]:
        return prefetch(lambda item: self.batch(*item), wanted, self.config.workers, each=2)

    def prepare(self, images: Any, labels: Any, weights: Any = None) -> tuple[Any, Any]:
        images = to_network(ops.cast(images, "float32")) / SCALE
        return images, target(labels, self._class_weights, weights)

    def loss(self, true: Any, predicted: Any) -> Any:
        return segmentation_loss(true, predicted, self.config.dice)

    def measure(self, model: keras.Model, stop: Callable[[], bool]) -> Quality | None:
        if self._shown is None or self._shown[0] is not model:
            self._shown = model, Segmenter(model, self.classes)
        segmenter = self._shown[1]
        count = len(self.classes)
        total, valid = np.zeros((count, count + 1), np.int64), True
        rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        seconds: list[float] = []
        chosen = range(0, len(self.held_out), -(-len(self.held_out) // self.config.val_limit))
        # spread out: neighbours, of films and stacks, are alike
        shown = set(np.linspace(0, len(chosen) - 1, min(SHOWN, len(chosen))).round().astype(int))
        for place, index in enumerate(chosen):
            started = time.monotonic()
            pair = self.held_out[index]
            found = segmenter.probabilities(pair.image)
            valid = valid and bool(np.isfinite(found).all())
            mask = segmenter.decide(found)
            total += confusion_matrix(pair.label, mask, count)
            if place in shown:
                rows.append((pair.image, pair.label, mask))
            if stop():
                return None
            seconds.append(time.monotonic() - started)
        measured = measures_of(total)
        best = float(measured.iou[1]) if self.classes.binary else measured.mean_iou
        # the first one may have been compiled for
        rest = sum(seconds[1:]) / max(1, len(seconds) - 1) or seconds[0]
        name = "IoU of class 1" if self.classes.binary else "mean IoU"
        return Quality(
            best if np.isfinite(best) else -1.0,
            dict(zip(self.columns, (best, measured.pixel_accuracy), strict=True)),
            side_by_side(rows, self.classes),
            rest * len(seconds),
            f"held-out {name} {best:.4f}, pixel accuracy {measured.pixel_accuracy:.4f}",
            valid,
        )

    def baselines(self) -> dict[str, float]:
        return {}

    def fingerprint(self) -> dict[str, Any]:
        return self.images.fingerprint()

    def notes(self) -> dict[str, Any]:
        return {
            "training_images": len(self.images),
            "held_out_images": len(self.held_out),
            "width": self.width,
            **{f"of_{name}": value for name, value in self.classes.as_dict().items()},
        }


def _datasets(
    config: SegmentationConfig, train: Dataset | None, held_out: Dataset | None
) -> tuple[Checked, Checked]:
    """What is trained on and what is held out, with every label looked at."""
    by_run = False
    if train is None:
        train = _named(config)
        by_run = not config.voc and not Path(str(config.images)).is_dir()
    if bool(config.val_images) != bool(config.val_labels):
        one, other = ("val_images", "val_labels")[:: 1 if config.val_images else -1]
        raise InputError(f"{one} is given without {other}; both are needed")
    if held_out is None and config.val_images and config.val_labels:
        held_out = open_dataset(config.val_images, config.val_labels, config.classes, train.void)
    elif held_out is None and isinstance(config.val_split, str):
        if not config.voc:
            raise InputError(
                f"val_split {config.val_split!r} names a list of voc, which is not given"
            )
        held_out = VOC(config.voc, config.val_split, config.classes, train.void)
    cache = cache_bytes() // 2
    if held_out is not None:
        images = Checked(train, cache=cache)
        return images, Checked(held_out, images.classes, cache)
    # the classes are those of all labels, also of a class that is only in what is held out
    everything = Checked(train, cache=0)
    used, left = divide(train, float(config.val_split), config.seed, by_run)
    return (
        Checked(train, everything.classes, cache, used),
        Checked(train, everything.classes, cache, left),
    )


def _named(config: SegmentationConfig) -> Dataset:
    if config.voc:
        if config.images or config.labels:
            raise InputError("give --voc, or --images and --labels, but not both")
        void = 255 if config.void is None else config.void
        return VOC(config.voc, config.split, config.classes, void)
    if not (config.images and config.labels):
        raise InputError("give --images and --labels, or --voc and --split")
    return open_dataset(config.images, config.labels, config.classes, config.void)
