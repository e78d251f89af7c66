"""What a network that segments begins with: random weights, VGG-16, or a network that fills in."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from unetpred.errors import InputError
from unetpred.network.model import Config, build_unetpred, config_of
from unetpred.network.widening import widen
from unetpred.segmentation.data.classes import Classes
from unetpred.segmentation.network import CONVOLUTIONS, HEAD
from unetpred.segmentation.weights import is_segmenter, load_segmenter
from unetpred.training.first_weights import measure, to_unit_size, unfold
from unetpred.weights.files import describe, load_model

WIDTH = 0.25


def width_for(source: str) -> float:
    """Give the width of network that a source of first weights is made for."""
    if source == "vgg16":
        return 1.0
    if source == "random":
        return WIDTH
    if is_segmenter(source):
        return load_segmenter(source)[1]["width"]
    return float(str(describe(source)["width"]))


def first_weights(
    network: keras.Model,
    width: float,
    classes: Classes,
    source: str,
    vgg_weights: str | None,
    batches: Iterable[np.ndarray],
) -> None:
    """Give a training network its first weights.

    Parameters
    ----------
    network : keras.Model
        From `build_training_segmenter`, with random weights.
    width : float
        What it was built with.
    classes : Classes
    source : str
        "random" for what it has; "vgg16" for the encoder; or a name or a file of weights: of a
        network that fills in, all but its last layer, or of one that segments, with its last layer
        where that has the same classes.
    vgg_weights : str, optional
        A file of VGG-16; ImageNet's if not given.
    batches : iterable of (N,H,W,3)
        Images / 64 as in training.

    Raises
    ------
    InputError
        If a file cannot be used, or is of another width.
    """
    if source == "random":
        return
    names = list(CONVOLUTIONS)
    if source == "vgg16":
        if width != 1:
            raise InputError(
                f"--init vgg16 fits width 1, not {width:g}; leave --width away, or give --init lite"
            )
        start = build_unetpred("paper", 1.0, vgg_weights=vgg_weights or "imagenet")
        names = [name for name in names if int(name[len("vblock")]) <= 5 and "block10" not in name]
    elif is_segmenter(source):
        start, about = load_segmenter(source)
        if about["width"] != width:
            raise InputError(
                f"{source}: has width {about['width']:g}, {width:g} is wanted; leave --width away"
            )
        if about["classes"] == list(classes.names):
            network.get_layer(HEAD).set_weights(start.get_layer(HEAD).get_weights())
    else:
        start, wanted = load_model(source), Config("paper", width)
        if config_of(start) != wanted:
            found = config_of(start)
            try:
                start = widen(start, wanted)
            except ValueError as error:
                raise InputError(
                    f"{source}: is of variant {found.variant} and width {found.width:g}; one of "
                    f"variant paper and width {width:g} is needed, or one that can be widened to "
                    f"it ({error})"
                ) from None
    inputs = [[batch] for batch in batches]
    unfold(start, network, names)
    if source == "vgg16":
        to_unit_size(network, names, inputs)
    measure(network, [f"{name}_norm" for name in names], inputs)
