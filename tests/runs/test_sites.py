"""Tables of sites: each row is what the crop around it gives by itself, and what it is like."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tables import table, write

from unetpred.errors import InputError
from unetpred.fillings.simple import mean_fill, telea_fill
from unetpred.holes.masks import hole_mask
from unetpred.holes.sites import read_sites
from unetpred.network.vgg16 import vgg_model
from unetpred.scoring.covariates import CONTENT_COVARIATES, COVARIATES, covariates
from unetpred.scoring.hole_outputs import HoleOutputs
from unetpred.scoring.luminance import LUMINANCE_COVARIATES, structure_luminance
from unetpred.scoring.predictor import Predictor
from unetpred.scoring.scores import content

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())
CONTEXT = ["--context", 84]


@pytest.fixture
def images(pictures):
    large = np.concatenate([pictures[0], pictures[1]], axis=1)  # (100,240,3)
    write("d/one.png", large)
    write("d/two.png", pictures[2])
    return {"one": large, "two": pictures[2]}


def sites(text, name="s.csv"):
    Path(name).write_text(text)
    return name


def crop_score(weights, image, x, y, size):
    top, left = y - 42, x - 42
    crop = image[top : top + 84, left : left + 84]
    return Predictor(weights)(crop[None], hole_mask((84, 84), size)).structure[0]


def test_a_site_is_the_crop_around_it(run, images, weights):
    places = [(60, 50, 20), (150, 44, 20), (97, 55, 31), (150, 44, 31)]
    rows = "".join(f"{x},{y},{size}\n" for x, y, size in places)
    name = sites("x,y,size\n" + rows)
    code, out, err = run("--input", "d/one.png", "--sites", name, *CONTEXT, "--save", "t.csv")
    notes, found = table("t.csv")
    assert (code, err, len(out)) == (0, "", 4)
    assert [tuple(int(row[n]) for n in ("x", "y", "size")) for row in found] == places
    for row, line, (x, y, size) in zip(found, out, places, strict=True):
        expected = crop_score(weights, images["one"], x, y, size)
        assert float(row["structure"]) == pytest.approx(expected, abs=1e-5)
        assert line.split("\t") == ["d/one.png", str(x), str(y), str(size), row["structure"]]
        crop = images["one"][y - 42 : y + 42, x - 42 : x + 42].astype("float32")
        hole = hole_mask((84, 84), size)
        for key, value in covariates(crop, hole, hole).items():
            assert float(row[key]) == pytest.approx(value, rel=1e-9)
    assert "84x84" in notes["context"] and "s.csv" in notes["hole"]
    assert list(found[0]) == [
        "image",
        "index",
        "x",
        "y",
        "size",
        "structure",
        *COVARIATES,
        "reason",
    ]


@pytest.mark.slow
def test_several_sizes_at_several_sites_of_several_images(run, images, weights):
    name = sites("cell,image,x,y\na,two,50.4,49.6\nb,one.png,100,50\nc,d/two.png,60,50\n")
    code, _, _ = run("--input", "d", "--sites", name, *CONTEXT, "--mask_size", 1, 1.5,
                     "--units", "deg", "--pixels_per_degree", 20, "--save", "t.json")  # fmt: skip
    rows = json.loads(Path("t.json").read_text())["rows"]
    assert code == 0
    assert [(row["cell"], row["size"], row["size_deg"]) for row in rows] == [
        (cell, size, size / 20) for cell in "abc" for size in (20, 30)
    ]
    assert [row["image"] for row in rows[::2]] == ["two", "one.png", "d/two.png"]
    places = [("two", 50, 50), ("one", 100, 50), ("two", 60, 50)]
    for i, row in enumerate(rows):
        image, x, y = places[i // 2]
        expected = crop_score(weights, images[image], x, y, row["size"])
        assert row["structure"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_with_decimal_commas(run, images, separator):
    text = "name,cell;image;x;y\na,1;one;60,4;49,6\nb;one.png;97;55\n;;;\n"
    name = sites(text.replace(";", separator))
    given = ["--input", "d/one.png", *CONTEXT, "--mask_size", 20]
    assert run(*given, "--sites", name, "--save", "t.csv")[0] == 0
    plain = sites('"name,cell",image,x,y\n"a,1",one,60.4,49.6\nb,one.png,97,55\n', "p.csv")
    assert run(*given, "--sites", plain, "--save", "p_.csv")[0] == 0
    rows = table("t.csv")[1]
    assert rows == table("p_.csv")[1]
    assert [(row["name,cell"], row["image"], row["x"]) for row in rows] == [
        ("a,1", "one", "60"), ("b", "one.png", "97")
    ]  # fmt: skip


def test_the_size_of_sites_without_one_is_said(run, images):
    name = sites("x,y\n60,50\n")
    _, _, err = run("--input", "d/one.png", "--sites", name, "--save", "t.csv")
    assert "s.csv: no column size: 52 px" in err and table("t.csv")[1][0]["size"] == "52"
    _, _, err = run("--input", "d/one.png", "--sites", name, "--mask_size", 30, "--save", "t.csv")
    assert "no column size" not in err


def test_sites_at_the_border_and_beyond(run, images):
    name = sites("x,y\n10,50\n9,50\n,50\n230,90\n")
    code, out, err = run("--input", "d/one.png", "--sites", name, "--mask_size", 20, *CONTEXT,
                         "--save", "t.csv", "--output", "structure", "content", "--vgg_weights",
                         VGG)  # fmt: skip
    rows = table("t.csv")[1]
    assert code == 0 and len(out) == 4 and "2 of 4 sites are NaN" in err
    assert [row["structure"] == "nan" for row in rows] == [False, True, True, False]
    assert "does not fit" in rows[1]["reason"] and rows[2]["reason"] == "x not known"
    assert rows[1]["structure_telea"] == "nan" and rows[0]["structure_telea"] != "nan"
    layers = [float(rows[3][f"content_block{b}_conv{n}"]) for b, n in ((1, 2), (2, 2), (3, 3),
                                                                       (4, 3), (5, 3))]  # fmt: skip
    assert float(rows[3]["content"]) == pytest.approx(np.mean(layers))
    assert list(rows[0])[-4:] == [*CONTENT_COVARIATES, "reason"]
    assert all(rows[1][name] == "nan" for name in CONTENT_COVARIATES)


def test_structure_of_luminance_and_that_of_simple_fillings(run, images, weights):
    name = sites("x,y,size\n60,50,20\n12,50,20\n")
    code, out, err = run("--input", "d/one.png", "--sites", name, *CONTEXT, "--save", "t.csv",
                         "--output", "structure_luminance", "structure")  # fmt: skip
    notes, rows = table("t.csv")
    assert (code, err) == (0, "") and "BT.709" in notes["structure_luminance"]
    assert list(rows[0])[5:] == [
        "structure_luminance", "structure", *COVARIATES, *LUMINANCE_COVARIATES, "reason"
    ]  # fmt: skip
    assert out[0].split("\t")[-2:] == [rows[0]["structure_luminance"], rows[0]["structure"]]
    crop = images["one"][8:92, 18:102].astype("float32")
    hole = hole_mask((84, 84), 20)
    filled = Predictor(weights)(crop[None], hole).filled[0]
    expected = structure_luminance(filled, crop, hole).value
    assert float(rows[0]["structure_luminance"]) == pytest.approx(expected, abs=1e-5)
    expected = structure_luminance(telea_fill(crop, hole), crop, hole).value
    assert float(rows[0]["structure_luminance_telea"]) == pytest.approx(expected, abs=1e-9)
    for row in rows:
        assert row["structure_luminance_mean_fill"] == "nan" and row["reason"] == ""
        assert math.isfinite(float(row["structure_luminance_harmonic"]))
        assert math.isfinite(float(row["structure_mean_fill"]))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["square", "disc"])
def test_content_of_simple_fillings_at_sites(run, images, shape):
    """Each is the content of that filling of the crop by itself."""
    name = sites("x,y,size\n60,50,20\n150,44,20\n97,55,31\n12,50,20\n")
    code, _, err = run("--input", "d/one.png", "--sites", name, *CONTEXT, "--save", "t.csv",
                       "--output", "content", "--vgg_weights", VGG,
                       "--mask_shape", shape)  # fmt: skip
    assert (code, err) == (0, "")
    vgg = vgg_model(VGG)
    padded = np.pad(images["one"].astype("float32"), ((42, 42), (42, 42), (0, 0)))
    inside = np.pad(np.ones((100, 240)), 42)
    for row in table("t.csv")[1]:
        x, y, size = (int(row[name]) for name in ("x", "y", "size"))
        crop, there = padded[y : y + 84, x : x + 84], inside[y : y + 84, x : x + 84]
        hole = hole_mask((84, 84), size, shape)
        box = np.s_[42 - size // 2 : 42 - size // 2 + size, 42 - size // 2 : 42 - size // 2 + size]
        for name, fill in (("telea", telea_fill), ("mean_fill", mean_fill)):
            filled = fill(crop, hole * there)[box]
            expected = content(filled[None], crop[box][None], vgg).total[0]
            assert float(row[f"content_{name}"]) == pytest.approx(expected, rel=1e-4), name
        assert float(row["structure_telea"]) < 1 and "structure" not in row


def test_a_table_in_which_no_site_is_usable_says_why(run, images):
    one = ["--input", "d/one.png", "--save", "t.csv", "--mask_size", 52, "--sites"]
    code, out, err = run(*one, sites("x,y\n1,1\n,50\n"))
    notes, rows = table("t.csv")
    assert (code, out, len(err.splitlines())) == (2, [], 2) and "does not fit" in err
    assert all(math.isnan(float(row[name])) for row in rows for name in ("structure", *COVARIATES))
    assert "does not fit" in rows[0]["reason"] and rows[1]["reason"] == "x not known"
    assert [row["x"] for row in rows] == ["1", "nan"] and notes["weights_sha256"]

    # nothing of the picture itself can be read, which comes out only later
    Path("d/one.png").write_bytes(Path("d/one.png").read_bytes()[:3000])
    code, out, err = run(*one, sites("x,y\n60,50\n"), "--mask_size", 20, *CONTEXT)
    assert (code, out, len(err.splitlines())) == (2, [], 1)
    (row,) = table("t.csv")[1]
    assert math.isnan(float(row["structure"])) and row["reason"] in err


def test_wrong_numbers_in_rows_leave_the_others(run, images, weights):
    sizes = ["20", "0", "-3", "large", "2.5", "inf", "20"]
    rows = "".join(f"{'y' if i == 6 else 60},50,{size}\n" for i, size in enumerate(sizes))
    code, out, err = run("--input", "d/one.png", "--sites", sites("x,y,size\n" + rows), *CONTEXT,
                         "--save", "t.csv")  # fmt: skip
    rows = table("t.csv")[1]
    assert (code, len(out), len(rows)) == (1, 7, 7)
    expected = crop_score(weights, images["one"], 60, 50, 20)
    assert float(rows[0]["structure"]) == pytest.approx(expected, abs=1e-5)
    told = ["size 0: a number above 0", "size -3: a number above 0", "size 'large': a number",
            "size 2.5: whole pixels", "x 'y': a number"]  # fmt: skip
    bad = [row for row in rows[1:] if "line" in row["reason"]]
    assert all(math.isnan(float(row["structure"])) for row in rows[1:])
    assert len(bad) == len(told) and rows[5]["reason"] == "size not known"
    for line, row, reason in zip([3, 4, 5, 6, 8], bad, told, strict=True):
        assert f"line {line}: {reason}" in row["reason"] and row["reason"] in err


@pytest.mark.parametrize("missing", ["NA", "<NA>", "nan", "NaN", ""])
def test_missing_values_of_other_software(run, images, missing):
    rows = f"x,y,size,index\n{missing},50,20,{missing}\n60,50,{missing},0\n60,50,20,{missing}\n"
    code, _, err = run("--input", "d/one.png", "--sites", sites(rows), *CONTEXT, "--save", "t.csv")
    rows = table("t.csv")[1]
    assert code == 0, err
    assert [row["reason"] for row in rows] == ["x not known", "size not known", ""]
    assert [row["structure"] == "nan" for row in rows] == [True, True, False]


@pytest.mark.parametrize("text", ["NAN-1", "none", "N A"])
def test_other_texts_are_no_missing_values(run, images, text):
    code, _, err = run("--input", "d/one.png", "--sites", sites(f"x,y\n60,50\n{text},50\n"),
                       *CONTEXT, "--save", "t.csv", "--mask_size", 20)  # fmt: skip
    assert code == 1 and f"x '{text}': a number is right" in err


@pytest.mark.parametrize(
    "x, size, expected",
    # 0.7 * 45 is 31.5, though not in binary numbers
    [("60.5", 0.5, (61, 23)), ("60.49", 0.7, (60, 32)), ("61.5", 0.3, (62, 14))],
)
def test_halves_go_up(run, images, x, size, expected):
    code, _, err = run("--input", "d/one.png", "--sites", sites(f"x,y\n{x},50\n"), *CONTEXT,
                       "--save", "t.csv", "--mask_size", size, "--units", "deg",
                       "--pixels_per_degree", 45)  # fmt: skip
    assert code == 0, err
    (row,) = table("t.csv")[1]
    assert (int(row["x"]), int(row["size"])) == expected


def test_a_grating_has_no_slope_and_its_row_says_why(run):
    wave = np.sin(2 * np.pi * np.arange(100) / 13).astype("float32")
    np.save("g.npy", np.broadcast_to(127 + 100 * wave[:, None], (100, 100)))
    code, _, err = run("--input", "g.npy", "--sites", sites("x,y\n50,50\n"), "--mask_size", 52,
                       *CONTEXT, "--save", "t.csv")  # fmt: skip
    assert code == 0, err
    (row,) = table("t.csv")[1]
    assert row["spectral_slope"] == "nan" and row["structure"] != "nan"
    assert row["reason"] == "spectral_slope: no power at some frequencies"


@pytest.mark.slow
def test_sites_of_an_array_in_full_context(run, pictures, weights):
    np.save("s.npy", pictures)
    name = sites("x,y,index\n50,40,2\n70,60,0\n70,60,2\n")
    code, _, _ = run("--input", "s.npy", "--sites", name, "--mask_size", 20, "--context", "full",
                     "--save", "t.csv", "--save_prediction", "p.npy")  # fmt: skip
    rows = table("t.csv")[1]
    assert code == 0 and not Path("s_pred.npy").exists()
    places = [(50, 40, 2), (70, 60, 0), (70, 60, 2)]
    for row, filled, (x, y, index) in zip(rows, np.load("p.npy"), places, strict=True):
        mask = hole_mask((100, 120), 20, center=(x, y))
        expected = Predictor(weights)(pictures[index][None], mask)
        assert int(row["index"]) == index
        assert float(row["structure"]) == pytest.approx(expected.structure[0], abs=1e-5)
        # batches differ by 1.5e-5 of the spread of the raw output on torch, and that is 2700 here
        np.testing.assert_allclose(filled, expected.filled[0], atol=0.1)


def test_few_graphs_and_each_picture_read_once(run, images, monkeypatch):
    from unetpred.images import sources as images_module

    reads, graphs = [], []
    load, build = images_module.Source.load, HoleOutputs.graph
    monkeypatch.setattr(
        images_module.Source, "load", lambda self: (reads.append(self.path), load(self))[1]
    )
    monkeypatch.setattr(
        HoleOutputs, "graph", lambda self, *key: (graphs.append(key), build(self, *key))[1]
    )
    rows = "".join(f"{'one' if i % 2 else 'two'},{50 + i},50\n" for i in range(10))
    code, _, _ = run("--input", "d", "--sites", sites("image,x,y\n" + rows), *CONTEXT,
                     "--mask_size", 20, "--batch_size", 3, "--save", "t.csv")  # fmt: skip
    assert code == 0 and sorted(reads) == ["d/one.png", "d/two.png"]
    assert len(set(graphs)) == 1 and len(graphs) == 4


def test_broken_picture_is_said_once(run, images):
    Path("d/two.png").write_bytes(Path("d/two.png").read_bytes()[:3000])
    name = sites("image,x,y\ntwo,50,50\ntwo,60,50\none,60,50\n")
    code, _, err = run("--input", "d", "--sites", name, "--mask_size", 20, *CONTEXT,
                       "--save", "t.csv")  # fmt: skip
    rows = table("t.csv")[1]
    assert code == 1 and len(err.splitlines()) == 1 and "two.png" in err
    assert [math.isnan(float(row["structure"])) for row in rows] == [True, True, False]
    assert "two.png" in rows[0]["reason"]


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,b\n1,2\n", ["d/one.png"], "no column x"),
        ("x y\n1 2\n", ["d/one.png"], "separated by commas, semicolons or tabs"),
        ("x;y\n1;2;3\n", ["d/one.png"], "line 2: has 3 columns"),
        ("x;y\n1.5;1.2,3\n", ["d/one.png"], "line 2: y '1.2,3': a number is right"),
        ("x,y\n", ["d/one.png"], "no sites"),
        ("x,y\n1,two\n", ["d/one.png"], "line 2: y 'two'"),
        ("x,y\n# more\n1,2,3\n", ["d/one.png"], "line 3: has 3 columns"),
        ("x,y\n50,50\n", ["d"], "line 2: it could lie in d/one.png or d/two.png"),
        ("x,y,image\n50,50,three\n", ["d"], "'three' is none of the inputs"),
        ("x,y\n50,50\n", ["s.npy"], "a column index"),
        ("x,y,index\n50,50,7\n", ["s.npy"], "no image of index 7; 0 to"),
        ("x,y,size\n50,50,20\n", ["d/one.png", "--mask_size", "20"], "leave --mask_size away"),
        ("x,y,size\n50,50,2.5\n", ["d/one.png"], "line 2: size 2.5: whole pixels"),
        ("x,y,structure\n50,50,1\n", ["d/one.png"], "called 'structure'"),
        ("x,y\n50,50\n", ["d/one.png", "--mask_center", "1", "2"], "--mask_center"),
        ("x,y\n50,50\n", ["d/one.png", "--save", "s.csv"], "would be both"),
    ],
)
def test_bad_tables(run, images, pictures, text, arguments, message):
    np.save("s.npy", pictures)
    code, out, err = run("--sites", sites(text), "--input", *arguments)
    assert (code, out, len(err.splitlines())) == (2, [], 1) and message in err
    code, _, err = run("--input", "d/one.png", "--sites", "nosuch.csv")
    assert code == 2 and "nosuch.csv" in err


def test_an_empty_index_and_another_way_to_write_a_path(run, images):
    name = sites("image,index,x,y,size\n./d/one.png,,60,50,20\nd/one.png,,60,50,84\n")
    assert run("--input", "d/one.png", "--sites", name, *CONTEXT, "--save", "t.csv")[0] == 0
    rows = table("t.csv")[1]
    assert math.isfinite(float(rows[0]["structure"]))
    assert math.isnan(float(rows[1]["structure"]))
    assert "nothing is visible" in rows[1]["reason"]


def test_a_first_line_that_is_no_table_is_one_line(tmp_path):
    (tmp_path / "s.csv").write_text("x" * 200_000 + "\n1,2\n")
    with pytest.raises(InputError, match="is no table"):
        read_sites(tmp_path / "s.csv")


def test_a_table_in_utf_16_says_what_is_right(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes("x,y\n1,2\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"s\.csv: cannot be read .* save it as CSV in UTF-8"):
        read_sites(path)
