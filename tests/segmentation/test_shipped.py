"""Weights that ship load by name, and are what their card says."""

import hashlib
from pathlib import Path

from cells import cells

from unetpred.segmentation import Segmenter
from unetpred.segmentation.weights import SHIPPED, find_segmenter

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
