"""A served page for the tests of the page."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

SIDE = 136, 150


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """A picture of waves and noise, as a file."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[: SIDE[0], : SIDE[1]]
    waves = np.stack([np.sin(rows / a + columns / b) for a, b in ((9, 14), (5, -8), (20, 11))], -1)
    pixels = np.clip(waves * 80 + 120 + rng.normal(0, 6, waves.shape), 0, 255).astype("uint8")
    path = tmp_path_factory.mktemp("page") / "waves.png"
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture(scope="session")
def site(weights, file, tmp_path_factory):
    """A page with a small network, without content."""
    pytest.importorskip("gradio")
    pytest.importorskip("plotly")
    from sites import Site

    from unetpred.app.page import page, serve

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        made = page(file, weights, pixels_per_degree=20)
        made.engine.content = False
        patch.setattr(made, "warm", lambda: None)
        serve(made, browser=False)
        yield Site(made)
        made.close(verbose=False)
