"""Notebooks: those in the repository are of their texts, and run from top to bottom."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from unetpred.scores import content
from unetpred.vgg import CONTENT_LAYERS, vgg_model

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "build")


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_of_its_text_and_has_its_outputs(build, name):
    kept = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    made = build.notebook(FOLDER / f"{name}.py")
    assert [(c.cell_type, c.source) for c in kept.cells] == [
        (c.cell_type, c.source) for c in made.cells
    ]
    outputs = [output for cell in kept.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs(build, name):
    made = build.notebook(FOLDER / f"{name}.py")
    build.run(made)  # raises what a cell raises
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4


def test_content_is_shown_where_vgg_is_given(monkeypatch):
    text = (FOLDER / "paper_figure.py").read_text("utf-8").split("# ## Hole size")[0]
    given = str(Path(__file__).parent / "data/vgg16_notop_random.h5")
    parts = text.split("vgg_weights = None")
    assert len(parts) == 2
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr("sys.path", list(sys.path))
    cells = {}
    exec(f"vgg_weights = {given!r}".join(parts), cells)
    axes = cells["figure"].axes[0]
    assert axes.get_ylabel().startswith("content")
    (dots,) = axes.collections
    result, whole, top = cells["result"], cells["photographs"], (224 - 52) // 2
    patch = np.s_[:, top : top + 52, top : top + 52]
    vgg = vgg_model(given, CONTENT_LAYERS)
    expected = content(result.filled[patch], whole[patch], vgg).total
    np.testing.assert_allclose(dots.get_offsets()[:, 0], result.structure)
    np.testing.assert_allclose(dots.get_offsets()[:, 1], expected, rtol=1e-3)
