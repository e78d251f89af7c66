"""`unetpred.score`: the table of the command line, for whatever form pictures have."""

import contextlib
import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from tables import table, write

import unetpred
from unetpred import Hole, InputError, score
from unetpred.holes.masks import hole_mask
from unetpred.results.tables import write_table
from unetpred.runtime.interrupt import Stopped
from unetpred.scoring.predictor import Predictor

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())


@pytest.fixture
def of(run, weights):
    """`score` in an empty folder, with small weights."""

    def go(inputs, **options):
        return score(inputs, weights=weights, **options)

    return go


def read(path):
    """A csv, with numbers where a column has nothing else."""
    rows = table(path)[1]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in set(columns) - {"image", "reason"}:
        with contextlib.suppress(ValueError):
            columns[name] = [float(value or "nan") for value in columns[name]]
    return pandas.DataFrame(columns)


def assert_same(found, path):
    """Equal to the csv: columns, order, digits, provenance but for what was called when."""
    pandas.testing.assert_frame_equal(found, read(path), check_exact=True, check_dtype=False)
    notes, mine = table(path)[0], found.attrs["provenance"]
    assert list(mine) == list(notes)
    for name in set(notes) - {"date", "command"}:
        assert mine[name] == notes[name], name


def test_a_folder_and_an_array_as_on_the_command_line(run, of, pictures):
    for i, picture in enumerate(pictures):
        write(f"d/{i}.png", picture)
    write("d/1b.png", pictures[1][:90, :100])
    Path("d/2b.png").write_text("no picture")
    np.save("s.npy", pictures)
    options = ["--mask_size", 30, "--mask_shape", "disc", "--mask_center", 50, 40]
    of(["d", "s.npy"])
    assert {path.name for path in Path().iterdir()} == {"d", "s.npy"}  # nothing beside inputs
    code, _, _ = run("--input", "d", "s.npy", "nosuch.png", *options, "--save", "t.csv",
                     "--output", "content", "structure", "--vgg_weights", VGG)  # fmt: skip
    found = of(
        ["d", "s.npy", "nosuch.png"],
        output=("content", "structure"),
        hole=Hole(30, "disc", (50, 40)),
        vgg_weights=VGG,
    )
    assert code == 1 and found.attrs["provenance"]["command"].startswith("unetpred.score(['d', ")
    assert_same(found, "t.csv")
    assert [bool(reason) for reason in found["reason"]] == [False] * 4 + [True] + [False] * 3 + [
        True
    ]


@pytest.mark.slow
def test_every_form_of_the_same_pictures(of, pictures):
    for i, picture in enumerate(pictures):
        write(f"d/{i}.png", picture)
    np.save("s.npy", pictures)
    expected = of("s.npy")["structure"].to_numpy()
    opened = [Image.open(f"d/{i}.png") for i in range(3)]
    forms = {
        "folder": "d",
        "paths": [Path(f"d/{i}.png") for i in range(3)],
        "series": pandas.Series([f"d/{i}.png" for i in range(3)]),
        "array": pictures,
        "floats": pictures.astype("float64"),
        "16 bits": pictures.astype("uint16") * 257,
        "list": list(pictures),
        "opened": opened,
        "PIL": [Image.fromarray(picture).convert("RGBA") for picture in pictures],
        "mixed": ["d/0.png", pictures[1], Image.fromarray(pictures[2])],
    }
    for name, given in forms.items():
        found = of(given)
        np.testing.assert_allclose(found["structure"], expected, atol=1e-5, err_msg=name)
    assert of(opened)["image"].tolist() == [f"d/{i}.png" for i in range(3)]
    mixed = of(forms["mixed"])
    assert mixed["image"].tolist() == ["d/0.png", "images", "images"]
    assert mixed["index"].tolist()[1:] == [0, 1] and math.isnan(mixed["index"][0])
    assert of(pictures)["index"].tolist() == [0, 1, 2]
    for one in (pictures[0], Image.fromarray(pictures[0]), "d/0.png"):
        assert of(one)["structure"][0] == pytest.approx(expected[0], abs=1e-5)


def test_grey_pictures_of_mixed_sizes(of, pictures, weights):
    grey = [pictures[0][..., 0], pictures[1][:90, :100, 1], pictures[2]]
    found = of([*grey, Image.fromarray(grey[0]), pictures[:2, ..., 0]])
    three = np.repeat(grey[0][..., None], 3, axis=-1)
    expected = Predictor(weights)(three[None]).structure[0]
    assert found["structure"][0] == pytest.approx(expected, abs=1e-5)
    assert found["structure"][3] == pytest.approx(expected, abs=1e-5)
    assert found["structure"][4] == pytest.approx(expected, abs=1e-5)
    assert found["index"].tolist() == list(range(6)) and found["reason"].tolist() == [""] * 6


