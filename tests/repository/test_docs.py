"""The documentation names commands, options and names that exist."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import unetpred
from unetpred.commands.main import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "weights/README.md", *(ROOT / "docs").glob("*.md")])
PROGRAMS = {
    "python pred.py": ["predict"],
    "python train.py": ["train"],
    "python -m unetpred": [],
    "unetpred": [],
}
#: Options in the text that are those of other programs.
FOREIGN = {"--check", "--durations", "--keep-going", "--strict"}


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def commands(page: Path) -> list[list[str]]:
    """The words of every command of ours in a page, as for `unetpred`."""
    found = []
    for block in blocks(page, "sh"):
        for line in re.split(r"\n|&&", block.replace("\\\n", " ")):
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            for program, command in PROGRAMS.items():
                start = program.split()
                if words[: len(start)] == start:
                    found.append(command + words[len(start) :])
    return found


def options(parser) -> set[str]:
    """The options of a parser and of its commands."""
    found = set(parser._option_string_actions)
    for command in _commands(parser).values():
        found |= options(command)
    return found


def _commands(parser) -> dict:
    choices = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    return choices[0] if choices else {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_accepted(page):
    parser = build_parser()
    for words in commands(page):
        try:
            parser.parse_args(words)
        except SystemExit as error:
            assert error.code == 0, f"{page.name}: {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_exist(page):
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", page.read_text("utf-8")))
    assert named <= options(build_parser()) | FOREIGN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_is_python(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "unetpred":
                assert hasattr(unetpred, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", link):
            assert (page.parent / link).exists(), link


def test_links_have_text():
    for page in PAGES:
        assert "[](" not in page.read_text("utf-8"), page.name


def test_repository_pages_need_no_site():
    """What only Sphinx understands would show as it is on the page of the repository."""
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not re.search(r"(^|[\s(|])\{[\w:]+\}`|^\([\w-]+\)=$|^```\{", text, re.M), page.name


def test_drawing_of_the_house_is_current():
    pytest.importorskip("grimp")
    command = [sys.executable, "docs/house.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
