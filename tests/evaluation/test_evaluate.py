"""Evaluation: its numbers against NumPy's, its files against its numbers."""

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.evaluation.evaluate import evaluate
from unetpred.evaluation.measures import COMPARED, LAYER_MEASURES, MEASURES, NETWORK, Row
from unetpred.network import vgg16 as vgg
from unetpred.network.model import build_unetpred
from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model
from unetpred.scoring.scores import content

SIDE, HOLE = 96, 16
EDGE = (SIDE - HOLE) // 2
PATCH = slice(EDGE, EDGE + HOLE), slice(EDGE, EDGE + HOLE)
METHODS = [NETWORK, "mean", "biharmonic", "telea", "harmonic"]
VGG_FILE = Path(__file__).parents[1] / "data" / "vgg16_notop_random.h5"


def photograph(height: int, width: int, seed: int) -> np.ndarray:
    """Waves of random direction and colour, the finer the higher the seed."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        40 * np.sin((seed + 1) * (rng.normal() * rows + rng.normal() * columns) / 20)
        + rng.uniform(60, 190)
        for _ in range(3)
    ]
    return np.clip(np.stack(waves, axis=-1) + rng.normal(0, 5, (height, width, 3)), 0, 255)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Five photographs in two folders, the last grey and constant in the middle, and a text."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "more").mkdir()
    for index, size in enumerate([(96, 96), (121, 130), (100, 97), (97, 150)]):
        levels = photograph(*size, index).astype("uint8")
        Image.fromarray(levels).save(folder / ("more" if index > 1 else "") / f"{index}.png")
    grey = np.full((96, 96), 90, "uint8")
    grey[:30] = 140
    Image.fromarray(grey).save(folder / "more/grey.png")
    (folder / "broken.png").write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def crops(folder) -> dict[str, np.ndarray]:
    crops = {}
    for name in ("0.png", "1.png", "more/2.png", "more/3.png", "more/grey.png"):
        pixels = np.asarray(Image.open(folder / name).convert("RGB"))
        top, left = ((n - SIDE) // 2 for n in pixels.shape[:2])
        crops[name] = pixels[top : top + SIDE, left : left + SIDE]
    return crops


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(7)
    model = build_unetpred(width=1 / 16)
    output = model.get_layer("block10")
    # Random weights would give values that are clipped nearly everywhere.
    output.set_weights([0.03 * output.get_weights()[0], np.array([5.0, -9.0, 30.0])])
    return model


@pytest.fixture(scope="module")
def run(model, folder, tmp_path_factory):
    """Give the evaluation, its folder and what progress was told."""
    output, told = tmp_path_factory.mktemp("evaluations") / "new" / "one", []
    evaluation = evaluate(
        model,
        folder,
        output,
        holes=(HOLE,),
        side=SIDE,
        resamples=200,
        gallery=3,
        batch_size=2,
        progress=lambda *numbers: told.append(numbers),
        provenance={"weights": "random\nones"},
    )
    return evaluation, output, told


def of(rows: list[Row], method: str) -> dict[str, Row]:
    return {row.image: row for row in rows if row.method == method}


def ssim_by_loop(a: np.ndarray, b: np.ndarray, window: int = 7) -> float:
    """Wang et al. (2004), eq. 13, uniform windows and sample covariances."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for channel in range(3):
        for top in range(a.shape[0] - window + 1):
            for left in range(a.shape[1] - window + 1):
                place = slice(top, top + window), slice(left, left + window), channel
                x, y = a[place].ravel(), b[place].ravel()
                (vx, vxy), (_, vy) = np.cov(x, y)
                mx, my = x.mean(), y.mean()
                values.append(
                    (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
                )
    return float(np.mean(values))


def check(row: Row, filling: np.ndarray, original: np.ndarray) -> None:
    original = original.astype("float64")
    difference = filling.astype("float64") - original
    if original.std() > 0:
        r = np.corrcoef(filling.ravel(), original.ravel())[0, 1]
        assert row.structure == pytest.approx(r, abs=1e-5)
        grey = filling @ (0.2126, 0.7152, 0.0722), original @ (0.2126, 0.7152, 0.0722)
        if np.ptp(filling, axis=(0, 1)).max() > 0:
            r = np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1]
            assert row.structure_luminance == pytest.approx(r, abs=1e-5)
            assert row.reason == ""
        else:
            assert np.isnan(row.structure_luminance)
            assert row.reason == "structure_luminance: constant patch (prediction)"
    else:
        assert np.isnan(row.structure)
        assert row.reason.startswith("structure: constant patch (original); structure_lum")
    assert row.l1 == pytest.approx(np.abs(difference).mean(), abs=1e-3)
    assert row.psnr == pytest.approx(20 * np.log10(255 / np.sqrt((difference**2).mean())), abs=1e-3)
    assert row.ssim == pytest.approx(ssim_by_loop(original, filling), abs=1e-5)
    assert row.content is None