def test_bad_items_keep_their_rows(of, pictures, log):
    small, wrong = pictures[0][:50], np.zeros((90, 90, 2, 2, 2))
    nan = pictures[1].astype("float32")
    nan[0, 0, 0] = np.nan
    found = of([pictures[0], small, nan, wrong, "no.png", pictures[2]])
    assert [bool(reason) for reason in found["reason"]] == [False, True, True, True, True, False]
    assert found["structure"].isna().tolist() == [False, True, True, True, True, False]
    for row, words in ((1, "images: image 1: is 120x50"), (2, "NaN"), (3, "shape"), (4, "no.png")):
        assert words in found["reason"][row]
    assert "4 of 6 could not be scored" in log.text and log.text.count("\n") == 1


def test_sites_of_a_table_in_memory(run, of, pictures):
    write("d/one.png", pictures[0])
    write("d/two.png", pictures[1])
    rows = "cell,image,x,y,size\n7,two,50.4,49.6,20\n8,one.png,60,50,31\n9,two,5,5,20\n"
    Path("s.csv").write_text(rows)
    code, _, _ = run("--input", "d", "--sites", "s.csv", "--context", 84, "--save", "t.csv")
    found = of("d", sites="s.csv", context=84)
    assert code == 0 and found["cell"].tolist() == [7, 8, 9]
    assert_same(found, "t.csv")
    again = of("d", sites=pandas.read_csv("s.csv"), context=84)
    del found.attrs["provenance"], again.attrs["provenance"]
    pandas.testing.assert_frame_equal(again, found, check_exact=True)
    assert "does not fit" in found["reason"][2]
    sites = pandas.DataFrame({"x": [60, None], "y": [50, 50], "index": [1, 0]})
    found = of(list(pictures), sites=sites, hole=Hole((20, 30)), context="full")
    assert found[["index", "size"]].to_numpy().tolist() == [[1, 20], [1, 30], [0, 20], [0, 30]]
    assert found["reason"].tolist() == ["", "", "x not known", "x not known"]


def test_sites_in_degrees_are_from_the_centre_right_and_up(run, of, pictures):
    write("a.png", pictures[0])
    Path("deg.csv").write_text("x_deg,y_deg,size\n-0.5,0.25,1\n0,0,1.5\n,0,1\n")
    found = of("a.png", sites="deg.csv", hole=Hole(units="deg"), pixels_per_degree=20, context=84)
    assert found[["x", "y", "size"]].to_numpy()[:2].tolist() == [[50, 45, 20], [60, 50, 30]]
    assert found["x_deg"].tolist()[:2] == [-0.5, 0] and found["size_deg"].tolist()[:2] == [1, 1.5]
    assert found["reason"][2] == "x_deg not known" and math.isnan(found["x"][2])
    same = of("a.png", sites=pandas.DataFrame({"x": [50], "y": [45], "size": [20]}), context=84)
    assert same["structure"][0] == pytest.approx(found["structure"][0], abs=1e-6)
    run("--input", "a.png", "--sites", "deg.csv", "--units", "deg", "--pixels_per_degree", 20,
        "--context", 84, "--save", "t.csv")  # fmt: skip
    assert_same(found, "t.csv")
    with pytest.raises(InputError, match="x_deg and y_deg need `pixels_per_degree`"):
        of("a.png", sites="deg.csv")


@pytest.mark.slow
def test_masks_in_every_form(of, pictures):
    for name in "abc":
        write(f"d/{name}.png", pictures["abc".index(name)])
    masks = np.stack([hole_mask((100, 120), size) for size in (20, 40, 30)])
    np.save("m.npy", masks)
    for name, mask in zip("abc", masks, strict=True):
        write(f"m/{name}.png", (mask * 255).astype("uint8"))
    expected = of("d", mask="m.npy")["structure"]
    forms = {"stack": masks, "list": list(masks), "folder": "m",
             "paths": [f"m/{name}.png" for name in "abc"]}  # fmt: skip
    for name, mask in forms.items():
        found = of("d", mask=mask)
        np.testing.assert_array_equal(found["structure"], expected, err_msg=name)
    assert found["structure"][1] == pytest.approx(of("d", hole=Hole(40))["structure"][1], abs=1e-5)
    one = of("d", mask=masks[1])
    assert one["structure"][1] == pytest.approx(expected[1], abs=1e-6)
    mixed = of([pictures[0], pictures[1][:90]], mask=[masks[0], masks[1][:90]])
    assert mixed["structure"][0] == pytest.approx(expected[0], abs=1e-5)
    holed = masks.astype("float32")
    holed[1, 0, 0] = np.nan  # costs its own image alone
    assert of("d", mask=holed)["structure"].isna().tolist() == [False, True, False]
    Path("m/b.png").unlink()
    found = of("d", mask="m")
    assert "d/b.png: m: has no mask of this image" in found["reason"][1]
    assert found["structure"].isna().tolist() == [False, True, False]


