"""Maps: each value against the whole network on a crop that is cut by hand."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import unetpred
from unetpred import predictability_map
from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.images.colour import from_network, to_network
from unetpred.network.model import Config, build_unetpred
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.plots import map_overlay
from unetpred.scoring import crops as cuts
from unetpred.scoring import maps
from unetpred.scoring.maps import OUTSIDE, blank_map
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import OUTPUTS, structure
from unetpred.weights.files import save_weights

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())
SIDE, HOLE = 96, 21  # px, of the crops and of most holes


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    keras.utils.set_random_seed(5)
    path = {}
    for variant in ("paper", "released"):
        config = Config(variant, 0.03125)
        path[variant] = str(tmp_path_factory.mktemp("weights") / f"{variant}.weights.h5")
        model = build_unetpred(config.variant, config.width)
        model.set_weights([w + 3 if w.ndim == 1 else w for w in model.get_weights()])
        save_weights(model, config, path[variant])
    return path


@pytest.fixture(scope="session")
def predictor(weights):
    return Predictor(weights["paper"], VGG, batch_size=4)


def photograph(height, width, seed=0):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / a + columns / b) for a, b in ((9, 14), (5, -8), (20, 11))]
    image = np.stack(waves, -1) * 90 + 120 + rng.normal(0, 8, (height, width, 3))
    return np.clip(image, 0, 255).astype("uint8")


def by_hand(predictor, image, x, y, side, hole, missing):
    """Hole and original (hole,hole,3) of a crop, from the network's whole output."""
    image = image.astype("float32")
    crop, mask = np.full((side, side, 3), 99, "float32"), np.zeros((side, side), "float32")
    for i in range(side):
        for j in range(side):
            row, column = y - side // 2 + i, x - side // 2 + j
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                crop[i, j], mask[i, j] = image[row, column], 1
    at = slice(side // 2 - hole // 2, side // 2 - hole // 2 + hole)
    mask[at, at][missing] = 0
    return whole_output(predictor, crop, mask)[at, at], crop[at, at]


def whole_output(predictor, image, mask):
    inputs = [to_network(image[None]), mask[None, ..., None]]
    output = from_network(np.asarray(predictor.network().predict_on_batch(inputs)))[0]
    return np.clip(output, 0, 255)


def disc(size):
    middle = (size - 1) / 2
    rows, columns = np.mgrid[:size, :size] - middle
    return rows**2 + columns**2 <= (size / 2) ** 2


@pytest.fixture(scope="session")
def photo():
    return photograph(131, 150)


@pytest.fixture(scope="session")
def squares(photo, predictor):
    return predictability_map(photo, 13, SIDE, HOLE, predictor=predictor)


def compare_with_crops(result, predictor, image, size, missing):
    # inside, reaching beyond one side, beyond two, and with the hole at the border
    for i, j in [(4, 5), (5, 6), (2, 6), (4, 9), (2, 2), (8, 9)]:
        x, y = result.x[j], result.y[i]
        filled, original = by_hand(predictor, image, x, y, SIDE, size, missing)
        r = np.corrcoef(filled[missing].ravel(), original[missing].ravel())[0, 1]
        assert result.structure[i, j] == pytest.approx(r, abs=1e-5)
        assert result.reason[i, j] == ""


def test_values_are_those_of_crops_cut_by_hand(squares, predictor, photo):
    np.testing.assert_array_equal(squares.x, range(0, 150, 13))
    np.testing.assert_array_equal(squares.y, range(0, 131, 13))
    assert squares.structure.shape == (11, 12)
    assert squares.content is None
    compare_with_crops(squares, predictor, photo, HOLE, np.ones((HOLE, HOLE), bool))
    assert len(np.unique(squares.structure[np.isfinite(squares.structure)].round(4))) > 20


@pytest.mark.slow
def test_discs(predictor, photo):
    result = predictability_map(photo, 13, SIDE, 30, "disc", predictor=predictor)
    compare_with_crops(result, predictor, photo, 30, disc(30))


def test_undefined_exactly_where_the_hole_leaves_the_image(squares):
    for i, y in enumerate(squares.y):
        for j, x in enumerate(squares.x):
            fits = 10 <= y <= 120 and 10 <= x <= 139
            assert np.isfinite(squares.structure[i, j]) == fits
            assert squares.reason[i, j] == ("" if fits else OUTSIDE)


def test_same_whatever_the_batch(squares, weights, photo):
    one = Predictor(weights["paper"], batch_size=1)
    np.testing.assert_allclose(
        predictability_map(photo, 39, SIDE, HOLE, predictor=one).structure,
        squares.structure[::3, ::3],
        atol=1e-5,
    )


# smaller than the receptive field, and larger along one side: with one network, and with several
@pytest.mark.parametrize(
    ("variant", "height", "width", "few"),
    [("paper", 90, 101, 1000), ("paper", 90, 470, 1), ("released", 350, 100, 1000)],
)
def test_whole_image_as_context(weights, monkeypatch, variant, height, width, few):
    monkeypatch.setattr(maps, "regions", lambda *given: [(None, [*range(len(given[3]))])])
    monkeypatch.setattr(cuts, "FEW", few)
    image, predictor = photograph(height, width).astype("float32"), Predictor(weights[variant])
    result = predictability_map(image, 30, "full", HOLE, predictor=predictor)
    places = np.argwhere(np.isfinite(result.structure))
    for i, j in places[::4]:
        mask = np.ones((height, width), "float32")
        top, left = result.y[i] - HOLE // 2, result.x[j] - HOLE // 2
        mask[top : top + HOLE, left : left + HOLE] = 0
        filled = whole_output(predictor, image, mask)
        r = structure(filled, image, mask).value
        assert result.structure[i, j] == pytest.approx(r, abs=1e-5)


def test_content(predictor):
    image = photograph(110, 120)
    result = predictability_map(
        image, 30, SIDE, HOLE, output=("content",), predictor=predictor
    )  # fmt: skip
    i, j = 1, 2
    filled, original = by_hand(
        predictor, image, result.x[j], result.y[i], SIDE, HOLE, np.ones((HOLE, HOLE), bool)
    )
    distances = []
    for a, b in zip(*(predictor.vgg()(patch[None]) for patch in (filled, original)), strict=True):
        a, b = (keras.ops.convert_to_numpy(v)[0].astype("float64") for v in (a, b))
        a, b = (v / np.sqrt((v**2).sum(-1, keepdims=True) + 1.19e-7) for v in (a, b))
        distances.append(((a - b) ** 2).mean(axis=(0, 1)).sum())
    assert len(distances) == len(CONTENT_LAYERS)
    assert result.content[i, j] == pytest.approx(np.mean(distances), rel=1e-4)
    np.testing.assert_array_equal(np.isnan(result.content), np.isnan(result.structure))


def test_constant_patch_has_a_reason(predictor):
    image = photograph(120, 120)
    image[20:100, 20:100] = 77
    result = predictability_map(image, 60, SIDE, HOLE, predictor=predictor)
    assert np.isnan(result.structure[1, 1])
    assert "constant patch" in result.reason[1, 1]


def test_hole_as_large_as_the_image_leaves_nothing_visible(predictor):
    result = predictability_map(photograph(90, 90), 45, 200, 90, predictor=predictor)
    assert np.isnan(result.structure).all()
    assert result.reason[1, 1] == "nothing is visible"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, weights):
    monkeypatch.chdir(tmp_path)

    def go(*arguments):
        try:
            code = main(["map", "--weights", weights["paper"], *map(str, arguments)])
        except SystemExit as error:  # argparse
            code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return go


