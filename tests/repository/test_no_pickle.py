"""Nothing that comes from a file is ever unpickled or run: looked for, and tried."""

import json
import pickle
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.holes.masks import load_mask
from unetpred.images.sources import list_sources
from unetpred.training.records.checkpoints import read_run
from unetpred.weights.files import load_model

ROOT = Path(__file__).parents[2]
WORDS = (
    r"\b(pickle|dill|cloudpickle|joblib|marshal|shelve|torch\.load|yaml\.load|eval|exec)\b\s*[.(]"
)
WORDS += (
    r"|import\s+(pickle|dill|marshal|shelve|joblib)|allow_pickle\s*=\s*True|safe_mode\s*=\s*False"
)
WORDS += r"|enable_unsafe_deserialization|read_pickle"
#: They talk to processes that they have started or were told to use; no file is involved.
PIPES = {
    "unetpred/photographs/loader.py",
    "unetpred/runs/cluster/run.py",
    "unetpred/runs/cluster/worker.py",
}


def test_no_line_unpickles():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "unetpred").rglob("*.py"), ROOT / "pred.py", ROOT / "train.py"]
        for line in path.read_text().splitlines()
        if re.search(WORDS, line)
    }
    assert found == PIPES


def test_every_array_of_numpy_is_read_without():
    for path in (ROOT / "unetpred").rglob("*.py"):
        for call in re.findall(r"np\.load\([^)]*\)", path.read_text()):
            assert "allow_pickle=False" in call, f"{path}: {call}"


class Mark:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "unpickled"


def hostile(folder, mark):
    """Give files of every kind that a reader could unpickle."""
    objects = np.array([Mark(mark)], dtype=object)
    np.save(folder / "a.npy", objects)
    np.savez(folder / "b.npz", objects)
    payload = pickle.dumps(Mark(mark))
    for name in ("c.npy", "d.npz", "e.h5", "f.png", "g.tif", "h.keras", "state.h5"):
        (folder / name).write_bytes(payload)
    with h5py.File(folder / "i.h5", "w") as file:
        file["images"] = np.void(payload)
    with h5py.File(folder / "j.h5", "w") as file:
        file.attrs["run"] = np.void(payload)
        file.create_dataset("network/0", data=np.frombuffer(payload, "u1"))
    return sorted(path for path in folder.iterdir() if path != mark)


def test_the_files_are_hostile(tmp_path, mark):
    hostile(tmp_path, mark)
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert mark.exists()


def test_no_reader_unpickles(tmp_path, mark):
    for path in hostile(tmp_path, mark):
        for entry in list_sources([path]):
            for source in entry.sources:
                with pytest.raises(InputError):
                    source.load()
        for read in (load_mask, load_model, read_run):
            with pytest.raises(InputError):
                read(path)
        assert not mark.exists(), path


def test_no_layer_of_a_model_is_run(tmp_path, mark):
    code = {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(code))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", pickle.dumps(Mark(mark)))
    with pytest.raises(InputError):
        load_model(tmp_path / "a.keras")
    assert not mark.exists()