def test_every_image_and_method_has_a_row_in_order(run, crops):
    evaluation, _, told = run
    assert [row[:3] for row in evaluation.rows] == [
        (image, HOLE, method) for image in crops for method in METHODS
    ]
    assert evaluation.skipped == 1
    assert told == [(done, 6) for done in range(1, 7)]


def test_network_is_measured_as_the_whole_network_in_numpy(run, model, crops):
    mask = np.ones((1, SIDE, SIDE, 1), "float32")
    mask[0][PATCH] = 0
    mean = np.array([103.939, 116.779, 123.68])
    for image, row in of(run[0].rows, NETWORK).items():
        bgr = (crops[image][None, ..., ::-1] - mean).astype("float32")
        output = model.predict_on_batch([bgr, mask])[0].astype("float64")
        filling = np.clip((output + mean)[..., ::-1], 0, 255)[PATCH]
        assert filling.std() > 5
        check(row, filling, crops[image][PATCH])


def test_mean_and_telea_are_measured_on_the_same_hole(run, crops):
    import cv2

    hidden = np.zeros((SIDE, SIDE), "uint8")
    hidden[PATCH] = 1
    for image, row in of(run[0].rows, "mean").items():
        colour = crops[image][hidden == 0].mean(axis=0)
        original = crops[image][PATCH]
        filling = np.broadcast_to(colour, original.shape)
        check(row, filling, original)
    for image, row in of(run[0].rows, "telea").items():
        known = np.where(hidden[..., None], 0, crops[image]).astype("uint8")
        check(row, cv2.inpaint(known, hidden, 3, cv2.INPAINT_TELEA)[PATCH], crops[image][PATCH])


def table(path: Path) -> tuple[list[dict], list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line for line in lines if line.startswith("#")]
    return list(csv.DictReader(lines[len(notes) :])), notes


def test_tables_hold_every_digit(run):
    evaluation, output, _ = run
    for name, rows in (("evaluation.csv", evaluation.rows), ("summary.csv", evaluation.summary)):
        written, notes = table(output / name)
        assert "# weights: random ones" in notes
        assert len(written) == len(rows)
        for line, row in zip(written, rows, strict=True):
            expected = {k: v for k, v in row._asdict().items() if v is not None}
            assert list(line) == list(expected)
            for field, value in expected.items():
                if isinstance(value, float):
                    np.testing.assert_equal(float(line[field]), value)
                else:
                    assert line[field] == str(value)


def test_summary_is_that_of_the_rows_and_of_paired_differences(run):
    evaluation = run[0]
    measures = [measure for measure in MEASURES if measure != "content"]
    assert [(s.method, s.against, s.measure) for s in evaluation.summary] == [
        *((method, "", measure) for method in METHODS for measure in measures),
        *(
            (NETWORK, method, measure)
            for method in METHODS[1:]
            for measure in COMPARED
            if measure != "content"
        ),
    ]
    for summary in evaluation.summary:
        rows = of(evaluation.rows, summary.method).values()
        values = np.array([getattr(row, summary.measure) for row in rows])
        if summary.against:
            others = of(evaluation.rows, summary.against).values()
            values = values - [getattr(row, summary.measure) for row in others]
        if summary.measure == "psnr":  # over the same images for all methods
            for method in METHODS:
                of_all = np.array([row.psnr for row in of(evaluation.rows, method).values()])
                values = np.where(np.isfinite(of_all), values, np.nan)
        finite = values[np.isfinite(values)]
        assert (summary.images, summary.undefined) == (len(finite), 5 - len(finite))
        if "mean" in summary[1:3] and summary.measure == "structure_luminance":
            assert np.isnan(summary[4:8]).all() and summary.images == 0
            continue
        assert summary.mean == pytest.approx(finite.mean())
        assert summary.median == pytest.approx(np.median(finite))
        if len(finite) < 5:
            assert np.isnan(summary.low) and np.isnan(summary.high)
        else:
            assert finite.min() <= summary.low <= summary.mean <= summary.high <= finite.max()
    assert evaluation.summary[0].undefined == 1  # structure of the constant patch


