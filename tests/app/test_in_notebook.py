"""The page within a notebook."""

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("gradio")
pytest.importorskip("plotly")

pytestmark = pytest.mark.slow

CELLS = (
    "import unetpred",
    "demo = unetpred.app.page(IMAGE, weights='lite')\ndemo.launch()",
    "import urllib.request\nprint(urllib.request.urlopen(demo.local_url).status)",
    "demo.close()",
)


def test_launch_shows_the_page_in_the_cell(file):
    cells = [nbformat.v4.new_code_cell(text.replace("IMAGE", repr(file))) for text in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    _, launch, asked, _ = notebook.cells
    shown = [out["data"].get("text/html", "") for out in launch.outputs if "data" in out]
    assert any('<iframe src="http://127.0.0.1:' in html for html in shown)
    assert asked.outputs[0]["text"].strip() == "200"
