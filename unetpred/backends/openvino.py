"""What OpenVINO alone needs; imported only where it is the backend of Keras."""

from __future__ import annotations

from functools import partial

import openvino

_PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}


def compute_in_float32() -> None:
    """Have Keras' models compute in float32, as with every other backend.

    OpenVINO takes bfloat16 where the processor has it, which moves scores by a thousandth, and
    Keras hands no setting through to it.
    """
    if not isinstance(openvino.compile_model, partial):
        openvino.compile_model = partial(openvino.compile_model, config=_PRECISE)