SMALL = ("--stride", 25, "--context", SIDE, "--mask_size", HOLE)


@pytest.mark.slow
def test_file_and_pictures(run, predictor):
    Image.fromarray(photograph(101, 130)).save("a.png")
    code, out, _ = run("--input", "a.png", *SMALL, "--save", "a.npz", "--output", "content",
                       "structure_luminance", "--vgg_weights", VGG,
                       "--pixels_per_degree", 20)  # fmt: skip
    assert (code, out) == (0, [])
    with np.load("a.npz", allow_pickle=False) as file:
        saved = dict(file)
    assert set(saved) == {*OUTPUTS, "x", "y", "reason", "provenance"}
    assert saved["structure"].dtype == saved["content"].dtype == np.float64
    assert saved["x"].dtype.kind == saved["y"].dtype.kind == "i"
    result = predictability_map(
        photograph(101, 130), 25, SIDE, HOLE, output=OUTPUTS[1:], predictor=predictor
    )
    assert np.nanmax(abs(saved["structure"] - saved["structure_luminance"])) > 0.01
    for name in OUTPUTS:
        np.testing.assert_allclose(saved[name], getattr(result, name), atol=1e-5)
    for name in ("x", "y", "reason"):
        np.testing.assert_array_equal(saved[name], getattr(result, name))
    origin = json.loads(str(saved["provenance"]))
    assert len(origin["weights_sha256"]) == 64
    assert "square of 21 px (1.05 deg)" in origin["hole"]
    assert "96 x 96 px" in origin["context"]
    # the picture must not take the place of the photograph
    assert {p.name for p in Path().iterdir()} == {
        "a.png", "a.npz", "a_map.png", "a_content.png", "a_structure_luminance.png"
    }  # fmt: skip
    for name in ("a_map.png", "a_content.png"):
        with Image.open(name) as picture:
            picture.load()
            assert picture.width > 1000


