"""Weights that ship load by name, and are what their card says."""

import hashlib
from pathlib import Path

import pytest
from cells import cells

from unetpred.errors import InputError
from unetpred.io import registry
from unetpred.segmentation import Segmenter
from unetpred.segmentation.weights import SHIPPED, find_segmenter, load_segmenter

CARD = (Path(__file__).parents[2] / "weights/README.md").read_text("utf-8")


def test_membranes():
    segmenter = Segmenter("membranes")
    assert segmenter.classes.names == ("membrane", "inside")
    assert segmenter.classes.written == (0, 1)
    assert segmenter.threshold == 0.6 and "non-commercial" in segmenter.about["terms"]
    assert set(segmenter(cells(0)[0]).ravel()) <= {0, 1}


def test_camvid():
    segmenter = Segmenter("camvid")
    assert segmenter.classes.names[3] == "road" and len(segmenter.classes) == 11
    assert segmenter.classes.void == 11 and "research only" in segmenter.about["terms"]
    mask = segmenter(cells(0)[0])
    assert mask.max() < 11


def test_cards():
    for name in SHIPPED:
        path = find_segmenter(name)
        assert path.stat().st_size < 5e6
        section = CARD.split(f"\n## {name}\n")[1]
        assert section.lstrip().startswith("**Terms first")
        assert hashlib.sha256(path.read_bytes()).hexdigest() in section


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_known_hashes_are_those_of_the_files(name):
    assert registry.sha256(find_segmenter(name)) == registry.SHA256[name]


def test_a_changed_threshold_is_seen_by_name(tmp_path, monkeypatch):
    path = find_segmenter("membranes")
    data = path.read_bytes()
    (tmp_path / path.name).write_bytes(data.replace(b'"threshold": 0.6', b'"threshold": 0.9'))
    monkeypatch.setattr(registry, "_shipped", lambda: tmp_path)
    with pytest.raises(InputError, match="damaged or was changed"):
        load_segmenter("membranes")
