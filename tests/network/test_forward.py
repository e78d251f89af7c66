"""One pass through a network."""

import logging

import keras
import numpy as np
import pytest

from unetpred.network.forward import compiled


def test_compiling_several_networks_is_silent(caplog):
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.WARNING, "tensorflow"):
            for factor in range(8):  # TensorFlow takes five for a mistake
                inputs = keras.Input((4,))
                model = keras.Model(inputs, inputs * factor)
                outputs = compiled(model, np.ones((2, 4), "float32"))
                np.testing.assert_array_equal(outputs, np.full((2, 4), factor))
            logger.warning("anything else is heard")
    finally:
        logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"anything else is heard"}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others trace for each length")
def test_batches_of_all_lengths_are_traced_once():
    image, mask = keras.Input((4, 4, 3)), keras.Input((4, 4, 1))
    model = keras.Model([image, mask], keras.layers.Conv2D(2, 3)(image * mask))
    model.jit_compile = False
    rng, kernel = np.random.default_rng(0), model.get_weights()[0]
    for length, masks in ((8, 1), (8, 8), (3, 1), (5, 5)):
        images, given = rng.random((length, 4, 4, 3)), rng.random((masks, 4, 4, 1))
        found = compiled(model, [images.astype("float32"), given.astype("float32")])
        expected = np.einsum("nhwc,hwcf->nf", (images * given)[:, :3, :3], kernel)
        np.testing.assert_allclose(found[:, 0, 0], expected, rtol=1e-4, atol=1e-5)
    assert model.predict_function.experimental_get_tracing_count() == 1
