"""OpenVINO as Keras' backend: the digits of the others."""

import csv
import os
import subprocess
import sys

import keras
import pytest

from unetpred.commands.main import main

pytest.importorskip("openvino")
pytestmark = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="older Keras has no maximum pooling on OpenVINO",
)
EXAMPLE = "examples/sample_img.png"


def on_openvino(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "openvino"},
    )  # fmt: skip


@pytest.mark.slow
def test_scores_are_those_of_the_other_backends(tmp_path, capsys):
    table = tmp_path / "scores.csv"
    done = on_openvino("pred.py", "--input", EXAMPLE, "--save", table)
    assert (done.returncode, done.stderr) == (0, "")
    assert main(["predict", "--input", EXAMPLE]) == 0
    expected = float(capsys.readouterr().out.split("\t")[1])
    assert float(done.stdout.split("\t")[1]) == pytest.approx(expected, abs=1e-4)
    lines = table.read_text().splitlines()
    assert any(line.startswith("# backend: openvino 20") for line in lines)
    (row,) = csv.DictReader(line for line in lines if not line.startswith("#"))
    assert float(row["structure"]) == pytest.approx(expected, abs=1e-4)


def test_training_is_refused_in_one_line(tmp_path):
    done = on_openvino("train.py", "--dataset_dir", "examples", "--checkpoint_dir", tmp_path / "r")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "KERAS_BACKEND" in done.stderr
