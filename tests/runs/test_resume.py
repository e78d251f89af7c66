"""Runs that stop and go on end with the files of one that never stopped, and repeat nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tables import table, write

from unetpred.runs.scoring import score_inputs as batch
from unetpred.scoring.predictor import Predictor


@pytest.mark.slow
def test_interrupted_and_resumed_is_uninterrupted(run, stack, scored):
    for i in (0, 1, 2, 3, 5, 6):
        write(f"d/{i}.png", stack[i])
    Path("d/5b.png").write_text("no picture")
    arguments = ["--input", "d", "--batch_size", 2, "--save_prediction", "p.npy"]
    code, lines, _ = run(*arguments)
    assert code == 1 and scored.images == 6 and not list(Path().glob("*.part"))
    whole, filled = Path("d_pred.csv").read_text(), np.load("p.npy")
    assert np.isnan(filled[5]).all() and not np.isnan(np.delete(filled, 5, 0)).any()
    Path("d_pred.csv").unlink()
    Path("p.npy").unlink()

    scored.images, scored.stop_after = 0, 2
    code, out, err = run(*arguments)
    assert (code, out, scored.images) == (130, [], 4)
    assert "d_pred.csv.part" in err and "--resume" in err
    assert not Path("d_pred.csv").exists() and not Path("p.npy").exists()
    with Path("d_pred.csv.part").open("a") as file:
        file.write('{"position": 5, "sta')  # what a kill tears apart

    code, again, err = run(*arguments, "--resume")
    assert (code, again, scored.images) == (1, lines, 6) and "5b.png" in err
    without = [t for t in Path("d_pred.csv").read_text().splitlines() if "date" not in t]
    assert without == [t for t in whole.splitlines() if "date" not in t]
    np.testing.assert_array_equal(np.load("p.npy"), filled)
    assert {path.name for path in Path().iterdir()} == {"d", "d_pred.csv", "p.npy"}


def test_damaged_pictures_of_an_interrupted_run_are_made_again(run, stack, scored):
    for i in range(5):
        write(f"d/{i}.png", stack[i])
    arguments = ["--input", "d", "--batch_size", 1, "--save", "t.csv", "--save_prediction", "p.npy"]
    assert run(*arguments)[0] == 0
    whole = np.load("p.npy")
    scored.images, scored.stop_after = 0, 3
    assert run(*arguments)[0] == 130
    content = bytearray(Path("p.npy.part").read_bytes())
    content[-4 * whole[2:].size - 7] ^= 1  # near the end of the second picture
    Path("p.npy.part").write_bytes(content)
    code, _, err = run(*arguments, "--resume")
    assert code == 0 and err.startswith("p.npy.part: damaged; what it has of 1 image(s)")
    assert scored.images == 3 + 1 + 2 and err.count("\n") == 1
    np.testing.assert_array_equal(np.load("p.npy"), whole)


@pytest.mark.slow
def test_sigterm_and_arrays(run, stack, scored):
    np.save("s.npy", stack)
    run("--input", "s.npy", "--batch_size", 4)
    expected = np.load("s_pred.npy")
    Path("s_pred.npy").unlink()
    scored.images, scored.stop_after, scored.signal = 0, 1, signal.SIGTERM
    assert run("--input", "s.npy", "--batch_size", 4)[0] == 143
    assert len(Path("s_pred.npy.part").read_text().splitlines()) == 1 + 4
    assert run("--input", "s.npy", "--batch_size", 4, "--resume")[0] == 0
    assert scored.images == 9
    np.testing.assert_array_equal(np.load("s_pred.npy"), expected)


def test_what_ends_while_results_are_written_can_be_gone_on_with(run, stack, scored, monkeypatch):
    np.save("s.npy", stack[:4])
    arguments = ["--input", "s.npy", "--save", "t.csv", "--save_prediction", "p.npy"]

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", "t.csv")

    with monkeypatch.context() as patch:
        patch.setattr(batch, "write_files", full)
        code, out, err = run(*arguments)
    assert (code, out, scored.images) == (1, [], 4) and "No space left on device" in err
    assert "kept in t.csv.part; go on with: " in err and len(err.splitlines()) == 1
    assert not Path("t.csv").exists() and not Path("p.npy").exists()
    assert run(*arguments, "--resume")[0] == 0
    assert scored.images == 4  # nothing again
    rows, filled = table("t.csv")[1], np.load("p.npy")
    assert run(*arguments)[0] == 0
    assert table("t.csv")[1] == rows
    np.testing.assert_array_equal(np.load("p.npy"), filled)
    assert not list(Path().glob("*.part"))


@pytest.fixture
def interrupted(run, stack, scored):
    np.save("s.npy", stack[:6])
    scored.stop_after = 2
    arguments = ["--input", "s.npy", "--batch_size", 2, "--save", "t.csv"]
    assert run(*arguments)[0] == 130
    scored.images = 0
    return arguments


def test_changed_pictures_are_scored_again(run, stack, scored, interrupted):
    np.save("s.npy", stack[3:9])
    os.utime("s.npy", ns=(1, 1))
    assert run(*interrupted, "--resume")[0] == 0
    assert scored.images == 6


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (["--mask_size", "30"], "hole"),
        (["--context", "90"], "context"),
        (["--covariates"], "covariates"),
        (["--save_prediction", "p.npy"], "save_prediction"),
    ],
)
def test_other_settings_are_refused(run, stack, interrupted, changed, what):
    before = Path("t.csv.part").read_bytes()
    code, out, err = run(*interrupted, *changed, "--resume")
    assert (code, out) == (2, []) and f"({what}: " in err and len(err.splitlines()) == 1
    assert Path("t.csv.part").read_bytes() == before


def test_without_resume_it_starts_afresh_and_says_so(run, scored, interrupted):
    code, _, err = run(*interrupted)
    assert code == 0 and scored.images == 6 and "--resume goes on" in err
    assert not Path("t.csv.part").exists()


def test_nothing_to_resume(run, stack, scored):
    np.save("s.npy", stack[:2])
    code, _, err = run("--input", "s.npy", "--save", "t.csv", "--resume")
    assert code == 0 and scored.images == 2 and "t.csv.part: is not there" in err
    write("a.png", stack[0])
    code, _, err = run("--input", "a.png", "--resume")
    assert code == 2 and "--save FILE" in err
    Path("t.csv.part").write_text("no rows\n")
    code, _, err = run("--input", "s.npy", "--save", "t.csv", "--resume")
    assert code == 0 and "t.csv.part: is damaged" in err and scored.images == 4
    assert Path("t.csv.part.damaged-1").read_text() == "no rows\n"


@pytest.mark.slow
def test_sites_are_gone_on_with(run, stack, scored):
    write("a.png", stack[0])
    rows = "".join(f"{x},50\n" for x in range(5, 75, 10))  # the first does not fit
    Path("s.csv").write_text("x,y\n" + rows)
    arguments = ["--input", "a.png", "--sites", "s.csv", "--mask_size", 20, "--context", 84,
                 "--batch_size", 2, "--save", "t.csv"]  # fmt: skip
    _, lines, _ = run(*arguments)
    expected = table("t.csv")[1]
    assert scored.images == 6
    scored.images, scored.stop_after = 0, 1
    assert run(*arguments)[0] == 130
    assert run(*arguments, "--resume")[:2] == (0, lines)
    assert table("t.csv")[1] == expected and scored.images == 6
    scored.stop_after = 1
    assert run(*arguments)[0] == 130
    Path("s.csv").write_text("x,y\n1,2\n" + rows)
    code, _, err = run(*arguments, "--resume")  # a site more, beside the six that are done
    assert code == 0 and "1 site is new" in err and len(table("t.csv")[1]) == 8


def test_no_table_leaves_nothing_behind(run, stack, scored):
    for i, picture in enumerate(stack[:4]):
        write(f"{i}.png", picture)
    scored.stop_after = 1
    code, _, err = run("--input", *(f"{i}.png" for i in range(4)), "--batch_size", 2,
                       "--save_prediction", "p.npy")  # fmt: skip
    assert code == 130 and err == "unetpred: interrupted\n"
    assert {path.name for path in Path().iterdir()} == {f"{i}.png" for i in range(4)}


@pytest.mark.slow
def test_killed(tmp_path, stack, weights):
    """`kill -9` after the second batch, in a process of its own."""
    np.save(tmp_path / "s.npy", stack)
    command = ["predict", "--weights", weights, "--input", "s.npy", "--save", "t.json",
               "--batch_size", "2", "--save_prediction", "p.npy"]  # fmt: skip
    program = (
        "import os, signal, sys\n"
        "from unetpred.commands import main\n"
        "from unetpred.runs import partial\n"
        "add, calls = partial.Parts.add, []\n"
        "def killing(self, jobs):\n"
        "    add(self, jobs)\n"
        "    calls.append(1)\n"
        "    if len(calls) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "partial.Parts.add = killing\n"
        f"sys.exit(main.main({command}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "t.json").exists()
    command = [sys.executable, "-m", "unetpred", *command]
    subprocess.run([*command, "--resume"], cwd=tmp_path, env=environment, check=True)
    resumed = json.loads((tmp_path / "t.json").read_text())["rows"]
    filled = np.load(tmp_path / "p.npy")
    scores = Predictor(weights, batch_size=2)(stack)
    np.testing.assert_allclose([row["structure"] for row in resumed], scores.structure, atol=1e-6)
    np.testing.assert_allclose(filled, scores.filled, atol=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {"s.npy", "t.json", "p.npy"}
