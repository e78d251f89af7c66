"""Sites in one picture, of which each sees all, against each by itself."""

from pathlib import Path

import numpy as np
import pandas
import pytest
from tables import table, write

import unetpred
from unetpred.holes.hole import Hole
from unetpred.holes.masks import hole_mask
from unetpred.holes.scenes import Place, Scenes
from unetpred.holes.sites import Sites
from unetpred.images.inputs import load_all
from unetpred.runs.scoring import jobs
from unetpred.runs.scoring.score_batch import ScoreWork, Scoring
from unetpred.scoring.hole_outputs import HoleOutputs
from unetpred.scoring.predictor import Predictor

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())
PLACES = [(30, 40, 20), (60, 50, 20), (90, 77, 31), (110, 90, 20), (12, 11, 20), (40, 60, 31)]
FULL = ["--context", "full"]


@pytest.fixture
def images(pictures):
    for name, pixels in zip(("a", "b"), pictures, strict=False):
        write(f"d/{name}.png", pixels)
    return pictures


@pytest.fixture
def spy(monkeypatch):
    """How many places each call was given."""
    counts = []
    at_places = HoleOutputs.at_places

    def counted(self, image, hole, places, visible=None):
        counts.append(len(places))
        return at_places(self, image, hole, places, visible)

    monkeypatch.setattr(HoleOutputs, "at_places", counted)
    return counts


def together(run, name="t.csv", *more):
    """The rows of PLACES in a.png, of one in b.png, and of one that does not fit."""
    rows = [f"a,{x},{y},{size}\n" for x, y, size in PLACES]
    rows.insert(2, "b,50,50,20\n")
    rows.insert(4, "a,5,50,20\n")
    Path("s.csv").write_text("image,x,y,size\n" + "".join(rows))
    code, _, err = run("--input", "d", "--sites", "s.csv", *FULL, "--save", name, *more)
    assert code == 0, err
    return table(name)[1]


def alone(run, i, *more):
    """The row of one place."""
    x, y, size = PLACES[i]
    Path("one.csv").write_text(f"image,x,y,size\na,{x},{y},{size}\n")
    assert run("--input", "d", "--sites", "one.csv", *FULL, "--save", "one_t.csv", *more)[0] == 0
    return table("one_t.csv")[1][0]


def numbers(row):
    return {k: float(v) for k, v in row.items() if k not in ("image", "index", "reason") and v}


@pytest.mark.slow
def test_rows_are_those_of_each_site_alone(run, images, spy):
    content = ["--output", "structure", "structure_luminance", "content", "--vgg_weights", VGG]
    found = together(run, "t.csv", *content)
    assert spy == [4, 2]  # one is in the other picture, one does not fit
    assert [Path(row["image"]).stem for row in found] == [*"aabaaaaa"]
    assert "does not fit" in found[4]["reason"]
    ours = [row for i, row in enumerate(found) if i not in (2, 4)]
    for i in (2, 4):
        expected = numbers(alone(run, i, *content))
        assert len(expected) > 12
        assert numbers(ours[i]) == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True)


def test_batches_and_pictures_change_nothing(run, images, spy):
    found = together(run)
    saved = together(run, "u.csv", "--save_prediction", "p.npy", "--batch_size", 2)
    assert spy == [4, 2, 2, 2, 2]
    for one, two in zip(found, saved, strict=True):
        assert numbers(one) == pytest.approx(numbers(two), abs=1e-5, nan_ok=True)
    filled = np.load("p.npy")
    for i, (x, y, size) in zip((0, 1, 3, 5, 6, 7), PLACES, strict=True):
        mask = hole_mask((100, 120), size, center=(x, y)) == 0
        np.testing.assert_array_equal(filled[i][~mask], images[0][~mask])
        r = np.corrcoef(filled[i][mask].ravel(), images[0][mask].ravel())[0, 1]
        assert r == pytest.approx(float(found[i]["structure"]), abs=1e-5)


def test_pictures_of_sites_outline_no_context(run, images, weights):
    sites = pandas.DataFrame({"x": [30, 60], "y": [40, 50]})
    work = ScoreWork(Scoring(weights=weights), Scenes(Hole(20), sites=Sites(sites)), images=True)
    source = load_all("d/a.png")[0]
    places = [Place(int(x), int(y), 20) for x, y in sites.to_numpy()]
    outcomes = work([jobs.Job(source, i, {}, place) for i, place in enumerate(places)])
    assert [set(one.arrays) for one in outcomes] == [{"image", "mask", "filled"}] * 2


def test_a_large_picture_makes_batches_as_large(run, images, weights, spy, monkeypatch):
    # its scenes would be as large as it is, what is computed of them is not
    monkeypatch.setattr(jobs, "BATCH_PIXELS", 1)
    together(run)
    assert spy == [4, 2]


def test_interrupted_and_gone_on_with(run, images, spy):
    expected = together(run)

    def stop(*_):
        raise KeyboardInterrupt

    again = ["--input", "d", "--sites", "s.csv", *FULL, "--save", "v.csv"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictor, "score", stop)  # of the picture with one site, which comes last
        assert run(*again)[0] == 130
    code, _, err = run(*again, "--resume")
    assert code == 0, err
    assert spy == [4, 2, 4, 2]
    assert table("v.csv")[1] == expected


def test_a_hole_as_large_as_the_picture_says_so(weights, pictures):
    sites = pandas.DataFrame({"x": [50] * 4, "y": [50] * 4, "size": [100, 30] * 2})
    found = unetpred.score([pictures[0][:, :100]], sites=sites, weights=weights, context="full")
    assert all("nothing is visible" in reason for reason in found.reason[::2])
    assert np.isfinite(found.structure[1::2]).all()
