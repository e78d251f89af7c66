"""Directories and paths of pictures."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from reading import refusal

from unetpred.errors import InputError
from unetpred.images.sources import list_sources


@pytest.fixture
def folder(tmp_path, rgb):
    top = tmp_path / "stimuli"
    (top / "b.d" / "deep").mkdir(parents=True)
    (top / ".hidden").mkdir()
    image = Image.fromarray(rgb)
    for name in ("z.png", "B.jpg", "a.TIF", "b.d/c.png", "b.d/deep/d.bmp", ".hidden/e.png"):
        image.save(top / name)
    (top / "notes.txt").write_text("not a picture")
    (top / "._z.png").write_text("not a picture either")
    np.save(top / "array.npy", rgb)
    return top


def test_directory_is_sorted_and_takes_images_only(folder):
    (entry,) = list_sources([folder])
    assert (entry.path, entry.kind, entry.error) == (str(folder), "directory", None)
    paths = [source.path for source in entry.sources]
    assert paths == [f"{folder}/{name}" for name in ("B.jpg", "a.TIF", "z.png")]
    assert {source.index for source in entry.sources} == {None}


def test_directory_recursively(folder):
    (entry,) = list_sources([folder], recursive=True)
    names = ("B.jpg", "a.TIF", "b.d/c.png", "b.d/deep/d.bmp", "z.png")
    assert [source.path for source in entry.sources] == [f"{folder}/{name}" for name in names]


def test_paths_stay_as_the_user_gave_them(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    entry, other = list_sources(["stimuli", "stimuli/z.png"])
    assert entry.sources[0].path == "stimuli/B.jpg"
    assert other.sources[0].path == other.path == "stimuli/z.png" and other.kind == "image"


def test_empty_directory_is_refused(folder):
    for name in (".hidden/e.png", "b.d/deep/d.bmp"):
        (folder / name).unlink()
    message = refusal(folder / "b.d" / "deep", recursive=True)
    assert all(ending in message for ending in (".png", ".jpg", ".tif", ".bmp", ".webp"))
    assert "recursively" in refusal(folder.parent)


def test_failures_leave_the_others_usable(folder):
    missing, text = folder / "none.png", folder / "notes.txt"
    (folder / "bad.png").write_text("text")
    entries = list_sources([missing, folder / "z.png", text, folder])
    assert [bool(entry.error) for entry in entries] == [True, False, True, False]
    assert entries[0].error == f"{missing}: no such file or directory"
    assert ".npz" in entries[2].error and ".png" in entries[2].error
    failed = []
    for source in entries[3].sources:
        try:
            source.load()
        except InputError as error:
            failed.append((source.path, str(error)))
    assert [path for path, _ in failed] == [str(folder / "bad.png")]
    assert failed[0][1].startswith(str(folder / "bad.png"))


def test_file_that_vanishes_is_named(folder):
    (entry,) = list_sources([folder / "z.png"])
    (folder / "z.png").unlink()
    with pytest.raises(InputError, match=r"z\.png: no such file"):
        entry.sources[0].load()


def test_import_is_light():
    code = (
        "import sys, unetpred.images.sources, unetpred.holes.masks;"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'h5py', 'scipy', 'skimage', 'tifffile'};"
        "print(*heavy & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")
