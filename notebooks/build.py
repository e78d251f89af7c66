"""Make the notebooks from their texts, and run them.

    python notebooks/build.py [--output_dir DIR]

makes an .ipynb, with its outputs, of every .py beside this script that has cells (`# %%`), as
jupytext and editors know them. Needs nbformat, nbclient and ipykernel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDER = Path(__file__).parent


def notebook(path: Path):
    """The notebook of a text with cells, not run.

    Parameters
    ----------
    path : Path
        `# %%` begins a cell, `# %% [markdown]` one of text, whose lines begin with `#`.

    Returns
    -------
    nbformat.NotebookNode
    """
    import nbformat.v4 as nb

    cells = []
    for number, text in enumerate(path.read_text(encoding="utf-8").split("# %%")[1:]):
        head, _, body = text.partition("\n")
        if head.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.splitlines()]
            cell = nb.new_markdown_cell("\n".join(lines).strip())
        else:
            cell = nb.new_code_cell(body.replace("# %matplotlib", "%matplotlib").strip())
        cell["id"] = f"cell-{number}"  # the same each time
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nb.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run(made) -> None:
    """Run a notebook beside its text, and keep its outputs but no times."""
    from nbclient import NotebookClient

    NotebookClient(made, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    for cell in made.cells:
        cell.metadata.pop("execution", None)


def main(arguments: list[str] | None = None) -> None:
    """Make, run and write all notebooks."""
    import nbformat

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, default=FOLDER, help="default: beside this")
    folder = parser.parse_args(arguments).output_dir
    for path in sorted(FOLDER.glob("*.py")):
        if path != Path(__file__):
            made = notebook(path)
            run(made)
            nbformat.write(made, folder / f"{path.stem}.ipynb")


if __name__ == "__main__":
    main()
