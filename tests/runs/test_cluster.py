"""A cluster gives the tables of one process, whatever is lost on the way."""

import logging
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from segmenters import THREE, WIDTH
from tables import table, write

import unetpred
from unetpred import Hole, InputError
from unetpred.commands.main import main
from unetpred.runs.cluster import connect, packing, worker
from unetpred.runs.cluster import run as cluster_run
from unetpred.runs.long_run import NotHere
from unetpred.runs.scoring import score_inputs as scoring
from unetpred.runs.scoring.jobs import Job

pytest.importorskip("distributed")


def same(found, expected):
    pandas.testing.assert_frame_equal(found, expected, check_exact=True)


def test_the_same_table_for_all_kinds_of_input(client, folder, weights, pictures):
    inputs = [*folder, pictures[1], Image.fromarray(pictures[2]), "nosuch.png"]
    options = {"weights": weights, "batch_size": 2, "hole": Hole(30), "covariates": True}
    found, alone = (unetpred.score(inputs, client=one, **options) for one in (client, None))
    same(found, alone)
    assert found["structure"].isna().sum() == 2
    one, other = (frame.attrs["provenance"] for frame in (found, alone))
    assert {k: v for k, v in one.items() if k != "date"} == {
        k: v for k, v in other.items() if k != "date"
    }


def _named(options):
    """Scores of the array's file, called as it is in memory."""
    table = unetpred.score("s.npy", **options)
    return table.assign(image="images")


@pytest.mark.slow
def test_sites_and_masks(client, run, weights, pictures):
    np.save("s.npy", np.concatenate([pictures, pictures[::-1]]))
    places = [(index, x, y) for y in (30, 50) for index in (5, 0, 1, 3) for x in (-9, 40, 60)]
    sites = pandas.DataFrame(places, columns=["index", "x", "y"])
    options = {"weights": weights, "batch_size": 4, "context": 90}
    given = {"sites": sites, "hole": Hole((20, 24)), **options}
    same(unetpred.score(np.load("s.npy"), client=client, **given), _named(given))
    one = np.ones((100, 120), "uint8")
    one[40:60, 30:60] = 0
    each = [np.roll(one, i, 1) for i in range(5)] + [np.ones((9, 9), "uint8")]
    Path("m").mkdir()
    for i in range(3):
        write(f"d/{i}.png", pictures[i])
        if i != 1:
            Image.fromarray(each[i] * 255).save(f"m/{i}.png")
    for inputs, mask in (("s.npy", each), ("d", "m")):
        options = {"weights": weights, "mask": mask}
        found = unetpred.score(inputs, client=client, **options)
        same(found, unetpred.score(inputs, **options))
        assert found["reason"].astype(bool).sum() == 1


def test_pixels_and_weights_are_sent_where_workers_have_none(
    client, folder, weights, monkeypatch, log
):
    log.set_level(logging.INFO, logger="unetpred")
    expected = unetpred.score(folder, weights=weights)
    taken = []

    def unpack(self, packed):
        taken.append([stamp is None for stamp in packed.stamps])
        for job, stamp in zip(packed.jobs, packed.stamps, strict=True):
            if stamp is not None:
                raise NotHere(job.source.path)
        return packed.jobs

    monkeypatch.setattr(scoring.ScoreWork, "unpack", unpack)
    monkeypatch.setattr(worker, "sha256", lambda path: "another")
    monkeypatch.setattr(worker, "_works", type(worker._works)())
    same(unetpred.score(folder, weights=weights, client=client), expected)
    assert not all(taken[0]) and all(taken[-1])
    assert "d: workers do not have it, so pixels are sent" in log.text


