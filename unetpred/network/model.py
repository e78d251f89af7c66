"""The network: a VGG-16 encoder and a nearest-neighbour decoder of partial convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import keras
from keras import ops

from unetpred.holes.masks import Box
from unetpred.network.architecture import (
    DECODER,
    ENCODER,
    VARIANTS,
    Config,
    Tensor,
    config_with,
    layer_names,
)
from unetpred.network.padding import CropLike, PadToMultiple, margins
from unetpred.network.partial_convolution import PConv2D
from unetpred.network.windows import Window, needed, sources

__all__ = [
    "DECODER",
    "ENCODER",
    "VARIANTS",
    "Config",
    "Window",
    "aligned_field",
    "build_hole_model",
    "build_unetpred",
    "config_of",
    "decode",
    "encode",
    "layer_names",
    "make_convolve",
    "window_outputs",
]

# [x1, m1, x2, m2, ...]: features (N,h,w,C) each with its mask (N or 1,h,w,1)
Pairs: TypeAlias = list[Tensor]


class Convolve(Protocol):
    """Convolves pairs with the layer of a name, in the whole image or in one window."""

    def __call__(
        self, name: str, pairs: Pairs, filters: int | None, window: Window | None = None
    ) -> Pairs: ...


def make_convolve(
    config: Config,
    layers: dict[str, Any],
    normalise: bool = False,
    kernel_initializer: str = "he_normal",
) -> Convolve:
    """A function that convolves pairs with the layer of a given name.

    Layers are made at first use and kept in `layers`, so that a second graph built with the same
    dictionary shares the weights of the first.
    """

    def layer(name: str, make: Callable[[str], Any]) -> Any:
        if name not in layers:
            layers[name] = make(name)
        return layers[name]

    def convolve(
        name: str, pairs: Pairs, filters: int | None, window: Window | None = None
    ) -> Pairs:
        # filters is None for the output layer: three channels, linear, never normalised
        hidden = filters is not None
        conv = layer(
            name,
            lambda name: PConv2D(
                3 if filters is None else config.filters(filters),
                use_bias=not (hidden and normalise),
                activation="relu" if hidden and not normalise else None,
                kernel_initializer=kernel_initializer,
                name=name,
            ),
        )
        if window is None:
            y, m = conv(pairs)
        else:
            # beyond the image's border is missing: zeros in features and mask
            rim = window.rim()
            if any(before or after for before, after in rim):
                pairs = [ops.pad(p, rim) for p in pairs]
            y, m = conv(pairs, padding="valid")
        if hidden and normalise:
            norm = layer(f"{name}_norm", _normalisation)
            y = ops.relu(norm(y))
        return [y, m]

    return convolve


def _normalisation(name: str) -> keras.layers.Layer:
    if keras.config.backend() == "torch":
        from unetpred.backends.torch_normalization import TorchBatchNormalization

        return TorchBatchNormalization(name=name)
    return keras.layers.BatchNormalization(name=name)


def encode(
    image: Tensor, mask: Tensor, convolve: Convolve, config: Config
) -> tuple[list[Pairs], Pairs]:
    """The encoder: the skips of every block, and the features below the last pooling."""
    pair, skips = [image, mask], []
    for block, (filters, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            pair = convolve(f"vblock{block}_conv_{i}", pair, filters)
        skips.append(pair)
        if block <= config.levels:
            pair = [ops.max_pool(x, 2, strides=2) for x in pair]
    return skips[: config.levels], pair


def decode(
    image: Tensor,
    mask: Tensor,
    skips: list[Pairs],
    bottom: Pairs,
    convolve: Convolve,
    window: Window | None = None,
) -> Tensor:
    """The decoder and the output layer, over the whole image or over one window of it.

    Parameters
    ----------
    image, mask : tensors (N,H,W,3), (N,H,W,1 or 3)
    skips, bottom
        What `encode` returned for them.
    convolve : callable
        From `make_convolve`.
    window : Window, optional
        The part of the output that is wanted; only what it depends on is computed.

    Returns
    -------
    Tensor (N,H,W,3), or (N,bottom-top,right-left,3) of the window.
    """
    levels = len(skips)
    if window is not None:
        needs = needed(window, levels)
        bottom = [needs[-1].source.cut(p, needs[-1].source.whole()) for p in bottom]
    # the released variant has no block 6, so its decoder starts with the second entry
    for level, (filters, block) in zip(reversed(range(levels)), DECODER[-levels:], strict=True):
        upsampled, skip = [upsample(p) for p in bottom], skips[level]
        first = second = None
        if window is not None:
            source, first, second = needs[level]
            grown = first.grown()
            upsampled = [grown.cut(p, source.doubled()) for p in upsampled]
            skip = [grown.cut(p, grown.whole()) for p in skip]
        bottom = convolve(f"vblock{block}_conv_1", upsampled + skip, filters, first)
        bottom = convolve(f"vblock{block}_conv_2", bottom, filters, second)
    if window is not None:
        image, mask = (window.grown().cut(x, window.whole()) for x in (image, mask))
    y, _ = convolve("block10", [*bottom, image, mask], None, window)
    return y


def upsample(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by two: (N,h,w,C) -> (N,2h,2w,C)."""
    return keras.layers.UpSampling2D(2)(x)


