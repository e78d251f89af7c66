"""What the tests of whole networks share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def compute():
    """Give (model, image, mask) -> its output as a float32 array."""
    import keras

    def run(model, image, mask):
        if keras.backend.backend() == "jax":
            return model.predict([image, mask], verbose=0)  # op by op, JAX compiles each alone
        return keras.ops.convert_to_numpy(keras.ops.cast(model([image, mask]), "float32"))

    return run


@pytest.fixture(scope="session")
def picture():
    """Give (seed, height, width, batch, mask channels) -> image and irregular mask."""

    def make(seed, height, width, batch=1, channels=1):
        rng = np.random.default_rng(seed)
        # coarse and fine structure in network space, about -120..150
        coarse = rng.normal(0, 50, (batch, -(-height // 8), -(-width // 8), 3))
        image = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
        image = image + rng.normal(0, 15, image.shape)
        mask = (rng.random((batch, height, width, channels)) < 0.9).astype("float32")
        top, left = height // 5, width // 4
        mask[:, top : top + height // 2, left : left + width // 2] = 0
        mask[:, top + 9, left + 11] = 1  # one lone visible pixel inside the hole
        return image.astype("float32"), mask

    return make
