"""What a run starts from: random weights, VGG-16, or a trained network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
from keras import ops

from unetpred.errors import InputError
from unetpred.network.architecture import SCALE
from unetpred.network.model import Config, build_unetpred, config_of, layer_names
from unetpred.network.partial_convolution import PConv2D
from unetpred.network.widening import widen
from unetpred.training.records.checkpoints import load_state, named_variables, read_run
from unetpred.weights.files import load_model


def initialise(
    network: keras.Model,
    config: Config,
    source: str,
    vgg_weights: str | None,
    batches: Iterable[Iterable[np.ndarray]],
) -> None:
    """Give a training network its first weights.

    Parameters
    ----------
    network : keras.Model
        From `build_training_network`, with random weights.
    config : Config
        What it was built with.
    source : str
        "random" for what it has; "mean" for `carry_colours`; "vgg16" for the encoder; "vgg16_mean"
        for `carry_colours` beside that; a file or a name for `load_model`, also of a narrower
        network, of which mirrored copies are put side by side (`widen`); or the `state.h5` of
        another run.
    vgg_weights : str, optional
        A file of VGG-16; that of `read_vgg`, trained on ImageNet, if not given.
    batches : iterable of (image / 64, mask)
        Photographs as in training, (N,H,W,3) and (N,H,W,1).

    Raises
    ------
    InputError
        If a file cannot be used, or is of another architecture.
    """
    if source == "random":
        return
    everywhere = [f"{name}_norm" for name in layer_names(config.variant)[:-1]]
    if source == "mean":
        carry_colours(network, config)
        measure(network, everywhere, batches)
        return
    if source in ("vgg16", "vgg16_mean"):
        start = build_unetpred(config.variant, config.width, vgg_weights=vgg_weights or "imagenet")
        names = [layer.name for layer in start.layers if _is_vgg(layer)]
        batches = list(batches)
        unfold(start, network, names)
        to_unit_size(network, names, batches)
        if source == "vgg16_mean":
            carry_colours(network, config, beside=names)
        measured = everywhere if source == "vgg16_mean" else [f"{name}_norm" for name in names]
        measure(network, measured, batches)
        return
    elif Path(source).is_file() and _is_state(source):
        load_state(source, named_variables(network))
        return
    else:
        start = load_model(source)
        if config_of(start) != config:
            start = _widened(start, config, source)
        names = [layer.name for layer in start.layers if isinstance(layer, PConv2D)]
    unfold(start, network, names)
    measure(network, [f"{name}_norm" for name in names if name != "block10"], batches)


def _widened(start: keras.Model, config: Config, source: str) -> keras.Model:
    found = config_of(start)
    try:
        return widen(start, config)
    except ValueError as error:
        raise InputError(
            f"{source}: is a network of variant {found.variant} and width {found.width:g}; one of "
            f"variant {config.variant} and width {config.width:g} is needed, or one that can be "
            f"widened to it ({error})"
        ) from None


def _is_vgg(layer: keras.layers.Layer) -> bool:
    return layer.name.startswith(tuple(f"vblock{b}_" for b in range(1, 6)))


def _is_state(path: str) -> bool:
    try:
        read_run(path)
    except InputError:
        return False
    return True


def unfold(model: keras.Model, training: keras.Model, names: Iterable[str]) -> None:
    """Undo `unetpred.network.folding.fold` for some layers, with normalisations that change
    nothing.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    training : keras.Model
        From `build_training_network`: it gets the weights. In inference its layers compute what
        those of `model` do.
    names : iterable of str
        Which partial convolutions.
    """
    for name in names:
        kernel, bias = model.get_layer(name).get_weights()
        if name == "block10":
            kernel[:, :, :-3] /= SCALE  # features to units of training; the image is in them
            training.get_layer(name).set_weights([kernel, bias / SCALE])
            continue
        if name == "vblock1_conv_1":
            kernel *= SCALE
        training.get_layer(name).set_weights([kernel])
        norm = training.get_layer(f"{name}_norm")
        ones = np.ones_like(bias)
        norm.set_weights([np.sqrt(ones + norm.epsilon), bias, 0 * bias, ones])


def to_unit_size(
    training: keras.Model, names: Iterable[str], batches: Iterable[Iterable[np.ndarray]]
) -> None:
    """Divide what each layer of a chain gives by one number, so that its features have size 1.

    Between ReLUs a network is homogeneous, so what a layer loses the next one gets back: the
    features stay what they were, up to that number. VGG-16's are about 200 to 500 in blocks 1 to 4.
    A decoder that begins with random weights has them beside its own of size 1, and would
    learn from nothing else.

    Parameters
    ----------
    training : keras.Model
        From `build_training_network`, after `unfold`.
    names : iterable of str
        The layers in their order, each of which reads the one before and nothing else.
    batches : iterable of sequences of arrays
        As for `measure`.
    """
    names = list(names)
    moments = _moments(training, [f"{name}_norm" for name in names], batches)
    before = 1.0
    for name, (_, variance) in zip(names, moments, strict=True):
        layer, norm = training.get_layer(name), training.get_layer(f"{name}_norm")
        (kernel,), (gamma, beta, mean, old) = layer.get_weights(), norm.get_weights()
        size = max(float(np.sqrt(np.mean(variance))), 1e-6)
        layer.set_weights([kernel * before / size])
        norm.set_weights([gamma, beta / size, mean, old])
        before = size


def carry_colours(training: keras.Model, config: Config, beside: Iterable[str] = ()) -> None:
    """Let the first three channels of every layer carry the image's colours.

    A hole is then filled with means of what surrounds it, from the coarsest level that sees it to
    the finest: the pull-push pyramid (Gortler et al., SIGGRAPH 1996, section 3.4.1). From random
    weights a network learns to carry luminance first and, since natural colours vary least from
    green to magenta, that axis late or never. All other channels stay random; training is free to
    change all of them.

    The kernels are means over the window, the only ones for which the mask ratio gives the mean of
    the visible pixels alone; of [upsampled, skip] each gets its share of the channels, so that the
    ratio makes up for a skip that is missing.

    Parameters
    ----------
    training : keras.Model
        From `build_training_network`, with random weights.
    config : Config
        What it was built with.
    beside : iterable of str
        Layers that have trained weights in all channels but the first three, which these do not
        read.
    """
    offset = 3.0  # makes colours / 64 positive, so that no ReLU cuts them
    trained = set(beside)
    for name in layer_names(config.variant):
        layer = training.get_layer(name)
        kernel, *bias = layer.get_weights()
        channels = kernel.shape[2]
        parts = [x.shape[-1] for x in layer.input[0::2]]  # channels of the features, one each
        colours = np.zeros((channels, 3))
        for start, part in zip(np.cumsum([0, *parts[:-1]]), parts, strict=True):
            colours[start : start + 3] = np.eye(3) * part / channels
        if name in trained and name != "vblock1_conv_1":
            kernel[:, :, :3] = 0  # they read features there in training, not colours
        kernel[:, :, :, :3] = colours / 9
        if name == "block10":
            layer.set_weights([kernel, bias[0] - offset])
            continue
        layer.set_weights([kernel])
        norm = training.get_layer(f"{name}_norm")
        ones = np.ones(kernel.shape[-1], "float32")
        beta = norm.get_weights()[1] if name in trained else 0 * ones
        beta[:3] = 0
        if name == "vblock1_conv_1":
            beta[:3] = offset
        norm.set_weights([np.sqrt(ones + norm.epsilon), beta, 0 * ones, ones])


def measure(
    training: keras.Model, names: Iterable[str], batches: Iterable[Iterable[np.ndarray]]
) -> None:
    """Measure the statistics of normalisations, and undo in gain and offset what they change.

    In inference the network computes what it did before. In training, where a batch is normalised
    by its own statistics, it computes the same up to how much the batch differs from those
    measured; so training goes on from a network as it was, not from a normalised copy of it.

    Parameters
    ----------
    training : keras.Model
        From `build_training_network`.
    names : iterable of str
        Which normalisations.
    batches : iterable of sequences of arrays
        Inputs to measure on: (image / 64, mask) where holes are filled.
    """
    names = list(names)
    for name, (mean, variance) in zip(names, _moments(training, names, batches), strict=True):
        norm = training.get_layer(name)
        gamma, beta, old_mean, old_variance = (w.astype("float64") for w in norm.get_weights())
        gain = gamma / np.sqrt(old_variance + norm.epsilon)
        norm.set_weights(
            [
                gain * np.sqrt(variance + norm.epsilon),
                beta + gain * (mean - old_mean),
                mean,
                variance,
            ]
        )


def _moments(
    training: keras.Model, names: Iterable[str], batches: Iterable[Iterable[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance (C,) of what some normalisations are given."""
    norms = [training.get_layer(name) for name in names]
    given = [ops.cast(norm.input, "float32") for norm in norms]  # each (N,H,W,C)
    axes = (0, 1, 2)
    moments = [[ops.mean(x, axes), ops.mean(ops.square(x), axes)] for x in given]
    probe = keras.Model(training.inputs, moments)
    measured = [probe.predict_on_batch(list(inputs)) for inputs in batches]
    found = []
    for i in range(len(norms)):
        mean, square = np.mean([[m[i][0], m[i][1]] for m in measured], axis=0, dtype="float64")
        found.append((mean, np.maximum(square - mean**2, 0)))
    return found