def build_unetpred(
    variant: str = "paper",
    width: float = 1.0,
    mask_channels: int = 1,
    vgg_weights: str | None = None,
    kernel_initializer: str = "he_normal",
    name: str = "unetpred",
) -> keras.Model:
    """U-Net-Pred [1]_ with random weights.

    Parameters
    ----------
    variant : {"paper", "released"}
        See `Config`. 31,971,796 and 24,892,884 parameters at width 1.
    width : float
        Factor on the filters of every layer but the output; the `lite` preset has 0.25.
    mask_channels : {1, 3}
        1 for one mask for all colours, 3 for a mask per colour channel.
    vgg_weights : str, optional
        Start the encoder from VGG-16: "imagenet" (see `unetpred.network.vgg16.read_vgg`) or a
        VGG-16 (no top) weights file, legacy or native. Needs ``width=1``.
    kernel_initializer : str
        As in `keras.layers.Conv2D`; "zeros" saves time where weights are loaded afterwards.
    name : str
        Name of the model.

    Returns
    -------
    keras.Model
        ``[image, mask] -> output``. image (N,H,W,3): BGR, 0..255 minus (103.939, 116.779,
        123.68); mask (N,H,W,mask_channels): 1 = visible, 0 = missing; output (N,H,W,3) in the
        units of the image, over the whole image, not clipped.

        H and W are free. Sides that are no multiple of 32 (16 for "released") are padded to the
        next one inside the network, half of it on either side, with pixels that are *missing*;
        the output is cut back to H x W. Nothing is ever resized.

    Raises
    ------
    ValueError
        For a variant, width or number of mask channels that does not exist.
    InputError
        If VGG-16 weights were asked for and are not available.

    References
    ----------
    .. [1] C. Uran et al., "Predictive coding of natural images by V1 firing rates and rhythmic
       synchronization", Neuron 110 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> model = build_unetpred(width=0.25)
    >>> image, mask = np.zeros((1, 100, 150, 3)), np.ones((1, 100, 150, 1))
    >>> model([image, mask]).shape
    (1, 100, 150, 3)
    """
    if keras.backend.backend() == "openvino":
        from unetpred.backends.openvino import compute_in_float32

        compute_in_float32()
    config = Config(variant, width)
    if mask_channels not in (1, 3):
        raise ValueError(f"mask_channels must be 1 or 3, got {mask_channels!r}")
    if vgg_weights is not None and width != 1:
        raise ValueError(f"VGG-16 weights fit only width=1, got width={width}")
    image = keras.Input((None, None, 3), name="image")
    mask = keras.Input((None, None, mask_channels), name="mask")
    pad = PadToMultiple(config.multiple, name="pad_to_multiple")
    image_padded, mask_padded = pad([image, mask])
    convolve = make_convolve(config, {}, kernel_initializer=kernel_initializer)
    skips, bottom = encode(image_padded, mask_padded, convolve, config)
    output = decode(image_padded, mask_padded, skips, bottom, convolve)
    output = CropLike(name="output")([output, image])
    model = keras.Model([image, mask], output, name=name)
    if vgg_weights is not None:
        _load_encoder(model, vgg_weights)
    return model