def test_a_file_is_known_by_its_stamp(run, pictures):
    write("a.png", pictures[0])
    (source,) = unetpred.images.sources.list_sources(["a.png"])[0].sources
    one = packing.JobPacking()
    one._scenes = packing.Uncovered()
    packed = one.pack([Job(source, 0, {})], lambda path: False, {})
    assert one.unpack(packed)[0].source is one.unpack(packed)[0].source  # and is read once
    os.utime("a.png", ns=(1, 1))
    with pytest.raises(NotHere, match=r"a\.png"):
        one.unpack(packed)
    packed = one.pack([Job(source, 0, {})], lambda path: True, {})
    np.testing.assert_array_equal(one.unpack(packed)[0].source.load(), pictures[0])
    (job,) = one.unpack(one.pack([Job(source, 0, {})], lambda path: True, {0: "it kills"}))
    with pytest.raises(InputError, match=r"a\.png: it kills"):
        job.source.load()


@contextmanager
def _yielding(client):
    yield client


@pytest.fixture
def both(client, monkeypatch, capsys, tmp_path):
    """Run a command here and on the cluster; give the folders of their results."""

    def go(*arguments, code=0):
        folders = []
        for name, where in (("one", []), ("two", ["--cluster", "x"])):
            folders.append(tmp_path / name)
            folders[-1].mkdir()
            given = [str(word).replace("OUT", str(folders[-1])) for word in arguments]
            assert main([*given, *where]) == code, capsys.readouterr().err
        return folders

    original = connect.cluster_client
    monkeypatch.setattr(
        connect, "cluster_client", lambda where: _yielding(client) if where else original(where)
    )
    return go


def same_files(one, other, apart=()):
    """Of two folders, but for when they were made."""
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*.*"))
    assert names == sorted(str(path.relative_to(other)) for path in other.rglob("*.*")) and names
    for name in set(names) - set(apart):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("context", [pytest.param(90, marks=pytest.mark.slow), "full"])
def test_maps(both, weights, pictures, tmp_path, context):
    write(tmp_path / "a.png", pictures[0])
    one, two = both(
        "map", "--input", tmp_path / "a.png", "--weights", weights, "--stride", 20,
        "--mask_size", 30, "--context", context, "--save", "OUT/m.npz", "--batch_size", 2,
    )  # fmt: skip
    same_files(one, two, ["m.npz"])
    with np.load(one / "m.npz") as mine, np.load(two / "m.npz") as theirs:
        assert np.isfinite(mine["structure"]).any()
        for name in ("structure", "reason", "x", "y"):
            np.testing.assert_array_equal(mine[name], theirs[name])


def test_features(both, folder, weights):
    one, two = both(
        "features", "--input", *folder, "--weights", weights, "--layers", "vblock1_*",
        "vblock5_*", "--pool", "mean", "--save", "OUT/f.npz", "--batch_size", 4, code=1,
    )  # fmt: skip
    with np.load(one / "f.npz") as mine, np.load(two / "f.npz") as theirs:
        assert set(mine) == set(theirs) and "vblock5_conv_1" in set(mine)
        for name in set(mine) - {"provenance"}:
            np.testing.assert_array_equal(mine[name], theirs[name])


def test_arrays_in_python(client, folder, weights, pictures):
    masks = np.ones((3, 100, 120), "uint8")
    masks[0, 20:50, 30:70] = masks[2, 60:90, 5:40] = 0  # the second hides nothing
    options = {"weights": weights, "batch_size": 2}
    layers = ["vblock1_conv_2", "vblock5_*"]
    for inputs, mask in ((pictures, None), ("s.npy", masks), (["d/0.png", "d/2.png"], masks[0])):
        found, alone = (
            unetpred.features(inputs, layers, mask=mask, client=one, **options)
            for one in (client, None)
        )
        assert list(found) == list(alone) and len(found) > 3
        for name, values in alone.items():
            np.testing.assert_array_equal(found[name], values)
    with pytest.raises(InputError, match=r"image 1.* is not finite|image 1"):
        bad = pictures.astype("float32")
        bad[1, 3, 3] = np.nan
        unetpred.features(bad, layers, client=client, **options)
    model = unetpred.load_model(weights)
    with pytest.raises(InputError, match="a network in memory is not sent"):
        unetpred.features(pictures, layers, weights=model, client=client)


