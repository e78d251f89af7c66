"""Small networks that segment, and their files."""

import numpy as np
import pytest
from segmenters import THREE, TWO, WIDTH


@pytest.fixture(scope="session")
def networks():
    """Small networks of two and three classes, whose output varies."""
    from unetpred.segmentation.network import HEAD, build_segmenter

    made = {}
    for known in (TWO, THREE):
        model = build_segmenter(len(known), WIDTH)
        rng = np.random.default_rng(len(known))
        model.set_weights(
            [
                rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape) * (w.ndim > 1)
                for w in model.get_weights()
            ]
        )
        # logits about 0, whatever the features' mean
        kernel, bias = model.get_layer(HEAD).get_weights()
        model.get_layer(HEAD).set_weights([kernel / 20, bias])
        made[len(known)] = model
    return made


@pytest.fixture(scope="session")
def files(networks, tmp_path_factory):
    """Their weights files, by the number of classes."""
    from unetpred.segmentation.weights import save_segmenter

    folder = tmp_path_factory.mktemp("segmenters")
    for known in (TWO, THREE):
        path = folder / f"{len(known)}.weights.h5"
        save_segmenter(networks[len(known)], known, WIDTH, path)
    return {count: str(folder / f"{count}.weights.h5") for count in (2, 3)}


@pytest.fixture
def segment(capsys):
    """Run `unetpred segment`: (exit code, stdout lines, stderr)."""
    from unetpred.commands.main import main

    def go(*arguments):
        try:
            code = main(["segment", *map(str, arguments)])
        except SystemExit as error:  # argparse
            code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return go