def test_summary_to_read_shows_the_same_numbers(run):
    evaluation, output, _ = run
    text = (output / "summary.md").read_text(encoding="utf-8")
    assert "* weights: random ones\n" in text
    assert "5, and 1 that could not be read" in text
    assert "content is left out" in text
    first = evaluation.summary[0]
    assert f"| {NETWORK} | {first.mean:.3f} (n=4) |" in text
    assert "| mean | 0." in text and " | undefined | " in text  # one colour, one luminance
    last = evaluation.summary[-1]
    assert (last.against, last.measure) == ("harmonic", "l1")
    assert text.endswith(f" | {last.mean:+.2f} [{last.low:+.2f}, {last.high:+.2f}] |\n")


def test_gallery_goes_from_best_to_worst(run, crops):
    evaluation, output, _ = run
    with Image.open(output / "gallery.png") as picture:
        dpi = round(picture.info["dpi"][0])
        pixels = np.asarray(picture.convert("RGB"))
    pad, line, side = int(0.05 * dpi), round(0.15 * dpi), 2 * SIDE
    columns = 2 + len(METHODS)
    # the last row has a line more, since "r undefined  L1 ..." is wider than a column
    height = pad + line + 3 * (side + line + pad) + line
    assert pixels.shape == (height, pad + columns * (side + pad), 3)

    rows = of(evaluation.rows, NETWORK)
    ranked = sorted(crops, key=lambda image: -np.nan_to_num(rows[image].structure, nan=-2))
    assert ranked[-1] == "more/grey.png"
    for place, image in enumerate([ranked[0], ranked[2], ranked[4]]):
        top = pad + line + place * (side + line + pad)
        shown = [
            pixels[top : top + side : 2, left : left + side : 2].astype(float)
            for left in range(pad, columns * (side + pad), side + pad)
        ]
        original = crops[image]
        np.testing.assert_array_equal(shown[0], original)
        assert (shown[1][PATCH] == 128).all()
        for method, filled in zip(METHODS, shown[2:], strict=True):
            seen = np.abs(filled[PATCH] - original[PATCH]).mean()
            assert seen == pytest.approx(of(evaluation.rows, method)[image].l1, abs=0.5)
            filled[PATCH] = original[PATCH]
            np.testing.assert_array_equal(filled, original)


def test_nothing_else_is_written(run):
    names = {path.name for path in run[1].iterdir()}
    assert names == {"evaluation.csv", "summary.csv", "summary.md", "gallery.png"}


