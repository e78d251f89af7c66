"""One pass through a network."""

import logging

import keras
import numpy as np

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
