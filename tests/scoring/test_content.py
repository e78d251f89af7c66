"""Content under ImageNet's VGG-16 against NumPy alone, from the arrays as they lie in the files."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import lpips
from unetpred.fillings.simple import telea_fill
from unetpred.holes.masks import hole_mask
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import content

BOX = np.s_[86:138, 86:138]


@pytest.fixture(scope="module")
def arrays():
    return lpips.read_arrays()


@pytest.fixture(scope="module")
def picture():
    return np.load("examples/samples.npy")[6]  # a face: colour, outlines and shading


@pytest.fixture(scope="module")
def predictor():
    return Predictor("lite")


@pytest.fixture(scope="module")
def result(predictor, picture):
    return predictor(picture[None], output=("structure", "content"))


def test_of_the_networks_filling(result, picture, arrays):
    expected = lpips.content(result.filled[0][BOX], picture[BOX], arrays)
    np.testing.assert_allclose(result.content_layers[0], expected, rtol=1e-4)
    assert result.content[0] == pytest.approx(expected.mean(), rel=1e-4)
    assert (expected > 0.05).all() and expected[-1] > expected[0]


def test_of_teleas_filling(predictor, picture, arrays):
    filling = telea_fill(picture, hole_mask((224, 224)))[BOX]
    score = content(filling[None], picture[BOX][None], predictor.vgg())
    np.testing.assert_allclose(
        score.layers[0], lpips.content(filling, picture[BOX], arrays), rtol=1e-4
    )


def test_lpips_is_content_of_subtracted_means_summed(result, predictor, picture, arrays):
    pair = result.filled[0][BOX].astype("float64"), picture[BOX].astype("float64")
    score = content(*(patch[None] for patch in pair), predictor.vgg(), subtract_mean=True)
    assert lpips.lpips(*pair, arrays) == pytest.approx(score.layers[0].sum(), rel=1e-4)


def test_features_are_those_of_a_loop(arrays):
    """The reference itself, at a few places of the first two layers, by a loop over its sum."""
    image = np.random.default_rng(0).uniform(0, 255, (6, 5, 3))
    (kernel, bias), (second, offset) = arrays[:2]

    def at(x, kernel, bias, row, column, channel):
        total = float(bias[channel])
        for i, j in np.ndindex(3, 3):
            y, z = row + i - 1, column + j - 1
            if 0 <= y < 6 and 0 <= z < 5:
                total += sum(x[y, z, c] * kernel[i, j, c, channel] for c in range(x.shape[-1]))
        return max(total, 0.0)

    first = np.array([[[at(image, kernel, bias, r, c, f) for f in range(64)] for c in range(5)]
                      for r in range(6)])  # fmt: skip
    found = lpips.features(np.pad(image, ((0, 10), (0, 11), (0, 0))), arrays)[0]
    assert found.shape == (16, 16, 64)
    for row, column, channel in ((0, 0, 5), (3, 2, 17), (1, 3, 40)):
        expected = at(first, second, offset, row, column, channel)
        assert found[row, column, channel] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("given", [None, "file"])
def test_by_default_and_by_file_are_the_same_digits(given, tmp_path, capsys, arrays):
    import h5py

    from unetpred.commands.main import main

    words = ["predict", "--input", "examples/sample_img.png", "--weights", "lite", "--quiet"]
    words += ["--output", "content", "--save", str(tmp_path / "t.json")]
    if given:  # in the layout of the file that Keras distributes
        with h5py.File(tmp_path / "vgg.h5", "w") as file:
            file.attrs["layer_names"] = names = [
                f"block{b}_conv{i + 1}" for b, n in enumerate(lpips.BLOCKS, 1) for i in range(n)
            ]
            for name, values in zip(names, arrays, strict=True):
                leaves = [f"{name}_W_1:0", f"{name}_b_1:0"]
                group = file.create_group(name)
                group.attrs["weight_names"] = leaves
                for leaf, value in zip(leaves, values, strict=True):
                    group[leaf] = value
        words += ["--vgg_weights", str(tmp_path / "vgg.h5")]
    assert main(words) == 0
    table = json.loads(Path(tmp_path / "t.json").read_text())
    (row,) = table["rows"]
    assert capsys.readouterr().out == f"examples/sample_img.png\t{row['content']!r}\n"
    assert table["provenance"]["vgg_weights"].startswith("vgg16, ImageNet's (sha256 over")
    layers = [row[f"content_{layer}"] for layer in CONTENT_LAYERS]
    assert row["content"] == pytest.approx(np.mean(layers))
    # the same whether it was given or not
    assert row["content"] == pytest.approx(0.5873379945755005, abs=1e-5)
