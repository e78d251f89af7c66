"""The command line, in this process, with small weights; what users see and what files hold."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tables import table, write

from unetpred import score
from unetpred.holes.masks import hole_mask
from unetpred.scoring.predictor import Predictor

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())


def test_one_image_is_one_line(run, pictures, weights):
    write("a.png", pictures[0])
    code, out, err = run("--input", "a.png")
    path, score = out[0].split("\t")
    assert (code, len(out), path, err) == (0, 1, "a.png", "")
    assert float(score) == pytest.approx(Predictor(weights)(pictures[:1]).structure[0], abs=1e-5)


def test_a_terminal_shows_the_digits_that_one_can_read(run, pictures, monkeypatch):
    write("a.png", pictures[0])
    write("b.png", np.full((90, 90), 7, "uint8"))
    full = run("--input", "a.png", "b.png", "--save", "t.csv")[1]
    whole = Path("t.csv").read_text().splitlines()[-2:]
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    shown = run("--input", "a.png", "b.png", "--save", "t.csv")[1]
    value = full[0].split("\t")[1]
    assert shown == [f"a.png\t{float(value):.4f}", "b.png\tnan"] and len(value) > 10
    assert Path("t.csv").read_text().splitlines()[-2:] == whole  # files have all digits


def test_score_is_correlation_of_the_saved_prediction(run, pictures):
    write("a.png", pictures[0])
    _, out, _ = run("--input", "a.png", "--save_prediction", "p.npy", "--mask_size", 30,
                    "--mask_center", 40, 50)  # fmt: skip
    filled = np.load("p.npy")
    assert filled.shape == (1, 100, 120, 3) and filled.dtype == np.float32
    hole = filled[0, 35:65, 25:55], pictures[0, 35:65, 25:55]
    r = np.corrcoef(hole[0].ravel(), hole[1].ravel())[0, 1]
    assert float(out[0].split("\t")[1]) == pytest.approx(r, abs=1e-6)
    outside = hole_mask((100, 120), 30, center=(40, 50)) == 1
    np.testing.assert_array_equal(filled[0][outside], pictures[0][outside])


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_same_score_whatever_the_company(run, pictures):
    for i, picture in enumerate(pictures):
        write(f"many/{i}.png", picture)
    write("many/1b.png", pictures[1][:90, :100])
    np.save("stack.npy", pictures)
    np.savez("z.npz", other=np.zeros(3), stack=pictures.astype("float32"))
    alone = [float(run("--input", f"many/{i}.png")[1][0].split("\t")[1]) for i in range(3)]
    assert len({round(score, 3) for score in alone}) == 3

    code, out, _ = run("--input", "many", "--batch_size", 2)
    assert code == 0
    assert [line.split("\t")[0] for line in out] == [f"many/{n}.png" for n in ("0", "1", "1b", "2")]
    np.testing.assert_allclose([float(out[i].split("\t")[1]) for i in (0, 1, 3)], alone, atol=1e-5)
    assert [row["image"] for row in table("many_pred.csv")[1]] == [
        line.split("\t")[0] for line in out
    ]

    assert run("--input", "stack.npy")[:2] == (0, [])
    saved = np.load("stack_pred.npy")
    assert saved.dtype == np.float64 and saved.shape == (3,)
    np.testing.assert_allclose(saved, alone, atol=1e-5)
    assert run("--input", "z.npz", "--key", "stack", "--batch_size", 1)[0] == 0
    np.testing.assert_allclose(np.load("z_pred.npy"), alone, atol=1e-5)
    np.save("reversed.npy", pictures[::-1])
    run("--input", "reversed.npy")
    np.testing.assert_allclose(np.load("reversed_pred.npy")[::-1], alone, atol=1e-5)


def test_same_digits_twice(run, pictures):
    write("a.png", pictures[0])
    assert run("--input", "a.png") == run("--input", "a.png")


def test_two_scores_in_the_order_given(run, pictures):
    np.save("s.npy", pictures)
    code, _, _ = run("--input", "s.npy", "--output", "content", "structure", "--vgg_weights", VGG,
                     "--save", "t.json", "--save_scores", "r.npy")  # fmt: skip
    both = np.load("r.npy")
    assert not Path("s_pred.npy").exists()
    rows = json.loads(Path("t.json").read_text())["rows"]
    assert code == 0 and both.shape == (3, 2)
    assert "sha256" in json.loads(Path("t.json").read_text())["provenance"]["vgg_weights"]
    np.testing.assert_array_equal(both, [[row["content"], row["structure"]] for row in rows])
    for row in rows:
        layers = [value for name, value in row.items() if name.startswith("content_block")]
        assert len(layers) == 5 and row["content"] == pytest.approx(np.mean(layers))


def test_table_and_provenance(run, pictures, weights):
    write("a.png", pictures[0])
    _, out, _ = run("--input", "a.png", "--save", "t.csv", "--mask_size", 1.5, "--units", "deg",
                    "--pixels_per_degree", 20, "--mask_shape", "disc")  # fmt: skip
    notes, rows = table("t.csv")
    assert list(rows[0]) == ["image", "index", "structure", "reason"]
    assert rows[0]["structure"] == out[0].split("\t")[1]
    assert notes["weights"] == "small.weights.h5" and len(notes["weights_sha256"]) == 64
    assert "disc of 30 px (1.5 deg)" in notes["hole"]
    assert "higher = more predictable" in notes["structure"]
    assert notes["backend"].startswith(keras.config.backend())
    assert {"unetpred", "date", "command", "context"} <= set(notes)


def test_names_with_a_hash_are_no_comments(run, pictures):
    names = ["#1.png", 'a "#2".png', "b.png"]
    for name, picture in zip(names, pictures, strict=True):
        write(name, picture)
    code, out, _ = run("--input", *names, "--save", "t.csv")
    text = Path("t.csv").read_text()
    # what is left for those who take # for a comment anywhere but within quotes, as pandas does
    lines = [re.sub(r'("[^"]*")|#.*', r"\1", line) for line in text.splitlines()]
    rows = list(csv.DictReader(line for line in lines if line))
    assert code == 0 and [row["image"] for row in rows] == names
    assert [f"{row['image']}\t{row['structure']}" for row in rows] == out
    assert {row["reason"] for row in rows} == {""}
    assert "\nb.png,," in text  # no quotes where none are needed


def test_degrees_only_when_given(run, pictures):
    write("a.png", pictures[0])
    run("--input", "a.png", "--save", "t.csv")
    assert "deg" not in table("t.csv")[0]["hole"]


def test_own_masks(run, pictures):
    masks = np.stack([hole_mask((100, 120), s) for s in (20, 40, 30)])
    np.save("stack.npy", pictures)
    np.save("masks.npy", masks)
    write("mask.png", (masks[1] * 255).astype("uint8"))
    write("b.png", pictures[1])
    assert run("--input", "stack.npy", "--mask", "masks.npy")[0] == 0
    scores = np.load("stack_pred.npy")
    expected = [
        float(run("--input", "b.png", "--mask_size", 40)[1][0].split("\t")[1]),
        float(run("--input", "b.png", "--mask", "mask.png")[1][0].split("\t")[1]),
    ]
    np.testing.assert_allclose(expected, [scores[1]] * 2, atol=1e-5)


def test_several_holes(run, pictures, weights):
    mask = np.ones((100, 120), "float32")
    mask[10:30, 10:40] = mask[50:80, 70:100] = 0
    np.save("mask.npy", mask)
    write("a.png", pictures[0])
    _, out, _ = run("--input", "a.png", "--mask", "mask.npy", "--save_prediction", "p.npy",
                    "--save_network_output", "n.npy")  # fmt: skip
    hidden = mask == 0
    filled, whole = np.load("p.npy")[0], np.load("n.npy")[0]
    np.testing.assert_allclose(filled[hidden], np.clip(whole, 0, 255)[hidden], atol=1e-4)
    r = np.corrcoef(filled[hidden].ravel(), pictures[0][hidden].ravel())[0, 1]
    assert float(out[0].split("\t")[1]) == pytest.approx(r, abs=1e-6)
    # holes computed one by one, without the whole output, give the same
    again = run("--input", "a.png", "--mask", "mask.npy")[1][0].split("\t")[1]
    assert float(again) == pytest.approx(r, abs=1e-5)


def test_pictures(run, pictures):
    write("a.png", pictures[0])
    assert run("--input", "a.png", "--save_images", "out")[0] == 0
    with Image.open("out/a_filled.png") as picture:
        assert picture.width > 3 * 120 and picture.height > 100


def test_pictures_have_names_of_their_own(run, pictures):
    for name in ("a.png", "a.bmp", "d/a.png", "d_a.png"):
        write(name, pictures[0])
    before = Path("a.png").read_bytes()
    assert run("--input", "a.png", "a.bmp", "d/a.png", "d_a.png", "--save_images", ".")[0] == 0
    assert Path("a.png").read_bytes() == before
    assert {path.name for path in Path().glob("*_filled*.png")} == {
        "a_filled.png", "a_filled_2.png", "d_a_filled.png", "d_a_filled_2.png"
    }  # fmt: skip


def test_filled_in_pictures_of_their_own_size(run, pictures, weights):
    write("d/a.png", pictures[0])
    write("d/b.png", pictures[1][:90])
    np.save("s.npy", pictures[2])
    options = ["--save_filled", "out/new", "--save_prediction", "p.npy"]
    assert run("--input", "s.npy", "--save", "t.csv", *options)[0] == 0
    with Image.open("out/new/s_0000_filled.png") as picture:
        filled = np.asarray(picture)
    np.testing.assert_array_equal(filled, np.floor(np.load("p.npy")[0] + 0.5))
    found = score(["d", pictures[2]], save_filled="py", weights=weights)
    assert len(found) == 3
    names = {path.name: np.asarray(Image.open(path)) for path in Path("py").iterdir()}
    assert set(names) == {"a_filled.png", "b_filled.png", "images_0000_filled.png"}
    assert names["b_filled.png"].shape == (90, 120, 3)
    np.testing.assert_array_equal(names["images_0000_filled.png"], filled)
    visible = hole_mask((90, 120)) == 1
    np.testing.assert_array_equal(names["b_filled.png"][visible], pictures[1][:90][visible])
    code, _, err = run("--input", "d", "--save_filled", "x", "--save_images", "./x")
    assert code == 2 and "would be both --save_images and --save_filled" in err


@pytest.mark.parametrize("option", ["save_images", "save_filled"])
def test_pictures_never_replace_an_input(run, pictures, weights, option):
    write("d/a.png", pictures[0])
    write("d/a_filled.png", pictures[1])
    before = Path("d/a_filled.png").read_bytes()
    code, out, err = run("--input", "d", f"--{option}", "./d", "--save", "s.csv")
    assert (code, out) == (2, [])
    assert "d/a_filled.png: is an input, and would be replaced by what is made of d/a.png" in err
    assert f"give another --{option}" in err and Path("d/a_filled.png").read_bytes() == before


def test_nothing_is_written_beside_an_array_where_files_are_named(run, pictures):
    Path("stimuli").mkdir()
    np.save("stimuli/s.npy", pictures)
    Path("stimuli").chmod(0o555)
    try:
        code, _, err = run("--input", "stimuli/s.npy", "--save", "t.csv", "--save_scores", "r.npy")
        again = run("--input", "stimuli/s.npy", "--save_scores", "r.npy", "--resume")
        assert [path.name for path in Path("stimuli").iterdir()] == ["s.npy"]
    finally:
        Path("stimuli").chmod(0o755)
    assert (code, again[0]) == (0, 0), err + again[2]
    rows = table("t.csv")[1]
    np.testing.assert_array_equal(np.load("r.npy"), [float(row["structure"]) for row in rows])
    assert {path.name for path in Path().iterdir()} == {"stimuli", "t.csv", "r.npy"}


def test_a_folder_that_cannot_be_written_to_is_told_of_before(run, pictures, monkeypatch):
    np.save("s.npy", pictures)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, _, err = run("--input", "s.npy")
    assert code == 2 and "cannot be written to; --save FILE puts scores elsewhere" in err


def test_results_overwrite_neither_inputs_nor_each_other(run, pictures):
    np.save("s.npy", pictures)
    np.savez("s.npz", pictures)
    for arguments in (
        ["s.npy", "--save_prediction", "s.npy"],
        ["s.npy", "--save_prediction", "s_pred.npy"],
        ["s.npy", "s.npz"],
    ):
        code, _, err = run("--input", *arguments)
        assert code == 2 and "would be both" in err
    np.testing.assert_array_equal(np.load("s.npy"), pictures)


def test_hole_as_large_as_the_image(run, pictures):
    write("a.png", pictures[0][:100, :100])
    code, out, err = run("--input", "a.png", "--mask_size", 100)
    assert code == 2 and "nothing is visible" in err and out == []


def test_constant_patch_is_undefined_and_no_failure(run, pictures):
    flat = pictures[0].copy()
    flat[20:90, 20:100] = 77
    write("flat.png", flat)
    code, out, _ = run("--input", "flat.png", "--save", "t.csv")
    assert code == 0 and out == ["flat.png\tnan"]
    assert "constant patch" in table("t.csv")[1][0]["reason"]


def test_a_bad_image_fails_alone(run, pictures):
    write("d/a.png", pictures[0])
    write("d/c.png", pictures[1])
    Path("d/b.png").write_text("no picture")
    code, out, err = run("--input", "d", "nosuch.png", "--save", "t.csv")
    assert code == 1
    assert out[1] == "d/b.png\tnan" and "nan" not in out[0] + out[2]
    assert out[3:] == ["nosuch.png\tnan"]
    assert len(err.splitlines()) == 2 and "d/b.png" in err and "nosuch.png" in err
    rows = table("t.csv")[1]
    assert [bool(row["reason"]) for row in rows] == [False, True, False, True]
    assert not Path("d_pred.csv").exists()


def test_a_bad_row_keeps_its_place(run, pictures):
    stack = pictures.astype("float32")
    stack[1, 3, 4, 0] = np.nan
    np.save("s.npy", stack)
    code, _, err = run("--input", "s.npy", "--save_prediction", "p.npy")
    scores = np.load("s_pred.npy")
    assert code == 1 and "s.npy: image 1" in err
    assert np.isnan(scores).tolist() == [False, True, False]
    assert np.isnan(np.load("p.npy")).all(axis=(1, 2, 3)).tolist() == [False, True, False]


def bad_inputs():
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (83, 120, 3), "uint8")
    yield "nothing there", ["nosuch.png"], "no such file", lambda: None
    yield "empty folder", ["d"], "d: ", lambda: Path("d").mkdir()
    yield "text", ["a.png"], "a.png", lambda: Path("a.png").write_text("x")
    yield "83 px", ["a.png"], "84", lambda: write("a.png", small)
    yield "rank", ["a.npy"], "a.npy", lambda: np.save("a.npy", np.zeros((1, 2, 96, 96, 3)))
    yield "2 channels", ["a.npy"], "a.npy", lambda: np.save("a.npy", np.zeros((2, 96, 96, 2)))
    yield "5 channels", ["a.npy"], "a.npy", lambda: np.save("a.npy", np.zeros((2, 96, 96, 5)))
    yield (
        "objects",
        ["a.npy"],
        "object",
        lambda: np.save("a.npy", np.array([{}], dtype=object), allow_pickle=True),
    )

    def truncated():
        write("b.png", rng.integers(0, 255, (100, 100, 3), "uint8"))
        Path("a.png").write_bytes(Path("b.png").read_bytes()[:9000])

    yield "truncated", ["a.png"], "a.png", truncated


@pytest.mark.parametrize(
    ("arguments", "message", "make"), [case[1:] for case in bad_inputs()],
    ids=[case[0] for case in bad_inputs()],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(run, arguments, message, make):
    make()
    code, out, err = run("--input", *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1 and message in err and "Traceback" not in err
    assert out == []


def bad_usage():
    yield ["--mask", "big.npy"], "mask"
    yield ["--mask", "ones.npy"], "nothing is hidden"
    yield ["--mask", "zeros.npy"], "nothing is visible"
    yield ["--mask", "two.npy"], "2 masks for 1 image"
    yield ["--mask_size", "300"], "fit"
    yield ["--mask_size", "0"], "mask_size"
    yield ["--mask_size", "2.5"], "whole pixels"
    yield ["--mask_size", "nan"], "mask_size"
    yield ["--mask_size", "100", "--mask_shape", "square", "--mask", "two.npy"], "--mask"
    yield ["--units", "deg"], "--pixels_per_degree"
    yield ["--pixels_per_degree", "inf"], "--pixels_per_degree"
    yield ["--save", "f.csv"], "is a folder"
    yield ["--save_prediction", "p.npy", "--save_network_output", "p.npy"], "would be both"
    yield ["--mask_size", "1", "--units", "deg"], "--pixels_per_degree"
    yield ["--mask_center", "5", "50"], "fit"
    yield ["--save", "t.txt"], ".csv or .json"
    yield ["--save", "no/t.csv"], "does not exist"
    yield ["--save_prediction", "p.png"], ".npy"
    yield ["--batch_size", "0"], "--batch_size"
    yield ["--output", "beauty"], "beauty"
    yield ["--weights", "nosuch"], "nosuch"
    yield ["--weights", "text.h5"], "text.h5"
    yield ["--weights", VGG], "not the weights of a U-Net-Pred"
    yield ["--output", "content", "--vgg_weights", "nosuch.h5"], "nosuch.h5"


@pytest.mark.parametrize(("arguments", "message"), list(bad_usage()))
def test_bad_usage(run, pictures, arguments, message):
    write("a.png", pictures[0])
    for name, array in (
        ("big", hole_mask((200, 200))),
        ("ones", np.ones((100, 120))),
        ("zeros", np.zeros((100, 120))),
        ("two", np.stack([hole_mask((100, 120))] * 2)),
    ):
        np.save(f"{name}.npy", array)
    Path("text.h5").write_text("x")
    Path("f.csv").mkdir()
    code, _, err = run("--input", "a.png", *arguments)
    assert code == 2 and message in err and "Traceback" not in err
    assert not list(Path().glob("t.*")) and not list(Path().glob("p.*"))


def test_mixed_sizes_do_not_fit_one_array(run, pictures):
    write("a.png", pictures[0])
    write("b.png", pictures[0][:90])
    code, _, err = run("--input", "a.png", "b.png", "--save_prediction", "p.npy")
    assert code == 2 and "--save_images" in err and not Path("p.npy").exists()


def test_nothing_but_results_on_both_streams(tmp_path, pictures, weights):
    write(tmp_path / "a.png", pictures[0])
    done = subprocess.run(
        [sys.executable, "pred.py", "--input", tmp_path / "a.png", "--weights", weights],
        capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path / 'a.png'}\t") and done.stdout.count("\n") == 1