def test_a_map_in_python(client, weights, pictures):
    done = []
    found, alone = (
        unetpred.predictability_map(
            pictures[0], 20, 90, 30, output=("structure_luminance",), weights=weights,
            progress=done.append, client=one,
        )
        for one in (client, None)
    )  # fmt: skip
    assert found.content is None and sum(done) == 2 * np.isfinite(found.structure).sum() > 10
    for name in ("structure", "structure_luminance", "reason", "x", "y"):
        np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


@pytest.mark.slow
@pytest.mark.parametrize("sent", [False, True])
def test_evaluations(both, photographs, weights, monkeypatch, sent):
    if sent:  # as if workers had no photographs
        monkeypatch.setattr(cluster_run._Run, "_sends", lambda self, path: True)
    one, two = both(
        "evaluate", "--weights", weights, "--data_dir", photographs, "--holes", 30, "--output",
        "structure", "--batch_size", 2, "--output_dir", "OUT", "--quiet",
    )  # fmt: skip
    for name in ("evaluation.csv", "summary.csv"):
        assert table(one / name)[1] == table(two / name)[1]
    same_files(one, two, ["evaluation.csv", "summary.csv", "summary.md"])


@pytest.mark.parametrize("sent", [pytest.param(False, marks=pytest.mark.slow), True])
def test_masks(both, folder, pictures, tmp_path, monkeypatch, sent):
    from unetpred.segmentation.network import build_segmenter
    from unetpred.segmentation.weights import save_segmenter

    save_segmenter(build_segmenter(3, WIDTH), THREE, WIDTH, tmp_path / "three.weights.h5")
    if sent:  # as if workers had no images
        monkeypatch.setattr(cluster_run._Run, "_sends", lambda self, path: True)
    first, *others = map(Image.fromarray, pictures)
    first.save("pages.tif", save_all=True, append_images=others)
    one, two = both(
        "segment", "predict", "--input", *folder, "pages.tif", "--weights",
        tmp_path / "three.weights.h5", "--overlay", "--probabilities", "npy", "--output_dir",
        "OUT", code=1,
    )  # fmt: skip
    same_files(one, two, ["segment.json"])
    assert (two / "pages_mask.tif").is_file() and (two / "s_0001_mask.png").is_file()


def test_stopped_and_gone_on_with(client, folder, run, weights, monkeypatch):
    """By the command line, with arrays and pictures; what is finished is not computed again."""
    from unetpred.runs.partial import Parts

    arguments = ["--batch_size", 2, "--save_images", "p", "--save_prediction"]
    for i in range(1, 9, 2):
        Path(f"d/{i}.png").unlink()  # of another size
    assert run("--input", "d", *arguments, "one.npy", "--save", "one.csv")[0] == 1
    drawn = {path.name: path.read_bytes() for path in Path("p").iterdir()}
    monkeypatch.setattr(connect, "cluster_client", lambda where: _yielding(client))
    add, positions = Parts.add, []

    def stopping(self, jobs):
        add(self, jobs)
        positions.extend(job.position for job in jobs)
        if len(positions) == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Parts, "add", stopping)
    arguments = ["--input", "d", *arguments, "two.npy", "--save", "two.csv", "--cluster", "x"]
    code, _, err = run(*arguments)
    assert code == 130 and "5 of 6 are finished, in two.csv.part" in err and "--resume" in err
    assert client.status == "running"  # it is not ours
    assert run(*arguments, "--resume")[0] == 1
    assert sorted(positions) == [0, 1, 2, 4, 5]
    assert table("two.csv")[1] == table("one.csv")[1]
    np.testing.assert_array_equal(np.load("two.npy"), np.load("one.npy"))
    assert {path.name: path.read_bytes() for path in Path("p").iterdir()} == drawn
