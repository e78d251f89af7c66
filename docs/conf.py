"""How Sphinx builds these pages: `python -m sphinx -n -W --keep-going docs docs/_build/html`.

Needs `docs/requirements.txt` beside the package's own requirements, and no internet. Broken
references within the documentation are errors. Links to other sites are only checked by
`python -m sphinx -b linkcheck docs docs/_build/linkcheck`, which needs the internet.

The pages are plain Markdown, for most people read them in the repository. What the site alone needs
is added here as they are read: the table of contents, links from names to the reference, and the
model cards, which lie beside the weights.
"""

import re
import sys
from pathlib import Path

from docutils import nodes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import unetpred
from unetpred.backends.keras_import import import_keras

import_keras()  # some docstrings are found only by importing Keras: any backend will do

project = "unetpred"
author = "the unetpred authors"
copyright = "the unetpred authors, MIT licence"
release = unetpred.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"unetpred {release}"

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = """
```{toctree}
:hidden:

scores
method
differences
recipes
app
segmentation
scale
reliability
faq
weights
citation
api/index
```
"""

# Types are told by the docstrings, which name shapes and ranges too
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False

# A name in single backticks becomes a link where the name is documented here. A name of this
# package that is not is an error; any other one, such as a parameter's, stays plain code.
default_role = "name"
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!unetpred(\.|$)).*")]


def setup(app):
    app.add_role("name", _name)
    app.connect("autodoc-skip-member", _skip)
    app.connect("source-read", _complete)


def _complete(app, docname, source):
    """Add to a page of Markdown what the site has beyond the repository's page."""
    if docname.startswith("api/"):
        return
    text = source[0]
    if docname == "weights":
        text = (ROOT / "weights" / "README.md").read_text("utf-8")
        app.env.note_dependency(str(ROOT / "weights" / "README.md"))
        text = re.sub(r"\]\((?!\w+:|\.\./|#)", "](../weights/", text).replace("](../docs/", "](")
    text = text.replace("](../weights/README.md", "](weights.md")
    # names of this package lead to the reference; one that is not there is an error
    text = re.sub(r"(?<!`)`(unetpred(?:\.\w+)+)`(?!`)", r"{py:obj}`\1`", text)
    source[0] = text + (CONTENTS if docname == "index" else "")


def _name(role, rawtext, text, lineno, inliner, options=None, content=()):
    if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", text):  # such as `.weights.h5`
        return [nodes.literal(rawtext, text)], []
    link = inliner.document.settings.env.get_domain("py").role("obj")
    return link(role, rawtext, text, lineno, inliner, options or {}, content)


def _skip(app, what, name, obj, skip, options):
    # what Python itself says of the fields of named tuples
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field") else None
