"""What a training run needs before its first step, and what tells it from another run."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from unetpred import __version__
from unetpred.errors import InputError
from unetpred.holes.masks import Box
from unetpred.images.colour import to_network
from unetpred.io.files import atomic_path
from unetpred.network.architecture import ENCODER, SCALE
from unetpred.network.vgg16 import CONTENT_LAYERS, LOSS_LAYERS, vgg_digest, vgg_model
from unetpred.photographs.dataset import central_crops, list_photographs, split
from unetpred.training.config import TrainConfig
from unetpred.training.optimisation.losses import hole_loss, upstream_loss
from unetpred.training.validation import SIDE

logger = logging.getLogger(__name__)

# Settings that change neither what is learned nor in which order. The photographs are compared by
# their names, since folders are moved.
_INDIFFERENT = {
    "dataset_dir",
    "val_dir",
    "checkpoint_dir",
    "checkpoint_interval",
    "workers",
    "devices",
}
_INDIFFERENT |= {"val_limit", "val_interval", "log_interval", "init", "vgg_weights"}
_INDIFFERENT |= {"images", "labels", "voc", "val_images", "val_labels", "classes"}  # segmentation's
_LENGTH = {"epochs", "steps_per_epoch"}  # matters only to a rate that falls towards the end


def divide_photographs(config: TrainConfig) -> tuple[list[Path], np.ndarray]:
    """Give the files to train on, and the held-out crops (N,224,224,3) uint8.

    Raises
    ------
    InputError
        If there are too few photographs, or the run's folder is that of the photographs.
    """
    root = Path(config.dataset_dir).resolve()
    other = [Path(f).resolve() for f in (config.checkpoint_dir, config.val_dir) if f]
    if other[0] in (root, *other[1:]):
        raise InputError(
            f"{config.checkpoint_dir}: holds the photographs; give another --checkpoint_dir"
        )
    within = [folder for folder in other if folder != root and folder.is_relative_to(root)]
    files = list_photographs(config.dataset_dir, within)
    if config.val_dir:
        if other[1] == root:
            logger.warning(
                "%s: is measured on as well as trained on, which flatters what is measured", root
            )
        inner = [root] if root != other[1] and root.is_relative_to(other[1]) else []
        held_out = list_photographs(config.val_dir, [other[0], *inner])
    else:
        files, held_out = split(files, config.val_split, config.seed)
    held_out = held_out[:: -(-len(held_out) // config.val_limit)]
    crops = [crop for _, crop in central_crops(held_out, SIDE)]
    while not crops and files and not config.val_dir:
        crops = [crop for _, crop in central_crops([files.pop(0)], SIDE)]
    if not crops or not files:
        what = config.val_dir or config.dataset_dir
        raise InputError(f"{what}: too few photographs can be read to measure on and train on")
    return files, np.stack(crops)


def loss_vgg(config: TrainConfig) -> keras.Model | None:
    """Give the VGG-16 of the loss of a run, or None where it needs none.

    Raises
    ------
    InputError
        If it is needed and not available.
    """
    if not config.loss_needs_vgg:
        return None
    layers = CONTENT_LAYERS if config.loss == "hole" else LOSS_LAYERS
    return vgg_model(config.vgg_weights, layers)


def make_loss(config: TrainConfig, vgg: keras.Model | None = None) -> Callable[[Any, Any], Any]:
    """The loss of a run, of target (N,h,w,4) and output (N,h,w,3), both divided by 64.

    Parameters
    ----------
    config : TrainConfig
    vgg : keras.Model, optional
        From `loss_vgg`.
    """
    if config.loss == "hole":
        return lambda true, predicted: hole_loss(true, predicted, config.loss_weights, vgg)

    def loss(true, predicted):
        true, predicted = true[..., :3] * SCALE, predicted * SCALE
        return upstream_loss(true, predicted, vgg, config.loss_weights, terms="weighted")["total"]

    return loss


def rate_factors(config: TrainConfig) -> dict[str, float]:
    """Give the factors on the learning rate, by the beginnings of variables' paths."""
    if config.encoder_rate == 1:
        return {}
    return {f"vblock{block}_": config.encoder_rate for block, _ in enumerate(ENCODER, 1)}


def prepare(images: Any, masks: Any, box: Box) -> tuple[list[Any], Any]:
    """Turn a batch into what the training network takes and what its loss compares with.

    Parameters
    ----------
    images : array or tensor, (N,H,W,3) uint8
        RGB.
    masks : array or tensor, (N,H,W,1) uint8
        1 = visible, 0 = missing.
    box : (top, left, bottom, right)
        The window that is computed.

    Returns
    -------
    inputs : list of two tensors
        Image / 64 (N,H,W,3) and mask (N,H,W,1), float32.
    target : tensor, (N,h,w,4)
        Of the window; see `unetpred.training.optimisation.losses.hole_loss`.
    """
    top, left, bottom, right = box
    image = to_network(ops.cast(images, "float32")) / SCALE
    mask = ops.cast(masks, "float32")
    target = ops.concatenate([image, 1 - mask], axis=-1)  # (N,H,W,4)
    return [image, mask], target[:, top:bottom, left:right]


def fingerprint(files: list[Path], folder: str) -> dict[str, Any]:
    """Tell one set of photographs from another by their names below a folder."""
    names = "\n".join(file.relative_to(folder).as_posix() for file in files)
    digest = hashlib.sha1(names.encode(errors="surrogateescape")).hexdigest()
    return {"count": len(files), "sha1": digest}


def changes(config: TrainConfig, photographs: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Name what differs between a run and the state that it goes on from.

    Parameters
    ----------
    config : TrainConfig
        Of the run.
    photographs : mapping
        Its `fingerprint`.
    run : mapping
        What the state has beside the weights.
    """
    now, then = asdict(config), run["config"]
    ignored = _INDIFFERENT if config.decay else _INDIFFERENT | _LENGTH
    found = [
        f"{name} {now[name]} (was {then[name]})"
        for name in now
        if name in then and name not in ignored and now[name] != then[name]
    ]
    if getattr(config, "loss_needs_vgg", False) and _other_vgg(then.get("vgg_weights"), config):
        found.append(f"vgg_weights {now['vgg_weights']} (was {then['vgg_weights']})")
    before = run.get("photographs", photographs)
    if photographs != before:
        found.append(f"other photographs ({photographs['count']}, were {before['count']})")
    return ", ".join(found)


def _other_vgg(before: str | None, config: TrainConfig) -> bool:
    """Whether the VGG-16 of a loss is another one; a file that was moved is the same."""
    if config.vgg_weights == before:
        return False
    try:
        return vgg_digest(before) != vgg_digest(config.vgg_weights)
    except InputError:  # the one before is not there any more
        return True


def write_config(path: Path, config: TrainConfig, **notes: Any) -> None:
    """Write a run's configuration, and what it runs on, as JSON."""
    content = {
        **asdict(config),
        **notes,
        "unetpred": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
