"""What runs before, or without, Keras; and a first score that is not traced."""

import subprocess
import sys

import numpy as np
import pytest
from tables import write

from unetpred.backends import keras_import as quiet
from unetpred.backends.keras_import import hidden
from unetpred.commands.main import build_parser
from unetpred.network.model import Config, build_hole_model, build_unetpred
from unetpred.weights.files import save_weights

COMMANDS = tuple(build_parser()._subparsers._group_actions[0].choices)
# what a process runs in which none of the heavy packages can be imported
POISONED = """
import contextlib, io, sys
for name in "keras tensorflow jax torch skimage matplotlib cv2 scipy".split():
    sys.modules[name] = None
from unetpred.commands.main import main

for words in {runs!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                code = main(words)
            except SystemExit as stop:
                code = stop.code
    print(repr((code, out.getvalue(), err.getvalue())))
"""


def without_keras(*runs):
    """(exit code, stdout, stderr) of each command line."""
    done = subprocess.run(
        [sys.executable, "-c", POISONED.format(runs=runs)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [eval(line) for line in done.stdout.splitlines()]


def test_help_usage_errors_and_weights_do_without_keras(tmp_path):
    config = Config("paper", 0.0625)
    weights = tmp_path / "small.weights.h5"
    save_weights(build_unetpred(width=0.0625), config, weights)
    picture = str(tmp_path / "a.png")
    write(picture, np.zeros((90, 100, 3), "uint8"))
    helps = [["--help"], *([name, "--help"] for name in COMMANDS)]
    wrong = [
        [],
        ["predict"],
        ["predict", "--input", "a.png", "--output", "beauty"],
        ["predict", "--input", str(tmp_path / "none.png")],
        ["predict", "--input", "a.png", "--mask_size", "-1"],
        ["predict", "--input", picture, "--weights", "none"],
        ["predict", "--input", picture, "--output", "content", "--vgg_weights", "none.h5"],
        ["predict", "--input", picture, "--resume"],
        ["map", "--input", picture, "--save", "a.npz", "--weights", "none"],
        ["map", "--input", picture, "--save", "a.npz", "--output", "content", "--vgg_weights", "x"],
        ["map", "--input", picture, "--save", "a.npz", "--context", "5"],
        ["features", "--input", picture, "--save", "a.npz", "--layers", "*", "--weights", "none"],
        ["evaluate", "--data_dir", "d", "--output_dir", "o", "--weights", "none"],
        ["evaluate", "--data_dir", "d", "--output_dir", "o", "--vgg_weights", "none.h5"],
        ["train", "--dataset_dir", "d", "--lr", "fast"],
        ["weights", "info", str(tmp_path / "none.h5")],
    ]
    right = [["weights", "list"], ["weights", "info", str(weights)]]
    answers = without_keras(*helps, *wrong, *right)
    for code, out, err in answers[: len(helps)]:
        assert (code, err) == (0, "") and out.startswith("usage: ")
    for code, out, err in answers[len(helps) : -len(right)]:
        assert (code, out) == (2, "") and err and "Traceback" not in err
    for code, _, err in answers[-len(right) :]:
        assert (code, err) == (0, "")
    about = dict(line.split("\t") for line in answers[-1][1].splitlines())
    assert about["variant"] == "paper" and about["width"] == "0.0625"


def test_importing_is_cheap():
    heavy = "keras tensorflow jax torch skimage matplotlib h5py scipy cv2 PIL".split()  # noqa: SIM905
    code = (
        "import sys, unetpred, unetpred.commands.main; unetpred.commands.main.build_parser();"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hidden_packages_come_back():
    sys.modules.pop("this", None)
    with hidden(["this", "json"]):
        with pytest.raises(ImportError):
            __import__("this")
        assert __import__("json").dumps(1) == "1"  # was imported before, so it stays
    assert "this" not in sys.modules


@pytest.mark.usefixtures("compiled")
def test_first_pass_and_later_ones_give_the_same_digits():
    from unetpred.network.forward import forward

    hole = build_hole_model(build_unetpred(width=0.0625), 96, 128, (20, 30, 60, 80))
    rng = np.random.default_rng(0)
    image = rng.normal(0, 50, (2, 96, 128, 3)).astype("float32")
    mask = (rng.random((2, 96, 128, 1)) < 0.8).astype("float32")
    first, second, third = (forward(hole, [image, mask])[0] for _ in range(3))
    assert first.shape == (2, 40, 50, 3) and first.dtype == np.float32 and first.std() > 0
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(third, first)


@pytest.mark.parametrize("found", ["3.12.4", "3.9.0"])
def test_keras_too_old_for_openvino_is_one_line(run, monkeypatch, pictures, found):
    write("a.png", pictures[0])
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    monkeypatch.setattr(quiet, "version", {"keras": found}.__getitem__)
    code, out, err = run("--input", "a.png")
    assert (code, out, len(err.splitlines())) == (2, [], 1)
    assert "KERAS_BACKEND=openvino" in err and "3.15" in err and found in err
