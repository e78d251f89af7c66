"""Short training runs, and what they leave."""

import csv
import json
import sys
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
SMALL = {"image_size": 32, "batch_size": 2, "epochs": 2, "steps_per_epoch": 10, "workers": 1}
SMALL |= {"checkpoint_interval": 10, "log_interval": 5, "val_interval": 15}


def command(photographs, folder, *more):
    options = {"dataset_dir": photographs, "checkpoint_dir": folder, **SMALL}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, str(ROOT / "train.py"), *words, *map(str, more)]


def state_of(folder):
    with h5py.File(folder / "state.h5") as file:
        values = {f"{part}/{i}": d[()] for part in file for i, d in file[part].items()}
        return json.loads(file.attrs["run"]), values


def assert_same_state(a, b):
    (run_a, values_a), (run_b, values_b) = a, b
    assert run_a["step"] == run_b["step"] and run_a["best"] == run_b["best"]
    assert values_a.keys() == values_b.keys()
    for name, value in values_a.items():
        np.testing.assert_array_equal(value, values_b[name], err_msg=name)


def history_of(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))