def bad_usage():
    yield ["--stride", "0"], "--stride 0"
    yield ["--stride", "2.5"], "--stride"
    yield ["--context", "83"], "84"
    yield ["--context", "half"], "half"
    yield ["--context", "100", "--mask_size", "100"], "leaves nothing visible"
    yield ["--mask_size", "101"], "leaves the image of 120x100"
    yield ["--mask_size", "0"], "--mask_size"
    yield ["--stride", "119"], "leaves the image of 120x100"
    yield ["--units", "deg"], "--pixels_per_degree"
    yield ["--batch_size", "0"], "--batch_size"
    yield ["--save", "map.csv"], ".npz"
    yield ["--save", "no/map.npz"], "does not exist"
    yield ["--input", "stack.npz", "--save", "stack.npz"], "is the input"
    yield ["--input", "stack.npz"], "choose one by --index"
    yield ["--input", "stack.npz", "--index", "2"], "--index 2"
    yield ["--input", "."], "is a folder"
    yield ["--input", "nosuch.png"], "nosuch.png"
    yield ["--input", "text.png"], "text.png"
    yield ["--weights", "nosuch"], "nosuch"
    yield ["--output", "beauty"], "beauty"
    yield ["--output", "content", "--vgg_weights", "nosuch.h5"], "nosuch.h5"


@pytest.mark.parametrize(("arguments", "message"), list(bad_usage()))
def test_bad_usage_is_one_line(run, arguments, message):
    Image.fromarray(photograph(100, 120)).save("a.png")
    np.savez("stack.npz", np.stack([photograph(100, 120)] * 2))
    Path("text.png").write_text("x")
    code, out, err = run("--input", "a.png", "--save", "map.npz", *arguments)
    assert code == 2
    assert message in err.splitlines()[-1]
    assert out == []
    assert not list(Path().glob("map*"))


def test_one_of_several_grey_images(run, predictor):
    grey = [photograph(100, 120, seed)[..., 0] for seed in (0, 1)]
    np.savez("stack.npz", np.stack(grey))
    assert run("--input", "stack.npz", "--index", 1, *SMALL, "--save", "a.npz")[0] == 0
    equal = np.repeat(grey[1][..., None], 3, axis=-1)
    result = unetpred.predictability_map(equal, 25, SIDE, HOLE, predictor=predictor)
    assert isinstance(result, unetpred.PredictabilityMap)
    with np.load("a.npz") as saved:
        np.testing.assert_allclose(saved["structure"], result.structure, atol=1e-6)


