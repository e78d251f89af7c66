"""Names that break lines or are no text: escaped in all that is written, and read back."""

import json
import os
from pathlib import Path

import pandas
import pytest
from tables import table, write

import unetpred
from unetpred.runtime import command_line

BAD = b"a\nb\r\x1b\t,\xff#.png"
ESCAPED = r"a\nb\r\x1b\t,\udcff#.png"


@pytest.fixture
def given(tmp_path, monkeypatch, pictures):
    monkeypatch.chdir(tmp_path)
    write("a.png", pictures[0])
    try:
        os.rename(b"a.png", BAD)
    except OSError:
        pytest.skip("this file system has no such names")
    return os.fsdecode(BAD)


@pytest.mark.slow
def test_tables_lines_and_notes_have_one_line_each(run, weights, given):
    for name in ("t.csv", "t.json", "t.parquet"):
        code, lines, err = run("--input", given, "--save", name)
        assert code == 0 and [line.split("\t")[0] for line in lines] == [ESCAPED]
        assert "\x1b" not in err
    notes, rows = table("t.csv")
    assert [row["image"] for row in rows] == [ESCAPED]
    assert notes["command"].isprintable()
    assert pandas.read_csv("t.csv", comment="#").image.tolist() == [ESCAPED]
    content = json.loads(Path("t.json").read_text("utf-8"))
    assert [row["image"] for row in content["rows"]] == [ESCAPED]
    assert pandas.read_parquet("t.parquet").image.tolist() == [ESCAPED]
    frame = unetpred.score(given, weights=weights, progress=False)
    assert frame.image.tolist() == [given]


def test_a_command_with_such_names_can_be_typed_again(monkeypatch):
    words = ["unetpred", "predict", "--input", os.fsdecode(BAD), "it's $HOME", "é.png"]
    monkeypatch.setattr("sys.argv", words)
    line = command_line.resume_command()
    assert line.isprintable()
    printed = os.popen(f"bash -c {command_line._joined([f'printf %s@ {line}'])}").buffer.read()
    assert printed.split(b"@")[:-1] == [os.fsencode(word) for word in [*words, "--resume"]]