def test_files_in_one_batch_with_content_but_without_opencv_and_matplotlib(
    run, model, folder, crops, tmp_path, monkeypatch, caplog
):
    for module in ("cv2", "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)
    vgg = vgg_model(VGG_FILE, CONTENT_LAYERS)
    files = [folder / "more/2.png", str(folder / "0.png")]
    given = {"holes": [HOLE, 6], "side": SIDE, "baselines": ["telea", "mean"]}
    evaluation = evaluate(model, files, tmp_path, vgg=vgg, **given)
    assert [row[:3] for row in evaluation.rows] == [
        (str(file), hole, method)
        for file in files
        for hole in (HOLE, 6)
        for method in (NETWORK, "mean")
    ]
    before = of(run[0].rows, "mean")
    for row in evaluation.rows:
        if row.hole == 6:
            assert np.isnan([row.content, row.ssim]).all()
            assert "content: patch of 6x6 px is too small" in row.reason
            assert "ssim: hole of 6 px" in row.reason
        elif row.method == "mean":
            name = Path(row.image).relative_to(folder).as_posix()
            assert row.structure == pytest.approx(before[name].structure, abs=1e-9)
            visible = np.ones((SIDE, SIDE), bool)
            visible[PATCH] = False
            original = crops[name][PATCH].astype("float32")
            filling = np.broadcast_to(crops[name][visible].mean(axis=0), original.shape)
            expected = content(filling[None], original[None], vgg)
            assert row.content == pytest.approx(expected.total[0], rel=1e-4)
            layers = [getattr(row, name) for name in LAYER_MEASURES]
            np.testing.assert_allclose(layers, expected.layers[0], rtol=1e-4)
        else:
            name = Path(row.image).relative_to(folder).as_posix()
            assert row.l1 == pytest.approx(of(run[0].rows, NETWORK)[name].l1, rel=1e-5)
    undefined = [s for s in evaluation.summary if s.hole == 6 and s.measure == "ssim"]
    assert [(s.images, s.undefined) for s in undefined] == [(0, 2), (0, 2)]
    assert np.isnan([s[4:8] for s in undefined]).all()
    assert "| undefined |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    written = table(tmp_path / "evaluation.csv")[0][0]
    assert {"content", *LAYER_MEASURES} < set(written) and list(written)[-1] == "reason"
    cells = {(s.hole, s.method, s.against, s.measure): s for s in evaluation.summary}
    ours, simple = (
        np.array([r.content for r in evaluation.rows if (r.hole, r.method) == (HOLE, method)])
        for method in (NETWORK, "mean")
    )
    difference = cells[HOLE, NETWORK, "mean", "content"]
    assert difference.mean == pytest.approx((ours - simple).mean())
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert f"| {difference.mean:+.3f} (n=2) |" in text
    layers = [f"{cells[HOLE, 'mean', '', name].mean:.3f}" for name in LAYER_MEASURES]
    assert f"| mean | {' | '.join(layers)} |" in text
    assert "telea is left out: OpenCV is not installed" in caplog.text
    assert "gallery is left out: matplotlib is not installed" in caplog.text
    assert not (tmp_path / "gallery.png").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"holes": [97]}, "97 px"),
        ({"holes": [16, 96]}, "nothing is visible"),
        ({"holes": [16.5]}, "16.5"),
        ({"holes": []}, "no size of hole"),
        ({"baselines": ["mean", "cubic"]}, "cubic; there are mean, biharmonic, telea, harmonic"),
        ({"side": 0}, "side=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"resamples": 2.5}, "resamples=2.5"),
        ({"gallery": -1}, "gallery=-1"),
        ({"seed": -3}, "seed=-3"),
        ({"files_or_folder": []}, "no photograph"),
        ({"files_or_folder": "nowhere"}, "nowhere: is not a folder"),
    ],
)
def test_bad_input_is_named_before_anything_is_made(model, folder, tmp_path, change, message):
    given = {"files_or_folder": folder, "holes": [HOLE], "side": SIDE, **change}
    with pytest.raises(InputError, match=message):
        evaluate(model, output_dir=tmp_path / "new", **given)
    assert not (tmp_path / "new").exists()


def test_no_readable_photograph_and_no_folder_are_errors(model, folder, tmp_path, monkeypatch):
    given = {"holes": [HOLE], "side": SIDE}
    with pytest.raises(InputError, match=r"broken\.png: none of 1 photograph"):
        evaluate(model, [folder / "broken.png"], tmp_path / "new", **given)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        evaluate(model, folder, tmp_path / "file", **given)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as to those who are not root
    with pytest.raises(InputError, match=r"new: cannot be written to"):
        evaluate(model, folder, tmp_path / "new", **given)


