"""Partial convolution, the layer that the whole network is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from unetpred.network.architecture import Tensor

PACKAGE = "unetpred"


def _pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(v, int) or v < 1 for v in pair):
        raise ValueError(f"{name} must be a positive integer or two of them, got {value!r}")
    return pair


def _padding(padding: str) -> str:
    if padding not in ("same", "valid"):
        raise ValueError(f'padding must be "same" or "valid", got {padding!r}')
    return padding


def _check_pairs(shapes: Sequence[Any] | None) -> None:
    """Raise unless these are the shapes of features and mask in turn."""
    shapes = shapes or []  # Keras gives None for no inputs, and a lone tensor's shape bare
    if shapes and not isinstance(shapes[0], list | tuple):
        shapes = [shapes]
    if len(shapes) % 2 or not shapes:
        raise ValueError(
            f"PConv2D takes pairs [x, mask, ...], got {len(shapes)} input(s) of shapes "
            f"{[tuple(shape) for shape in shapes]}"
        )
    for x, m in zip(shapes[0::2], shapes[1::2], strict=True):
        if (
            len(x) != 4
            or len(m) != 4
            or m[-1] not in (1, x[-1])
            or any(a != b for a, b in zip(x[1:3], m[1:3], strict=True) if a and b)
        ):
            raise ValueError(
                f"PConv2D: mask of shape {tuple(m)} does not fit features of shape {tuple(x)}: "
                f"both need 4 axes and the same height and width, the mask 1 or {x[-1]} channels"
            )


@keras.saving.register_keras_serializable(PACKAGE)
class PConv2D(keras.layers.Layer):
    """Partial convolution with the per-operation mask update [1]_, its equations 1 and 2.

    For a window W of k*k*C cells, features x and mask m (1 = visible, 0 = missing)::

        s  = sum of m over W                     (zero padding counts as missing)
        y  = (kernel * (x m)) * (k k C / s) + b  where s > 0,   b  where s = 0
        m' = 1 where s > 0, else 0

    Inputs are pairs of features and mask, ``[x1, m1, x2, m2, ...]``. The layer convolves the
    concatenation of all x. A mask has one channel, shared by all channels of its features, or
    one per channel of its features; a batch axis of 1 is shared by the whole batch. Keeping a
    mask per pair means that no mask is ever repeated over channels: the sum over a window is
    the sum of ``C_i * box(m_i)``.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size, strides, dilation_rate : int or tuple of two int
        As in `keras.layers.Conv2D`.
    padding : {"same", "valid"}
        As in `keras.layers.Conv2D`. A call may override it, ``layer(inputs, padding="valid")``,
        which lets a part of an image be computed with the weights of the whole.
    activation : str or callable, optional
        Applied to y.
    use_bias : bool
        Whether there is a bias b.
    kernel_initializer, bias_initializer
        As in `keras.layers.Conv2D`.

    Returns
    -------
    [y, m'] : y (N, H', W', filters) in the compute dtype, m' (N or 1, H', W', 1) float32.

    Raises
    ------
    ValueError
        If the inputs are not pairs, or a mask fits its features in neither of the two forms.

    References
    ----------
    .. [1] G. Liu et al., "Image inpainting for irregular holes using partial convolutions",
       ECCV 2018, arXiv:1804.07723.

    Examples
    --------
    >>> y, new_mask = PConv2D(8, 3)([x, mask])     # x (N,H,W,C), mask (N,H,W,1)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        padding: str = "same",
        dilation_rate: int | tuple[int, int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "he_normal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if keras.config.image_data_format() == "channels_first":
            raise ValueError(
                'image_data_format="channels_first" is not supported: set it to "channels_last" '
                "in keras.json or with keras.config.set_image_data_format"
            )
        if not isinstance(filters, int) or filters < 1:
            raise ValueError(f"filters must be a positive integer, got {filters!r}")
        self.filters = filters
        self.kernel_size = _pair(kernel_size, "kernel_size")
        self.strides = _pair(strides, "strides")
        self.padding = _padding(padding)
        self.dilation_rate = _pair(dilation_rate, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"strides {self.strides} and dilation_rate {self.dilation_rate} "
                "cannot both be more than 1"
            )
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, inputs_shape: Sequence[Any]) -> None:
        _check_pairs(inputs_shape)
        self.channels = sum(shape[-1] for shape in inputs_shape[0::2])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.channels, self.filters),
            initializer=self.kernel_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer=self.bias_initializer
            )
        self.built = True

    def call(self, inputs: Sequence[Tensor], padding: str | None = None) -> list[Tensor]:
        padding = self.padding if padding is None else _padding(padding)
        self._check_inputs(inputs)
        features, masks = inputs[0::2], inputs[1::2]

        hidden = [x * ops.cast(m, x.dtype) for x, m in zip(features, masks, strict=True)]
        joined = hidden[0] if len(hidden) == 1 else ops.concatenate(hidden, axis=-1)
        y = self._convolve(joined, self.kernel, padding)

        ratio, new_mask = self._mask_branch(features, masks, padding)
        y = y * ops.cast(ratio, y.dtype)
        if self.use_bias:
            y = y + ops.cast(self.bias, y.dtype)
        return [self.activation(y), new_mask]

    def compute_output_spec(
        self, inputs: Sequence[Tensor], padding: str | None = None
    ) -> list[Tensor]:
        # Keras would trace the call: shapes alone make a network build in a tenth of the time
        padding = self.padding if padding is None else _padding(padding)
        self._check_inputs(inputs)
        x = keras.KerasTensor((*inputs[0].shape[:3], self.channels), self.compute_dtype)
        kernel = keras.KerasTensor(self.kernel.shape, self.compute_dtype)
        y = self._convolve(x, kernel, padding)
        shared = all(m.shape[0] == 1 for m in inputs[1::2])
        mask_shape = (1 if shared else y.shape[0], *y.shape[1:3], 1)
        return [y, keras.KerasTensor(mask_shape, "float32")]

    def _check_inputs(self, inputs: Tensor | Sequence[Tensor]) -> None:
        # again after build: a mask of another size would broadcast, and no backend would object
        listed: Sequence[Tensor] = inputs if isinstance(inputs, list | tuple) else [inputs]
        shapes = [tuple(x.shape) for x in listed]
        _check_pairs(shapes)
        channels = sum(shape[-1] for shape in shapes[0::2])
        if channels != self.channels:
            raise ValueError(
                f"PConv2D got features of {channels} channels, but was built for {self.channels}"
            )

    def _convolve(self, x: Tensor, kernel: Tensor, padding: str) -> Tensor:
        return ops.conv(
            x,
            ops.cast(kernel, x.dtype),
            strides=self.strides,
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format="channels_last",
        )

    def _mask_branch(
        self, features: Sequence[Tensor], masks: Sequence[Tensor], padding: str
    ) -> tuple[Tensor, Tensor]:
        # float32 throughout and no epsilon: in half precision an empty window would give inf * 0
        total: Tensor = 0.0
        for x, m in zip(features, masks, strict=True):
            m = ops.cast(m, "float32")
            ones = ops.ones((*self.kernel_size, m.shape[-1], 1), dtype="float32")
            total = total + self._convolve(m, ones, padding) * (x.shape[-1] // m.shape[-1])
        window = float(self.kernel_size[0] * self.kernel_size[1] * self.channels)
        new_mask = ops.cast(total > 0.5, "float32")
        # of empty windows 1, not a maximum: that would take a number to the GPU, which waits for it
        return new_mask * window / (total + (1 - new_mask)), new_mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Build layers under a dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
