"""Scoring convolves in float32, whatever the backend would do on a GPU, and leaves it so."""

import functools

import keras
import pytest

from unetpred import features, predictability_map
from unetpred.backends.precision import full_float32
from unetpred.evaluation.fillers import Filler
from unetpred.holes.masks import hole_mask
from unetpred.network.model import build_unetpred
from unetpred.network.partial_convolution import PConv2D
from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import content

VGG = "tests/data/vgg16_notop_random.h5"


def setting():
    """Whether TF32 is off, and what it is put back to."""
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        kept = tf.config.experimental.tensor_float_32_execution_enabled()
        return not kept, kept
    if name == "torch":
        import torch

        cudnn = torch.backends.cudnn
        if hasattr(cudnn, "conv"):
            return cudnn.conv.fp32_precision == "ieee", cudnn.conv.fp32_precision
        return not cudnn.allow_tf32, cudnn.allow_tf32
    if name == "jax":
        import jax

        kept = jax.config.jax_default_matmul_precision
        return kept == "highest", kept
    pytest.skip("has no such setting")


@pytest.fixture
def seen(monkeypatch):
    """Whether TF32 was off in each convolution."""
    found = []
    for layer in (PConv2D, keras.layers.Conv2D):
        call = layer.call

        @functools.wraps(call)  # Keras looks at its arguments
        def spy(self, *args, call=call, **kwargs):
            found.append(setting()[0])
            return call(self, *args, **kwargs)

        monkeypatch.setattr(layer, "call", spy)
    return found


def test_every_way_to_score(weights, pictures, seen):
    before = setting()
    assert not before[0]
    predictor = Predictor(weights, VGG)
    model = build_unetpred(width=0.0625)
    vgg = vgg_model(VGG, CONTENT_LAYERS)
    filler = Filler(model, hole_mask((96, 96), 20), [])
    ways = {
        "structure": lambda: predictor(pictures[:1]),
        "content": lambda: content(pictures[:1, :20, :20], pictures[1:2, :20, :20], vgg),
        "map": lambda: predictability_map(pictures[0], 50, context="full", predictor=predictor),
        "features": lambda: features(pictures[:1], "vblock1_conv_1", weights=weights),
        "evaluate": lambda: filler(pictures[:1, :96, :96]),
    }
    for way, run in ways.items():
        seen.clear()
        run()
        # what builds networks outside of it computes nothing
        assert seen and seen[-1], way
        assert setting() == before


def test_errors_put_it_back():
    before = setting()
    with pytest.raises(ZeroDivisionError), full_float32():
        assert setting()[0]
        raise ZeroDivisionError
    assert setting() == before
