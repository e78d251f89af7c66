"""Inputs that cannot be used keep their place: among masks, and in tables."""

from pathlib import Path

import numpy as np
from tables import table, write


def test_what_is_missing_keeps_its_place(run, pictures):
    for name, picture in zip("ab", pictures, strict=False):
        write(f"{name}.png", picture)
    height, width = pictures[0].shape[:2]
    masks = np.ones((3, height, width), "uint8")
    for i, size in enumerate((20, 30, 40)):
        masks[i, 30 : 30 + size, 30 : 30 + size] = 0
    np.save("masks.npy", masks)
    inputs = ["--input", "a.png", "missing.png", "--input", "b.png"]
    code, out, err = run(*inputs, "--mask", "masks.npy", "--save", "t.csv")
    assert code == 1
    assert err.count("missing.png") == 1
    rows = table("t.csv")[1]
    assert [row["image"] for row in rows] == ["a.png", "missing.png", "b.png"]
    assert [line.split("\t")[0] for line in out] == ["a.png", "missing.png", "b.png"]
    assert "missing.png" in rows[1]["reason"]

    np.save("third.npy", masks[2])
    _, alone, _ = run("--input", "b.png", "--mask", "third.npy")
    assert float(alone[0].split("\t")[1]) == float(rows[2]["structure"])


def test_why_a_score_is_undefined_is_told(run):
    write("flat.png", np.full((90, 90, 3), 7, "uint8"))
    code, out, err = run("--input", "flat.png")
    assert (code, out) == (0, ["flat.png\tnan"])
    assert "flat.png: structure: constant patch" in err
    assert run("--input", "flat.png", "--save", "t.csv")[2] == ""


def test_masks_that_cannot_be_used_leave_the_others(run, pictures):
    masks = np.ones((3, *pictures.shape[1:3]), "float32")
    masks[:, 30:60, 30:60] = 0
    masks[1, 0, 0] = np.nan
    np.save("stack.npy", pictures)
    np.save("masks.npy", masks)
    code, _, err = run("--input", "stack.npy", "--mask", "masks.npy")
    assert code == 1
    assert err.splitlines()[0].startswith(
        "unetpred: stack.npy: image 1: masks.npy: mask 1: has NaN"
    )
    scores = np.load("stack_pred.npy")
    assert list(np.isnan(scores)) == [False, True, False]

    masks[1] = 1
    np.save("masks.npy", masks)
    assert "masks.npy: mask 1: nothing is hidden" in run(
        "--input", "stack.npy", "--mask", "masks.npy"
    )[2]  # fmt: skip
    np.testing.assert_array_equal(np.load("stack_pred.npy"), scores)


def test_what_an_earlier_run_made_is_not_taken_for_this_one(run, pictures):
    np.save("a.npy", pictures)
    np.save("b.npy", pictures[:2])
    both = ["--input", "a.npy", "b.npy", "--save_prediction", "p.npy"]
    assert run(*both)[0] == 0
    scores, filled = np.load("a_pred.npy"), np.load("p.npy")

    Path("a.npy").write_bytes(b"no array")
    code, _, err = run(*both[:3])  # b alone is scored
    assert code == 1 and err.count("earlier run") == 1
    assert "a_pred.npy: is left from an earlier run" in err
    np.testing.assert_array_equal(np.load("a_pred.npy"), scores)

    code, _, err = run("--input", "a.npy", "--save_prediction", "p.npy", "--save", "t.csv")
    assert code == 2 and err.count("earlier run") == 1 and "p.npy: is left" in err
    np.testing.assert_array_equal(np.load("p.npy"), filled)

    np.save("a.npy", pictures)
    Path("d").mkdir()
    write("d/a.png", pictures[0])
    Path("d_pred.csv").write_text("")
    assert "earlier run" not in run(*both)[2] + run("--input", "d")[2]
