"""`--max_pixels` refuses larger images, in one line that says the option, and allows others."""

import numpy as np
import pytest
from PIL import Image

from unetpred.commands.main import main
from unetpred.io.limits import max_pixels, set_max_pixels


@pytest.fixture(autouse=True)
def as_before():
    yield
    set_max_pixels(None)


def test_option(tmp_path, capsys, weights):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 120, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    command = ["predict", "--weights", weights, "--input", str(tmp_path / "a.png")]
    assert main([*command, "--max_pixels", "11999"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.png" in line and "--max_pixels" in line
    assert main([*command, "--max_pixels", "12000"]) == 0
    assert main(command) == 0 and max_pixels() is None
    assert main([*command, "--max_pixels", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