def test_names_that_are_no_text_and_a_gallery_among_the_photographs(model, folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    name = os.fsdecode(b"\xff.png")
    try:
        (data / name).write_bytes((folder / "0.png").read_bytes())
    except OSError:
        pytest.skip("names are text in this file system")
    given = {"holes": [HOLE], "side": SIDE, "baselines": ["mean"], "resamples": 1, "gallery": 1}
    for _ in range(2):  # the second time there is a gallery.png
        rows = evaluate(model, data, data, **given).rows
        assert [row.image for row in rows] == [name, name]
    assert b"\n\\udcff.png," in (data / "evaluation.csv").read_bytes()


@pytest.mark.slow
def test_a_gallery_of_many_has_pages_that_replace_those_of_before(model, folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for index in range(9):
        (data / f"{index}.png").write_bytes((folder / "0.png").read_bytes())
    given = {"holes": [HOLE], "side": SIDE, "baselines": ["mean"], "resamples": 1}

    def pages() -> list[str]:
        return sorted(path.name for path in data.glob("gallery*"))

    rows = evaluate(model, data, data, gallery=9, **given).rows
    assert pages() == ["gallery.png", "gallery_2.png"]
    heights = []
    for name in pages():
        with Image.open(data / name) as picture:
            heights.append(picture.height / picture.info["dpi"][1] * 25.4)
    assert heights[1] < heights[0] < 231
    # no page is a photograph; a photograph of such a name is one, and stays
    (data / "gallery_7.png").write_bytes((folder / "0.png").read_bytes())
    again = evaluate(model, data, data, gallery=1, **given).rows
    assert len(again) == len(rows) + 2
    assert pages() == ["gallery.png", "gallery_7.png"]


def test_importing_needs_neither_keras_nor_plots():
    code = (
        "import sys, unetpred.evaluation.evaluate; "
        "print([m for m in ('keras','tensorflow','jax','torch','matplotlib','skimage','cv2') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tables_say_what_made_them(folder, weights, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["evaluate", "--data_dir", str(folder), "--output_dir", str(out), "--holes", "52"]
    words += ["--vgg_weights", str(VGG_FILE)]
    monkeypatch.setattr("sys.argv", ["unetpred", *words])
    assert main([*words, "--weights", weights, "--quiet"]) == 0
    lines = (out / "summary.csv").read_text("utf-8").splitlines()
    notes = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    assert notes["weights"] == "small.weights.h5"
    assert notes["weights_sha256"] == hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    assert notes["backend"].split()[0] == keras.backend.backend()
    assert "small.weights.h5" not in notes["command"] and "--holes 52" in notes["command"]
    assert notes["vgg_weights"].startswith(f"{VGG_FILE} (sha256 over its arrays ")
    assert notes["date"][:2] == "20"
    assert f"* command: {notes['command']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "content"), [([], True), (["--output", "structure"], False), ("absent", False)]
)
def test_content_is_measured_where_vgg_can_be_had(
    folder, weights, tmp_path, monkeypatch, capsys, more, content
):
    def read(path=None):
        assert path is None
        if more == "absent":
            raise InputError("VGG-16's ImageNet weights are not here")
        return vgg.read_vgg(VGG_FILE)

    own = vgg.read_vgg
    monkeypatch.setattr(vgg, "read_vgg", lambda path=None: own(path) if path else read())
    words = ["evaluate", "--data_dir", str(folder), "--output_dir", str(tmp_path), "--holes", "20"]
    words += [] if more == "absent" else more
    assert main([*words, "--weights", weights, "--quiet"]) == 0
    assert ("content by layer" in capsys.readouterr().out) == content
    notes = table(tmp_path / "summary.csv")[1]
    assert any(line.startswith("# vgg_weights: vgg16, ImageNet's") for line in notes) == content
    if more == "absent":  # asked for, it is an error
        assert main([*words, "--weights", weights, "--quiet", "--output", "content"]) == 2
        assert "are not here" in capsys.readouterr().err


def test_names_that_break_lines_leave_tables_that_pandas_reads(model, tmp_path):
    pandas = pytest.importorskip("pandas")
    name = os.fsencode(tmp_path) + b"/a\nb\r\x1b,\xff.png"
    Image.fromarray(photograph(230, 240, 1).astype("uint8")).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsdecode(name))
    out = tmp_path / "out"
    evaluate(model, [os.fsdecode(name)], out, holes=[52], baselines=["mean"], gallery=0)
    table = pandas.read_csv(out / "evaluation.csv", comment="#")
    assert table.image.unique().tolist() == [rf"{tmp_path}/a\nb\r\x1b,\udcff.png"]
