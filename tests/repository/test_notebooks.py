"""Notebooks: those in the repository are of their texts, and run from top to bottom."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from unetpred.fillings.simple import harmonic_fill
from unetpred.network.vgg16 import CONTENT_LAYERS, vgg_model
from unetpred.scoring.scores import content

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parents[2] / "notebooks"
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


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs(build, name, monkeypatch):
    monkeypatch.setenv("UNETPRED_MINUTES", "0.4")  # of training
    made = build.notebook(FOLDER / f"{name}.py")
    build.run(made)  # raises what a cell raises
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4


@pytest.mark.slow
def test_content_is_shown_in_all_and_by_layer(monkeypatch):
    text = (FOLDER / "paper_figure.py").read_text("utf-8").split("# ## Hole size")[0]
    given = str(Path(__file__).parents[1] / "data/vgg16_notop_random.h5")
    parts = text.split("vgg_weights = None")
    assert len(parts) == 2
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr("sys.path", list(sys.path))
    cells, figures = {}, []
    code = f"vgg_weights = {given!r}".join(parts).replace(
        "\nfigure\n", "\nfigures.append(figure)\n"
    )
    cells["figures"] = figures
    exec(code, cells)
    result, whole, top = cells["result"], cells["photographs"], (224 - 52) // 2
    patch = np.s_[:, top : top + 52, top : top + 52]
    vgg = vgg_model(given, CONTENT_LAYERS)
    mask = np.ones((224, 224))
    mask[patch[1:]] = 0
    simple = np.stack([harmonic_fill(image, mask) for image in whole])
    scores = [content(filled[patch], whole[patch], vgg) for filled in (result.filled, simple)]
    assert len(figures) == 2 and figures[0].axes[0].get_ylabel().startswith("content")
    shown = [dots.get_offsets() for dots in figures[0].axes[0].collections]
    for dots, score in zip(shown, scores, strict=True):
        np.testing.assert_allclose(dots[:, 1], score.total, rtol=1e-3)
    np.testing.assert_allclose(shown[0][:, 0], result.structure)
    for layer, axes in enumerate(figures[1].axes):
        assert axes.get_title() == CONTENT_LAYERS[layer]
        for dots, score in zip(axes.collections, scores, strict=True):
            np.testing.assert_allclose(dots.get_offsets()[:, 1], score.layers[:, layer], rtol=1e-3)
