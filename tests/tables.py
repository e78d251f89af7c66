"""Files that tests of the command line write and read."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image


def write(name, pixels):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(name)


def table(path):
    lines = Path(path).read_text().splitlines()
    notes = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return notes, list(csv.DictReader(line for line in lines if not line.startswith("#")))
