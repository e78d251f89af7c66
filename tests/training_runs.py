"""Short training runs, and what they leave."""

import csv
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
SMALL = {"image_size": 32, "batch_size": 2, "epochs": 2, "steps_per_epoch": 10, "workers": 1}
SMALL |= {"checkpoint_interval": 10, "log_interval": 5, "val_interval": 10}


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


class Interrupted:
    """A run killed at step 10 and gone on with to 20, in processes beside this one.

    Attributes
    ----------
    folder : Path
        Of the run.
    killed : int
        Step of the state that the kill left.
    resumed : subprocess.CompletedProcess
        The process that went on.
    """

    def __init__(self, photographs, folder):
        self.photographs, self.folder = photographs, folder
        self._process, self._given_up = None, False
        self._done = ThreadPoolExecutor(1).submit(self._run)

    def wait(self):
        """Give itself when both processes have ended."""
        self._done.result()
        return self

    def give_up(self):
        """End whatever still runs."""
        self._given_up = True
        if self._process and self._process.poll() is None:
            self._process.kill()

    def _start(self, *more):
        self._process = subprocess.Popen(
            command(self.photographs, self.folder, *more),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder.parent,
        )  # fmt: skip
        return self._process

    def _run(self):
        # on its way to 100 steps, gone on with to 20: a run does not depend on its length
        process = self._start("--epochs", 10, "--quiet")
        while not (self.folder / "last.weights.h5").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        process.kill()
        process.wait()
        if self._given_up:
            return
        self.killed = state_of(self.folder)[0]["step"]
        with (self.folder / "history.csv").open("a") as file:
            file.write("12,0.")  # as a process leaves it that is killed while writing
        (self.folder / f".{process.pid}-abcdefghstate.h5").write_text("begun")
        process = self._start("--resume")
        out, err = process.communicate()
        self.resumed = subprocess.CompletedProcess(process.args, process.returncode, out, err)
