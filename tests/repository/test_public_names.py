"""The public names are the same for type checkers as at run time."""

import ast
import importlib
import inspect
import pkgutil

import pytest

import unetpred

ROOMS = sorted(
    room.name for room in pkgutil.walk_packages(unetpred.__path__, "unetpred.") if room.ispkg
)


def static_names() -> dict[str, str]:
    """What type checkers import: the name in `unetpred`, and the full name of what it is."""
    tree = ast.parse(inspect.getsource(unetpred))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_names_are_known_to_type_checkers():
    names = set(unetpred.__dir__()) - {"__version__"}
    assert names == set(static_names())


@pytest.mark.parametrize("name", sorted(static_names()))
def test_type_checkers_see_what_is_loaded(name):
    path = static_names()[name]
    try:
        expected = importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, last = path.rpartition(".")
        expected = getattr(importlib.import_module(module), last)
    assert getattr(unetpred, name) is expected


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_have_what_they_name(room):
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None, name
