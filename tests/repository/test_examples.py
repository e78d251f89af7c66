"""The example pictures are those that their script makes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetpred.fillings.simple import biharmonic_fill, telea_fill
from unetpred.io.registry import SHIPPED

FOLDER = Path(__file__).parents[2] / "examples"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load("make_examples")


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return np.load(FOLDER / "samples.npy", allow_pickle=False)


def test_running_the_script_again_gives_the_same_pixels(script, samples, tmp_path):
    script.main(["--output_dir", str(tmp_path / "new")])
    np.testing.assert_array_equal(np.load(tmp_path / "new/samples.npy"), samples)
    again, kept = (
        np.asarray(Image.open(folder / "sample_img.png")) for folder in (tmp_path / "new", FOLDER)
    )
    np.testing.assert_array_equal(again, kept)


def test_form_and_size(samples):
    assert samples.shape == (10, 224, 224, 3)
    assert samples.dtype == np.uint8
    with Image.open(FOLDER / "sample_img.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (224, 224))
    assert (FOLDER / "samples.npy").stat().st_size < 2e6


def test_crops_are_block_means_of_the_named_photographs(script, samples):
    import skimage.data

    np.testing.assert_array_equal(samples[0], skimage.data.coffee()[40:264, 20:244])
    grass = skimage.data.grass()[30:478, 30:478].astype(float)
    mean = (grass[::2, ::2] + grass[1::2, ::2] + grass[::2, 1::2] + grass[1::2, 1::2]) / 4
    assert np.abs(samples[9][..., 0] - mean).max() <= 0.5
    assert (samples[9] == samples[9][..., :1]).all()


def test_a_crop_beyond_the_photograph_is_an_error(script):
    with pytest.raises(ValueError, match="leaves its photograph"):
        script.cut(script.Crop("too far", "coffee", 500, 0, 1))


def test_every_photograph_has_its_licence(script):
    used = {crop.source for crop in (script.SAMPLE, *script.SAMPLES)}
    assert used == set(script.LICENCES)


def test_order_is_from_easy_to_hard_for_simple_fillings(samples):
    mask = np.ones((224, 224))
    mask[86:138, 86:138] = 0
    hole = mask == 0
    scores = [
        np.mean(
            [
                np.corrcoef(image[hole].ravel(), fill(image, mask)[hole].ravel())[0, 1]
                for fill in (biharmonic_fill, telea_fill)
            ]
        )
        for image in samples
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 0.9
    assert scores[-1] < 0.2


def table(text: str) -> dict[str, list[float]]:
    """The rows of a table of the card by picture: r, L1 and content of every method."""
    lines = [line.replace("*", "").strip("| \n").split(" | ") for line in text.splitlines()]
    names = ("sample_img.png", "samples.npy", "mean")
    return {
        n: [float(v) for v in row] for n, *row in lines if n.startswith(names) and len(row) == 12
    }


def card(name: str) -> str:
    """What the card says of some weights."""
    text = (FOLDER.parent / "weights/README.md").read_text(encoding="utf-8")
    return text.split(f"\n## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=[pytest.mark.slow] * (x == "full")) for x in SHIPPED]
)
def test_card_shows_what_the_weights_do(tmp_path, capsys, name):
    history = tmp_path / "history.csv"
    history.write_text("step,loss,structure,l1\n1,0.9,,\n2,0.8,0.5,30\n")
    load("make_card").main(["--weights", name, "--output_dir", str(tmp_path),
                            "--history", str(history), "--baseline", "Telea=0.6,27"])  # fmt: skip
    made, known = table(capsys.readouterr().out), table(card(name))
    assert len(made) == 13 and made.keys() <= known.keys()
    for picture, row in made.items():
        np.testing.assert_allclose(known[picture][:4], row[:4], atol=0.002, err_msg=picture)
        np.testing.assert_allclose(known[picture][4:8], row[4:8], atol=0.11, err_msg=picture)
        np.testing.assert_allclose(known[picture][8:], row[8:], atol=0.002, err_msg=picture)
    for file in (f"{name}_examples.png", f"{name}_curves.png"):
        with Image.open(tmp_path / file) as picture:
            assert min(picture.size) > 200