def test_python_names_what_does_not_fit(predictor):
    for arguments, message in (
        ({"image": np.zeros((2, 100, 100, 3), "uint8")}, "2 pictures"),
        ({"stride": 0}, "stride 0"),
        ({"stride": 2.5}, "stride 2.5"),
        ({"context": 50}, "context 50"),
        ({"output": ("beauty",)}, "beauty"),
    ):
        with pytest.raises(InputError, match=message):
            predictability_map(
                **{"image": photograph(100, 100), "predictor": predictor, **arguments}
            )


def test_weights_are_those_of_a_predictor(weights, predictor, photo):
    one = predictability_map(photo, stride=64, predictor=predictor)
    same = predictability_map(photo, stride=64, weights=weights["paper"])
    np.testing.assert_allclose(one.structure, same.structure, atol=1e-5)
    with pytest.raises(InputError, match="both predictor and weights"):
        predictability_map(photo, predictor=predictor, weights=weights["paper"])


def test_usage_needs_no_heavy_import():
    code = (
        "import sys, unetpred.commands.main; unetpred.commands.main.build_parser();"
        "print({'keras', 'skimage', 'matplotlib', 'scipy', 'h5py', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_overlay_has_the_values_at_their_places():
    image = photograph(100, 150)
    result = blank_map((100, 150), 20, 30)
    result.structure[1:4, 1:7] = np.linspace(-0.5, 1, 18).reshape(3, 6)
    figure = map_overlay(image, result, mask_size=30, pixels_per_degree=10, caption="a_$x$")
    drawn = figure.axes[1].images[-1]
    np.testing.assert_array_equal(drawn.get_array().filled(np.nan), result.structure)
    assert drawn.get_extent() == [-10, 150, 90, -10]
    assert drawn.get_clim() == (0, 1)
    bar = next(line for line in figure.axes[0].lines)
    assert np.ptp(bar.get_xdata()) == pytest.approx(20)  # 2 degrees
    assert "2°" in [text.get_text() for text in figure.axes[0].texts]
    (square,) = figure.axes[0].patches
    assert square.get_bbox().bounds == pytest.approx((150 - 4.5 - 30, 4.5, 30, 30))
    plain = map_overlay(image, result)
    assert not plain.axes[0].lines and not plain.axes[0].patches
    (round_one,) = map_overlay(image, result, mask_size=30, mask_shape="disc").axes[0].patches
    assert (round_one.width, round_one.height) == (30, 30)
    assert round_one.center == pytest.approx((150 - 4.5 - 15, 4.5 + 15))
    assert figure.get_figwidth() * 25.4 == pytest.approx(180)
    assert figure.axes[0].get_position().x1 < figure.axes[1].get_position().x0
    narrow = map_overlay(image, result, width=85)  # one column of a journal: the map below
    narrow.draw_without_rendering()
    assert narrow.get_figwidth() * 25.4 == pytest.approx(85)
    assert narrow.axes[0].get_position().y0 > narrow.axes[1].get_position().y1
    strip = map_overlay(photograph(84, 500), result, caption="words")
    strip.draw_without_rendering()
    for one in (narrow, strip):
        label = one.axes[2].yaxis.label.get_window_extent()
        assert label.y0 >= 0 and label.y1 <= one.bbox.y1 and label.x1 <= one.bbox.x1
    with pytest.raises(InputError, match="width 40"):
        map_overlay(image, result, width=40)
    with pytest.raises(InputError, match="no score 'content'"):
        map_overlay(image, result, "content")
    with pytest.raises(InputError, match="beyond an image of 150x60"):
        map_overlay(image[:60], result)
