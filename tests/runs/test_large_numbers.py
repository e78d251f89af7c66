"""Numbers that overflow, many names, write-protected files: one line each, before anything runs."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tables import table, write

from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.io.files import check_target
from unetpred.results.arrays import Arrays
from unetpred.runtime import command_line

HUGE = str(10**30)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--mask_size", "1e308"],
        ["predict", "--mask_size", "3e9"],
        ["predict", "--mask_size", "2", "--units", "deg", "--pixels_per_degree", "1e308"],
        ["predict", "--mask_size", "1e308", "--units", "deg", "--pixels_per_degree", "1e308"],
        ["predict", "--context", "1000000"],
        ["predict", "--context", "1e308"],
        ["predict", "--context", HUGE],
        ["predict", "--mask_center", HUGE, "5"],
        ["map", "--save", "m.npz", "--stride", HUGE],
        ["map", "--save", "m.npz", "--index", HUGE],
        ["map", "--save", "m.npz", "--mask_size", "1e308"],
    ],
)
def test_one_line_says_what_is_too_large(words, tmp_path, monkeypatch, capsys, rgb):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rgb).save("a.png")
    command, *more = words
    assert main([command, "--input", "a.png", "--quiet", "--weights", "lite", *more]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and len(err) < 300


def test_sites_far_away_have_a_row(run, pictures):
    write("a.png", pictures[0])
    Path("s.csv").write_text("x_deg,y_deg\n0,0\n1e308,0\n-1e300,1\n")
    code, *_ = run("--input", "a.png", "--sites", "s.csv", "--pixels_per_degree", "1e10",
                   "--mask_size", 20, "--context", 84, "--save", "t.csv")  # fmt: skip
    assert code == 0
    assert [row["reason"][:11] for row in table("t.csv")[1]] == ["", "lies farthe", "lies farthe"]


def test_of_many_names_some_are_told(monkeypatch):
    with pytest.raises(InputError) as error:
        Arrays({"filled": "p.npy"}, 1, ((100, width) for width in range(100, 20_000)))
    assert len(str(error.value)) < 200
    monkeypatch.setattr("sys.argv", ["pred.py", "--input", *(f"{i}.png" for i in range(20_000))])
    assert command_line.resume_command() == "the same command and --resume"


def test_a_file_whose_right_to_be_written_is_gone_stays(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mine")
    check_target(path, ".csv")
    os.chmod(path, 0o444)
    with pytest.raises(InputError, match="write-protected"):
        check_target(path, ".csv")


def test_a_context_may_be_as_large_as_images_may(monkeypatch):
    from unetpred.holes.contexts import Context
    from unetpred.io.limits import set_max_pixels

    assert Context(9459).side == 9459
    with pytest.raises(InputError, match="at most 9459 px"):
        Context(9460)
    set_max_pixels(200 * 200)
    try:
        with pytest.raises(InputError, match="at most 200 px"):
            Context(np.int64(201))
    finally:
        set_max_pixels(None)
