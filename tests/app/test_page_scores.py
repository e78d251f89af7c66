"""Every number of the page is that of the package, for the same hole."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import unetpred
from unetpred.app.engine import Engine, Spot
from unetpred.app.history import save_figure, save_map, save_table
from unetpred.app.mapping import mapping, places, stop
from unetpred.app.opened import open_picture
from unetpred.app.segmenting import save_mask, segmenting
from unetpred.app.tuning import sizes_at, tuning
from unetpred.holes.hole import Hole

SIDE = 136, 150


@pytest.fixture(scope="module")
def full():
    """With content, which takes long."""
    return Engine()


@pytest.fixture(scope="module")
def engine():
    """Without content."""
    made = Engine()
    made.content = False
    return made


@pytest.fixture(scope="module")
def picture(file):
    return open_picture(file)


@pytest.fixture(scope="module")
def painted():
    mask = np.ones(SIDE, "uint8")
    mask[40:70, 50:66] = 0
    mask[80:100, 90:130] = 0
    return mask


SPOTS = {
    "square": (Hole(40, center=(70, 66)), 224),
    "disc": (Hole(31, "disc", (60, 80)), 224),
    "whole": (Hole(40, center=(70, 66)), "full"),
}


def assert_same(row: dict, table: pd.DataFrame):
    """All columns of a table with one row are those of a row of the page."""
    (expected,) = table.to_dict("records")
    compared = [name for name in expected if name not in ("image", "index", "reason")]
    assert {"structure", "structure_telea", "structure_mean_fill"} < set(compared)
    for name in compared:
        np.testing.assert_allclose(row[name], expected[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", SPOTS)
def test_numbers_are_those_of_score(engine, picture, file, weights, name):
    hole, context = SPOTS[name]
    answer = engine.score(picture, Spot(hole, None, context, weights))
    table = unetpred.score(file, hole=hole, context=context, weights=weights, covariates=True)
    assert_same(answer.row, table)
    assert (answer.row["x"], answer.row["y"]) == hole.center
    assert answer.row["reason"] == table.reason[0]


def test_painted_holes_score_as_masks_do(engine, picture, file, weights, painted):
    for context in (224, "full"):
        answer = engine.score(picture, Spot(None, painted, context, weights))
        table = unetpred.score(
            file, mask=painted, context=context, weights=weights, covariates=True
        )
        assert_same(answer.row, table)


def test_fillings_are_what_the_scores_say(engine, picture, weights):
    answer = engine.score(picture, Spot(Hole(40, center=(40, 40)), None, 224, weights))
    hidden = answer.hole == 0
    for name, end in (("network", ""), ("telea", "_telea"), ("mean_fill", "_mean_fill")):
        filling, original = answer.fillings[name][hidden], answer.pixels[hidden]
        r = np.corrcoef(filling.ravel(), original.ravel())[0, 1]
        assert r == pytest.approx(answer.row[f"structure{end}"], abs=1e-5)
    top, left, bottom, right = answer.inside  # (40,40) is nearer to the border than 112 px
    assert (top, left) == (72, 72)
    assert (bottom - top, right - left) == SIDE
    np.testing.assert_array_equal(answer.pixels[top:bottom, left:right], picture.source.load())


def test_the_call_that_is_told_gives_all_scores(full, picture, file, weights, monkeypatch):
    monkeypatch.chdir(Path(file).parent)
    spot = Spot(Hole(31, "disc", (60, 80)), None, 224, weights)
    table = eval(spot.call(picture, full.content), {"unetpred": unetpred})
    assert {"content", "content_block3_conv3", "content_telea"} < set(table)
    assert_same(full.score(picture, spot).row, table)


def test_size_tuning_scores_every_size(engine, picture, file, weights, monkeypatch):
    monkeypatch.setattr("unetpred.app.tuning.POINTS", 4)
    spot = Spot(Hole(40, center=(70, 66)), None, 224, weights)
    *_, rows = tuning(engine, picture, spot)
    sizes = [int(row["size"]) for row in rows]
    assert sizes == sizes_at(picture, spot)
    assert sizes[0] == 8 and sizes[-1] == 133 and 40 in sizes
    hole = Hole(sizes[1], center=(70, 66))
    table = unetpred.score(file, hole=hole, context=224, weights=weights, covariates=True)
    assert_same(rows[1], table)


@pytest.mark.parametrize(
    ("center", "room"), [((70, 66), 133), ((20, 66), 41), ((70, 130), 12), ((149, 0), 1)]
)
def test_the_largest_size_is_the_last_that_fits(picture, center, room):
    """Of all sizes from 1 on `room` is the last that is not refused."""
    spot = Spot(Hole(8, center=center))
    fits = []
    for size in range(1, 161):
        try:
            Spot(Hole(size, center=center)).scenes.check(picture.size, 0)
        except unetpred.InputError:
            break
        fits.append(size)
    assert fits[-1] == room
    if room < 8:
        with pytest.raises(unetpred.InputError, match="so near the border"):
            sizes_at(picture, spot)
    else:
        assert sizes_at(picture, spot)[-1] == room


def test_maps_are_those_of_the_package(engine, picture, file, weights):
    spot = Spot(Hole(40), None, 224, weights)
    *_, found = mapping(engine, picture, spot, 32)
    expected = unetpred.predictability_map(file, 32, 224, 40, predictor=unetpred.Predictor(weights))
    np.testing.assert_allclose(found.result.structure, expected.structure, rtol=0, atol=1e-6)
    assert found.done == found.total == np.isfinite(expected.structure).sum()
    x, y = int(found.result.x[2]), int(found.result.y[1])
    one = engine.score(picture, Spot(Hole(40, center=(x, y)), None, 224, weights))
    assert one.row["structure"] == pytest.approx(found.result.structure[1, 2], abs=1e-5)


def test_a_map_that_is_stopped_stays_as_it_is(engine, picture, weights):
    steps = mapping(engine, picture, Spot(Hole(40), None, 224, weights), 32)
    next(steps)
    found = next(steps)
    done = found.done
    stop(engine, found)
    assert list(steps) == []
    assert found.done == done == np.isfinite(found.result.structure).sum() < found.total


@pytest.mark.parametrize(("stride", "size"), [(32, 40), (16, 52), (7, 31), (1, 133)])
def test_places_are_counted_as_the_map_has_them(picture, stride, size):
    from unetpred.scoring.maps import PENDING, blank_map

    pending = (blank_map(picture.size, stride, size).reason == PENDING).sum()
    assert places(picture, stride, size) == pending


def test_a_map_that_nobody_asks_for_more_of_stops(engine, picture, weights, monkeypatch):
    from unetpred.app import mapping as module

    computed = []
    original = module.PlaceScorer.compute
    monkeypatch.setattr(
        module.PlaceScorer, "compute", lambda self, read: computed.append(1) or original(self, read)
    )
    steps = mapping(engine, picture, Spot(Hole(40), None, 224, weights), 16)
    next(steps)  # nothing is computed yet
    first = next(steps)
    steps.close()
    assert 0 < first.done < first.total
    assert len(computed) == 1
    assert np.isfinite(first.result.structure).sum() == first.done


def test_tables_carry_rows_in_full_and_their_origin(engine, picture, weights, painted):
    spots = [
        Spot(Hole(40, center=(70, 66)), None, 224, weights),
        Spot(None, painted, "full", "lite"),
    ]
    rows = [engine.score(picture, spot).row for spot in spots]
    csv, parquet = save_table(rows, engine, "unetpred app")
    read = pd.read_csv(csv, comment="#")
    again = pd.read_parquet(parquet)
    for table in (read, again):
        assert list(table["structure"]) == [row["structure"] for row in rows]
        assert list(table["hole"]) == ["square", "painted"]
        assert list(table["context"].astype(str)) == ["224", "full"]
    lines = [line for line in Path(csv).read_text("utf-8").splitlines() if line.startswith("#")]
    told = dict(line[2:].split(": ", 1) for line in lines)
    assert told["weights"] == "small.weights.h5, lite"
    assert len(told["weights_sha256"].split(", ")) == 2
    assert told["command"] == "unetpred app"
    assert "higher = more predictable" in told["structure"]
    assert again.attrs["provenance"]["weights"] == told["weights"]


def test_figures_are_written_as_png_and_pdf(engine, picture, weights, painted):
    png, pdf, mask = save_figure(picture, Spot(None, painted, "full", weights), engine)
    assert Image.open(png).width > 900
    assert Path(pdf).read_bytes()[:5] == b"%PDF-"
    np.testing.assert_array_equal(np.asarray(Image.open(mask)) // 255, painted)


def test_maps_are_written_with_their_origin(engine, picture, weights):
    *_, found = mapping(engine, picture, Spot(Hole(60, "disc"), None, 224, weights), 48)
    csv, png, pdf = save_map(found, engine, "unetpred app")
    table = pd.read_csv(csv, comment="#")
    np.testing.assert_array_equal(table.structure, found.result.structure.ravel())
    text = Path(csv).read_text("utf-8")
    assert "# hole: disc of 60 px, centred on each place in turn" in text
    assert "# stride: 48" in text and "# content" not in text
    assert Image.open(png).width > 1000 and Path(pdf).read_bytes()[:5] == b"%PDF-"


def test_masks_are_those_of_the_command(engine, picture, file, tmp_path):
    from unetpred.commands.main import main

    *_, found = segmenting(engine, picture, "membranes")
    arguments = ["--input", file, "--weights", "membranes", "--output_dir", str(tmp_path)]
    assert main(["segment", "predict", *arguments, "--overlay", "--quiet"]) == 0
    for ours, name in zip(save_mask(found), ("mask", "overlay"), strict=True):
        theirs = tmp_path / f"waves_{name}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(ours)), np.asarray(Image.open(theirs)))
    assert math.isclose(sum(part for _, part in found.shares()), 1)
    assert json.loads((tmp_path / "segment.json").read_text())["weights"] == "membranes"
