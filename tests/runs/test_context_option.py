"""`--context`: the score of a crop is that of the crop alone; the rest of the image stays."""

import numpy as np
import pytest
from tables import table, write

from unetpred.holes.contexts import surroundings
from unetpred.holes.masks import hole_mask
from unetpred.scoring.predictor import Predictor


@pytest.fixture
def large():
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:130, :150]
    waves = [90 * np.sin(rows / a + columns / b) + 120 for a, b in ((9, 14), (5, -8), (20, 11))]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 9, (130, 150, 3)), 0, 255).astype("uint8")


def score(out):
    return float(out[0].split("\t")[1])


@pytest.mark.parametrize(("side", "x", "y"), [(84, 60, 70), (85, 61, 71), (90, 100, 47)])
def test_score_of_a_crop_is_that_of_the_crop_alone(run, large, side, x, y):
    write("a.png", large)
    top, left = y - side // 2, x - side // 2
    write("crop.png", large[top : top + side, left : left + side])
    size = ["--mask_size", 21]
    inside = run("--input", "a.png", *size, "--mask_center", x, y, "--context", side)
    alone = run("--input", "crop.png", *size)
    assert score(inside[1]) == pytest.approx(score(alone[1]), abs=1e-6)
    assert score(run("--input", "a.png", *size, "--mask_center", x, y)[1]) != pytest.approx(
        score(alone[1]), abs=1e-4
    )


def test_beyond_the_border_is_missing_and_not_scored(run, large, weights):
    write("a.png", large)
    center = (12, 120)
    out = run("--input", "a.png", "--mask_size", 20, "--mask_center", *center, "--context", 84)[1]
    crop, inside = surroundings(large.astype("float32"), center, 84)
    hole = hole_mask((84, 84), 20)
    raw = Predictor(weights)(crop[None], (hole * inside)[None], network_output=True)
    filled = np.clip(raw.network_output[0], 0, 255)[hole == 0]
    r = np.corrcoef(filled.ravel(), crop[hole == 0].ravel())[0, 1]
    assert score(out) == pytest.approx(r, abs=1e-5)


def test_outputs_keep_the_size_of_the_image(run, large):
    np.save("s.npy", np.stack([large, large[::-1]]))
    hole = ["--mask_size", 20, "--mask_center", 15, 60, "--context", 84]
    code, _, _ = run("--input", "s.npy", *hole, "--save_prediction", "p.npy",
                     "--save_network_output", "n.npy", "--save", "t.csv",
                     "--save_images", "out")  # fmt: skip
    filled, output = np.load("p.npy"), np.load("n.npy")
    assert code == 0 and filled.shape == output.shape == (2, 130, 150, 3)
    hidden = hole_mask((130, 150), 20, center=(15, 60)) == 0
    np.testing.assert_array_equal(filled[0][~hidden], large[~hidden])
    np.testing.assert_array_equal(filled[0][hidden], np.clip(output[0], 0, 255)[hidden])
    known = np.zeros((130, 150), bool)
    known[18:102, :57] = True  # 84 px around (15,60), cut at the border
    np.testing.assert_array_equal(np.isfinite(output[0]).all(axis=-1), known)
    r = np.corrcoef(filled[1][hidden].ravel(), large[::-1][hidden].ravel())[0, 1]
    notes, rows = table("t.csv")
    assert float(rows[1]["structure"]) == pytest.approx(r, abs=1e-5)
    assert notes["context"].startswith("crop of 84x84 px")


def test_images_of_any_size_share_a_context(run, large):
    write("d/a.png", large)
    write("d/b.png", large[10:, 20:])
    hole = ["--mask_size", 20, "--context", 84]
    _, out, _ = run("--input", "d", *hole)
    alone = [score(run("--input", f"d/{name}.png", *hole)[1]) for name in "ab"]
    np.testing.assert_allclose([score([line]) for line in out], alone, atol=1e-6)


def test_own_mask_is_centred_on_the_box_of_its_holes(run, large):
    mask = np.ones((130, 150), "uint8")
    mask[40:50, 60:70] = mask[70:81, 90:95] = 0  # together rows 40..80, columns 60..94
    write("m.png", mask * 255)
    write("a.png", large)
    cut = (slice(60 - 50, 60 + 50), slice(77 - 50, 77 + 50))
    write("crop.png", large[cut])
    np.save("crop_mask.npy", mask[cut])
    inside = run("--input", "a.png", "--mask", "m.png", "--context", 100)
    alone = run("--input", "crop.png", "--mask", "crop_mask.npy")
    assert score(inside[1]) == pytest.approx(score(alone[1]), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--context", "83"], "at least 84"),
        (["--context", "wide"], "whole pixels, or full"),
        (["--context", "90", "--mask_size", "91"], "does not fit into --context 90"),
        (["--context", "90", "--mask_size", "90"], "nothing is visible"),
        (["--context", "90", "--mask", "m.npy"], "does not fit into --context 90"),
        (["--mask_size", "20", "30"], "one size is right without --sites"),
    ],
)
def test_bad_contexts(run, large, arguments, message):
    write("a.png", large)
    mask = np.ones((130, 150))
    mask[3, 3] = mask[3, 100] = 0
    np.save("m.npy", mask)
    code, out, err = run("--input", "a.png", *arguments)
    assert (code, out, len(err.splitlines())) == (2, [], 1) and message in err
