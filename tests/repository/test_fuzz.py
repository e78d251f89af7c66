"""The fuzzer itself, and a few of its cases; `python -m fuzz` has all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fuzz.mutations import mutated
from fuzz.readers import READERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_of_every_kind(reader):
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", reader, "--cases", "30", "--seed", "5", "--seconds", "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "30 cases" in done.stdout, done.stdout + done.stderr


def test_the_same_seed_damages_in_the_same_way():
    data = bytes(range(256)) * 8
    one, two = (mutated(data, data[::-1], np.random.default_rng([7, 3])) for _ in range(2))
    assert one == two != data