def _load_encoder(model: keras.Model, vgg_weights: str) -> None:
    from unetpred.network.vgg16 import read_vgg

    vgg = read_vgg(None if vgg_weights == "imagenet" else vgg_weights)
    for block, (_, count) in enumerate(ENCODER, start=1):
        for i in range(1, count + 1):
            kernel, bias = vgg[f"block{block}_conv{i}"]
            model.get_layer(f"vblock{block}_conv_{i}").set_weights([kernel, bias])


def build_hole_model(
    model: keras.Model, height: int, width: int, *boxes: tuple[int, int, int, int]
) -> keras.Model:
    """The part of a network that gives windows of its output, with the same weights.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    height, width : int
        Size of the images.
    *boxes : (top, left, bottom, right)
        The windows of the output, half-open.

    Returns
    -------
    keras.Model
        ``[image (N,height,width,3), mask] -> (N,bottom-top,right-left,3)``, a list of them for
        more than one box: equal to the same windows of the whole output, computed from what they
        depend on alone. Boxes that are near each other share the encoder. Of an image larger than
        the receptive field (some 400 px around a box), time and memory are those of a crop.

    Raises
    ------
    ValueError
        If there is no box, or one that is empty or not inside the image.
    """
    for top, left, bottom, right in boxes:
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ValueError(
                f"box {(top, left, bottom, right)} (top, left, bottom, right) is empty or not "
                f"inside an image of {height}x{width} px"
            )
    if not boxes:
        raise ValueError("at least one box (top, left, bottom, right) is needed")
    image = keras.Input((height, width, 3), name="image")
    mask = keras.Input((height, width, model.inputs[1].shape[-1]), name="mask")
    outputs = window_outputs(model, image, mask, boxes)
    return keras.Model([image, mask], outputs if len(boxes) > 1 else outputs[0])


def window_outputs(
    model: keras.Model, image: Tensor, mask: Tensor, boxes: Sequence[Box]
) -> list[Tensor]:
    """Windows of a network's output, computed from what they depend on alone, layer by layer.

    Parameters
    ----------
    model : keras.Model
        From `build_unetpred`.
    image, mask : tensors (N,H,W,3), (N or 1,H,W,1 or 3)
        As it takes them, of known height and width; symbolic ones of Keras make a graph.
    boxes : sequence of (top, left, bottom, right)
        The windows of the output, half-open.

    Returns
    -------
    list of tensors (N,bottom-top,right-left,3)
    """
    config = config_of(model)
    layers = {layer.name: layer for layer in model.layers}
    above, left = (margins(size, config.multiple)[0] for size in image.shape[1:3])
    inputs = PadToMultiple(config.multiple, name="pad_to_multiple")([image, mask])
    convolve = make_convolve(config, layers)
    windows = [
        Window(box[0] + above, box[1] + left, box[2] + above, box[3] + left, *inputs[0].shape[1:3])
        for box in boxes
    ]
    outputs = {}
    for region, inside in _regions(windows, config):
        pixels, seen = (region.cut(x, region.whole()) for x in inputs)
        skips, bottom = encode(pixels, seen, convolve, config)
        for window in inside:
            part = window.within(region)
            outputs[window] = decode(pixels, seen, skips, bottom, convolve, part)
    return [outputs[window] for window in windows]


def aligned_field(window: Window, config: Config) -> Window:
    """The receptive field of a window, grown to where the poolings' grids begin and end.

    The network computed on this part of the image alone gives the window's output exactly.
    """
    part = sources(window, config.levels, [count for _, count in ENCODER])
    return part.aligned(config.multiple)


def _regions(windows: list[Window], config: Config) -> list[tuple[Window, list[Window]]]:
    """The parts of the image to encode, each with the windows that are decoded from it."""
    fields = [aligned_field(window, config) for window in windows]
    joined = fields[0]
    for field in fields[1:]:
        joined = joined.joined(field)
    if joined.area <= sum(field.area for field in fields):
        return [(joined, windows)]
    return [(field, [window]) for field, window in zip(fields, windows, strict=True)]


def config_of(model: keras.Model) -> Config:
    """The configuration that a network of `build_unetpred` was built with, read off its layers."""
    names = {layer.name for layer in model.layers}
    variant = "paper" if "vblock6_conv_1" in names else "released"
    blocks = range(1, Config(variant).levels + 1)
    return config_with(variant, [model.get_layer(f"vblock{b}_conv_1").filters for b in blocks])