def test_covariates_without_sites(run, of, pictures):
    write("a.png", pictures[0])
    found = of("a.png", covariates=True, context=84, hole=Hole(20))
    assert run("--input", "a.png", "--covariates", "--context", 84, "--mask_size", 20,
               "--save", "t.csv")[0] == 0  # fmt: skip
    assert_same(found, "t.csv")
    sites = pandas.DataFrame({"x": [60], "y": [50], "size": [20]})
    at = of("a.png", sites=sites, context=84)
    shared = ["structure", "rms_contrast", "spectral_slope", "structure_telea"]
    np.testing.assert_allclose(found[shared], at[shared], rtol=1e-6)


def test_saved_tables_hold_the_same(run, of, pictures):
    for ending in ("csv", "json", "parquet"):
        found = of(pictures, save=f"t.{ending}", hole=Hole(30))
    assert {path.name for path in Path().iterdir()} == {"t.csv", "t.json", "t.parquet"}
    assert_same(found, "t.csv")
    back = pandas.read_parquet("t.parquet")
    pandas.testing.assert_frame_equal(back, found, check_exact=True)
    assert back.attrs["provenance"]["hole"] == "square of 30 px, centred"
    rows = json.loads(Path("t.json").read_text())["rows"]
    assert [row["structure"] for row in rows] == found["structure"].tolist()
    np.save("s.npy", pictures)
    assert run("--input", "s.npy", "--mask_size", 30, "--save", "c.parquet")[0] == 0
    mine = pandas.read_parquet("c.parquet")
    assert mine["structure"].tolist() == found["structure"].tolist()


def test_parquet_takes_columns_of_several_types(tmp_path):
    rows = [
        {"image": f"{name}.png", "index": None, "cell": cell, "reason": ""}
        for name, cell in (("a", 7), ("b", "left"), ("c", float("nan")))
    ]
    write_table(tmp_path / "t.parquet", rows, {"unetpred": "0"})
    back = pandas.read_parquet(tmp_path / "t.parquet")["cell"]
    assert back[:2].tolist() == ["7", "left"] and pandas.isna(back[2])


def test_parquet_without_pyarrow_is_one_line(of, pictures, monkeypatch):
    monkeypatch.setattr("unetpred.runs.scoring.outputs.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"t\.parquet: needs pyarrow"):
        of(pictures, save="t.parquet")


@pytest.mark.slow
def test_interrupted_and_gone_on_with(of, pictures, monkeypatch):
    stack, images = np.concatenate([pictures, pictures[:, ::-1]]), []
    original = Predictor.score

    def counted(self, given, *args, **kwargs):
        images.append(len(given))
        if len(images) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(self, given, *args, **kwargs)

    monkeypatch.setattr(Predictor, "score", counted)
    with pytest.raises(Stopped, match=r"4 of 6 are finished, in t\.csv\.part; .*resume=True"):
        of(stack, save="t.csv", batch_size=2)
    found = of(stack, save="t.csv", batch_size=2, resume=True)
    assert images == [2, 2, 2] and not Path("t.csv.part").exists()
    images += [0, 0]
    pandas.testing.assert_frame_equal(found, of(stack, batch_size=2), check_exact=True)
    images.clear()
    with pytest.raises(KeyboardInterrupt):
        of(stack, save="t.csv", batch_size=2)
    other = stack.copy()
    other[0, 0, 0] ^= 1
    of(other, save="t.csv", batch_size=2, resume=True)
    assert images == [2, 2, 2, 2]  # the changed one's batch again, and the one that was left


def test_progress(of, pictures):
    seen = []
    of(pictures, batch_size=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hole": Hole(300)}, "does not fit"),
        ({"hole": 40}, r"unetpred\.Hole"),
        ({"output": "beauty"}, "`output` 'beauty'"),
        ({"hole": Hole(40), "mask": np.zeros((3, 3))}, "nothing is visible"),
        ({"hole": Hole(40), "mask": hole_mask((100, 120))}, "`mask` gives the whole hole"),
        ({"hole": Hole(1, units="deg")}, "`units` deg needs `pixels_per_degree`"),
        ({"hole": Hole((20, 30))}, "one size is right without `sites`"),
        ({"context": 83}, "`context` 83: at least 84"),
        ({"pixels_per_degree": 0}, "`pixels_per_degree` 0"),
        ({"batch_size": 0}, "`batch_size` 0"),
        ({"batch_size": 2.5}, r"`batch_size` 2\.5: a whole number"),
        ({"sites": {"x": [60], "y": [50]}}, "sites: dict is no table"),
        ({"resume": True}, "`resume` needs a table"),
        ({"save": "t.txt"}, r"\.csv or \.json or \.parquet"),
        ({"sites": pandas.DataFrame({"a": [1]})}, "sites: has no column x"),
        ({"sites": pandas.DataFrame({"x": [60], "y": [50]})}, "a column index"),
        ({"client": object()}, "`client`"),
        ({"mask": "nosuch.npy"}, r"nosuch\.npy"),
        ({"mask": hole_mask((100, 120))[..., None] ** [0, 1, 1]}, "mask: hides some colours"),
    ],
)
def test_bad_arguments(of, pictures, options, message):
    with pytest.raises(InputError, match=message):
        of(pictures, **options)


def test_bad_inputs(of, pictures):
    for given, message in (
        ("no.png", r"no\.png: no such file"),
        (["no.png", "none.png"], r"no\.png.*1 more"),
        ([], "none were given"),
        (7, "int is neither"),
        (b"a.png", "bytes is neither"),
        ({"a.png": 1}, "dict is neither"),
        (np.zeros((50, 50)), "at least 84x84"),
        (np.array(["no.png"]), r"no\.png"),
    ):
        with pytest.raises(InputError, match=message) as error:
            of(given)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_predictor_maps_and_features_take_the_same(weights, pictures, tmp_path):
    write(tmp_path / "a.png", pictures[0])
    predictor = Predictor(weights)
    expected = predictor(pictures)
    mixed = [tmp_path / "a.png", pictures[1][:90], Image.fromarray(pictures[2])]
    result = predictor(mixed)
    assert [picture.shape for picture in result.filled] == [
        (100, 120, 3), (90, 120, 3), (100, 120, 3)
    ]  # fmt: skip
    np.testing.assert_allclose(result.structure[[0, 2]], expected.structure[[0, 2]], atol=1e-5)
    frame = result.to_frame()
    assert list(frame) == ["image", "index", "structure", "reason"]
    assert frame["image"].tolist() == [str(tmp_path / "a.png"), "images", "images"]
    assert frame["structure"].tolist() == result.structure.tolist()
    masks = [hole_mask((100, 120), 30), hole_mask((90, 120), 40), hole_mask((100, 120), 20)]
    own = predictor(mixed, masks)
    alone = predictor(pictures[2], masks[2])
    assert own.structure[2] == pytest.approx(alone.structure[0], abs=1e-5)
    Image.fromarray((masks[1] * 255).astype("uint8")).save(tmp_path / "m.png")
    from_files = predictor(mixed, [masks[0], tmp_path / "m.png", masks[2]])
    np.testing.assert_array_equal(from_files.structure, own.structure)
    with pytest.raises(InputError, match="mask 1: has shape"):
        predictor(mixed, [masks[0], masks[0], masks[0]])
    network = unetpred.load_model(weights)
    for given in (tmp_path / "a.png", pictures[0], Image.fromarray(pictures[0]), [pictures[0]]):
        found = unetpred.features(given, "block10", weights=network)["block10"]
        assert found.shape == (1, 128, 128, 3)
        shown = unetpred.predictability_map(given, 40, 96, 20, predictor=predictor)
        assert shown.structure.shape == (3, 3)
    frame = shown.to_frame()
    assert list(frame) == ["x", "y", "structure", "reason"] and len(frame) == 9
    np.testing.assert_array_equal(frame["structure"], shown.structure.ravel())
    assert frame.query("x == 80 and y == 40")["structure"].item() == shown.structure[1, 2]


def test_a_map_with_named_axes(weights, pictures):
    xarray = pytest.importorskip("xarray")
    shown = unetpred.predictability_map(pictures[0], 40, 96, 20, predictor=Predictor(weights))
    named = shown.to_xarray()
    assert isinstance(named, xarray.Dataset) and named["structure"].dims == ("y", "x")
    assert float(named["structure"].sel(x=80, y=40)) == shown.structure[1, 2]
    assert "content" not in named


@pytest.mark.slow
def test_python_is_silent(weights, pictures, tmp_path):
    write(tmp_path / "a.png", pictures[0])
    code = (
        "import unetpred\n"
        f"unetpred.Predictor({weights!r})({str(tmp_path / 'a.png')!r})\n"
        f"table = unetpred.score({str(tmp_path / 'a.png')!r}, weights={weights!r})\n"
        "assert len(table) == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_structure_of_luminance_of_mixed_sizes(of, pictures, weights):
    given = [pictures[0], pictures[1][:90, :100], pictures[2]]
    output = ("structure", "structure_luminance")
    found = of(given, output=output)
    frame = Predictor(weights)(given, output=output).to_frame()
    for name in output:
        np.testing.assert_allclose(frame[name], found[name], atol=1e-5)
    assert (abs(found["structure"] - found["structure_luminance"]) > 1e-3).all()
    with pytest.raises(InputError, match="is not one of structure, structure_luminance, content"):
        of(given, output=("luminance",))
