"""`unetpred segment evaluate`: of weights, of masks of any program; what does not fit is named."""

import csv
import json

import numpy as np
import pytest
from cells import cells, write_cells, write_indexed
from PIL import Image

from unetpred.segmentation import Segmenter, evaluate


def scores_of(folder):
    return json.loads((folder / "scores.json").read_text())


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path):
    return write_cells(tmp_path / "data", 3)


@pytest.mark.slow
def test_weights_and_their_masks(data, files, segment, tmp_path):
    """The scores of weights are those of the masks that they give."""
    out = tmp_path / "scores"
    code, lines, err = segment(
        "evaluate", "--input", data / "image", "--labels", data / "label", "--weights", files[2],
        "--output_dir", out, "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "") and lines[0].startswith("pixel_accuracy\t")
    scores = scores_of(out)
    segmenter = Segmenter(files[2])
    pairs = [cells(i) for i in range(3)]
    masks = np.stack([segmenter(image) for image, _ in pairs])
    expected = evaluate(np.stack([label for _, label in pairs]), masks)
    for name in ("pixel_accuracy", "mean_class_accuracy", "mean_iou", "v_rand"):
        assert scores[name] == pytest.approx(expected[name])
    for name in ("iou", "f1", "precision", "recall", "share"):
        assert list(scores[name].values()) == pytest.approx(list(expected[name]), nan_ok=True)
        assert list(scores[name]) == ["between", "cell"]
    assert scores["threshold"] == 0.5 and len(scores["sweep"]) == 19
    half = next(row for row in scores["sweep"] if row["threshold"] == 0.5)
    assert half["v_rand"] == pytest.approx(expected.v_rand)
    assert half["iou"] == pytest.approx(expected.iou[1])
    counts = [
        [int(row[name]) for name in ("between", "cell")] for row in rows_of(out / "confusion.csv")
    ]
    np.testing.assert_array_equal(counts, expected.confusion[:, :2])
    table = rows_of(out / "per_image.csv")
    assert [row["image"].rsplit("/", 1)[1] for row in table] == ["0.png", "1.png", "2.png"]
    assert np.mean([float(row["pixel_accuracy"]) for row in table]) == pytest.approx(
        expected.pixel_accuracy
    )
    low, high = scores["intervals"]["pixel_accuracy"]
    assert low <= scores["pixel_accuracy"] <= high
    assert len(list((out / "overlays").glob("*.png"))) == 3
    assert Image.open(out / "confusion.png").size[0] > 300
    assert scores["provenance"]["weights_sha256"]

    segment("predict", "--input", data / "image", "--weights", files[2], "--output_dir",
            tmp_path / "masks", "--overlay", "--quiet")  # fmt: skip
    code, _, err = segment(
        "evaluate", "--masks", tmp_path / "masks", "--labels", data / "label", "--output_dir",
        tmp_path / "again", "--quiet",
    )  # fmt: skip
    assert code == 0
    again = scores_of(tmp_path / "again")
    assert again["v_rand"] == scores["v_rand"] and again["mean_iou"] == scores["mean_iou"]
    assert again["sweep"] == [] and again["threshold"] is None


def write_three(folder, masks=True):
    rng = np.random.default_rng(3)
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    pairs = []
    for name in ("label", "mask"):
        (folder / name).mkdir(parents=True)
    for index in range(4):
        truth = rng.integers(0, 3, (20 + index, 30)).astype("uint8")
        mask = np.where(rng.random(truth.shape) < 0.8, truth, 0).astype("uint8")
        truth[:2] = 255
        padded = np.zeros((256, 3), "uint8")
        padded[:3] = colours
        write_indexed(folder / "label" / f"{index}.png", truth, padded)
        write_indexed(folder / "mask" / f"{index}.png", mask, padded)
        pairs.append((truth, mask))
    return pairs


def test_masks_of_any_program(segment, tmp_path):
    pairs = write_three(tmp_path)
    (tmp_path / "names.txt").write_text("ground\nsky\nroad\n")
    code, lines, err = segment(
        "evaluate", "--masks", tmp_path / "mask", "--labels", tmp_path / "label", "--void", 255,
        "--classes", tmp_path / "names.txt", "--output_dir", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    scores = scores_of(tmp_path / "out")
    truth = np.concatenate([t.ravel() for t, _ in pairs])[None]
    mask = np.concatenate([m.ravel() for _, m in pairs])[None]
    expected = evaluate(truth, mask, void=255)
    assert scores["mean_iou"] == pytest.approx(expected.mean_iou)
    assert scores["iou"] == pytest.approx(
        dict(zip(("ground", "sky", "road"), expected.iou, strict=True))
    )
    assert "v_rand" not in scores and scores["absent"] == []
    one = scores["all_one_class"]
    assert one["pixel_accuracy"] == pytest.approx(expected.share.max())
    assert one["class"] == ("ground", "sky", "road")[expected.share.argmax()]
    assert any("all " in line for line in lines)


def test_probabilities_of_other_programs(data, segment, tmp_path, rng):
    """Grey levels are taken as probabilities of class 1, and swept."""
    (tmp_path / "masks").mkdir()
    for index in range(3):
        _, label = cells(index)
        grey = np.clip(label * 160.0 + rng.normal(50, 40, label.shape), 0, 255).astype("uint8")
        Image.fromarray(grey).save(tmp_path / "masks" / f"{index}.png")
    code, _, _ = segment(
        "evaluate", "--masks", tmp_path / "masks", "--labels", data / "label", "--output_dir",
        tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert code == 0
    scores = scores_of(tmp_path / "out")
    shares = [np.asarray(Image.open(tmp_path / "masks" / f"{i}.png")) / 255 for i in range(3)]
    expected = evaluate(
        np.stack([cells(i)[1] for i in range(3)]), np.stack([s >= 0.5 for s in shares])
    )
    assert scores["mean_iou"] == pytest.approx(expected.mean_iou)
    assert scores["threshold"] == 0.5 and len(scores["sweep"]) == 19
    best = max(scores["sweep"], key=lambda row: row["v_rand"])
    assert scores["best_threshold"] == best["threshold"]
    steady = next(r for r in scores["sweep"] if r["threshold"] == scores["steady_threshold"])
    assert steady["v_rand"] >= best["v_rand"] - 0.01
    low, high = scores["intervals"]["v_rand"]
    assert low <= scores["v_rand"] <= high and high > low


@pytest.mark.parametrize("stack", [True, False])
def test_floats_are_probabilities(segment, tmp_path, rng, stack):
    """As the submissions to ISBI's challenge were; a mask of 0 and 1 among them is swept too."""
    label = np.stack([cells(i)[1] for i in range(3)])
    shares = np.clip(label * 0.6 + rng.normal(0.2, 0.15, label.shape), 0, 1).astype("float32")
    shares[2] = label[2]
    (tmp_path / "m").mkdir()
    (tmp_path / "l").mkdir()
    for index in range(3):
        Image.fromarray(shares[index]).save(tmp_path / "m" / f"{index}.tif")
        Image.fromarray(label[index] * 255).save(tmp_path / "l" / f"{index}.png")
    for name, parts in (("m.tif", shares), ("l.tif", label * 255)):
        pages = [Image.fromarray(part) for part in parts]
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    masks, labels = ("m.tif", "l.tif") if stack else ("m", "l")
    arguments = ("evaluate", "--masks", tmp_path / masks, "--labels", tmp_path / labels,
                 "--output_dir", tmp_path / "out", "--quiet")  # fmt: skip
    code, _, err = segment(*arguments, "--threshold", 0.4)
    assert (code, err) == (0, "")
    scores = scores_of(tmp_path / "out")
    expected = evaluate(label, (shares >= 0.4).astype(int))
    assert scores["v_rand"] == expected.v_rand and scores["threshold"] == 0.4
    assert scores["mean_iou"] == pytest.approx(expected.mean_iou)
    for row in scores["sweep"][::6]:
        expected = evaluate(label, (shares >= row["threshold"]).astype(int))
        assert row["v_rand"] == expected.v_rand
        assert row["iou"] == pytest.approx(expected.iou[1])
    code, _, err = segment(*arguments, "--threshold", 40)
    assert code == 2 and "threshold is 40" in err
    Image.fromarray(shares[0] * 255).save(tmp_path / "m" / "0.tif")
    if not stack:
        code, _, err = segment(*arguments)
        assert code == 2 and "0.tif: has values from 0 to 255; floats are taken" in err


def test_stacks(files, segment, tmp_path):
    pairs = [cells(i) for i in range(2)]
    for name, parts in (
        ("i.tif", [image for image, _ in pairs]),
        ("l.tif", [label * 255 for _, label in pairs]),
    ):
        pages = [Image.fromarray(part) for part in parts]
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    code, _, err = segment(
        "evaluate", "--input", tmp_path / "i.tif", "--labels", tmp_path / "l.tif", "--weights",
        files[2], "--output_dir", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    segment("predict", "--input", tmp_path / "i.tif", "--weights", files[2], "--output_dir",
            tmp_path, "--quiet")  # fmt: skip
    code, _, err = segment(
        "evaluate", "--masks", tmp_path / "i_mask.tif", "--labels", tmp_path / "l.tif",
        "--output_dir", tmp_path / "again", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert scores_of(tmp_path / "out")["v_rand"] == scores_of(tmp_path / "again")["v_rand"]


def test_what_does_not_fit(data, files, segment, tmp_path):
    out = ("--output_dir", tmp_path / "out", "--quiet")
    labels = ("--labels", data / "label")
    for arguments, problem in (
        (("--masks", data / "label", "--weights", files[2], *labels), "not both"),
        ((*labels,), "give --weights for --input, or --masks"),
        (("--weights", files[2], *labels), "give --input"),
        (("--masks", data / "label"), "give --labels"),
        (("--masks", tmp_path / "none", *labels), "is not a folder"),
        (("--input", data / "image", "--weights", "none", *labels), "is not a file of weights"),
    ):
        code, _, err = segment("evaluate", *arguments, *out)
        assert code == 2 and problem in err and "Traceback" not in err
    write_three(tmp_path / "three")
    code, _, err = segment(
        "evaluate", "--masks", tmp_path / "three/mask", "--labels", tmp_path / "three/label", *out
    )
    assert code == 2 and "--void 255" in err
    Image.fromarray(np.zeros((9, 9), "uint8")).save(tmp_path / "three/mask/1.png")
    code, _, err = segment(
        "evaluate", "--masks", tmp_path / "three/mask", "--labels", tmp_path / "three/label",
        "--void", 255, *out,
    )  # fmt: skip
    assert code == 2 and "mask/1.png: is 9x9 px" in err and "label/1.png is 30x21" in err
    (tmp_path / "three/mask/2.png").unlink()
    code, _, err = segment(
        "evaluate", "--masks", tmp_path / "three/mask", "--labels", tmp_path / "three/label", *out
    )
    assert code == 2 and "2.png is looked for" in err


def write_pairs(folder, labels, masks, stems="ab"):
    """Folders label/ and mask/ of grey levels; what evaluates them."""
    for name, images in (("label", labels), ("mask", masks)):
        (folder / name).mkdir()
        for stem, image in zip(stems, images, strict=True):
            Image.fromarray(image).save(folder / name / f"{stem}.png")
    return ("evaluate", "--masks", folder / "mask", "--labels", folder / "label", "--output_dir",
            folder / "out", "--quiet")  # fmt: skip


def test_grey_levels_are_told_by_all_masks(segment, tmp_path):
    """One where nothing was found has levels 0 and 1, which are no classes."""
    label = cells(0)[1]
    nothing = np.indices(label.shape).sum(0).astype("uint8") % 2
    arguments = write_pairs(tmp_path, [label, 0 * label], [20 + 200 * label, nothing])
    assert segment(*arguments)[0] == 0
    assert scores_of(tmp_path / "out")["pixel_accuracy"] == 1


def test_a_class_more_in_masks_is_no_probability(segment, tmp_path):
    label = cells(0)[1]
    other = label.copy()
    other[:9] = 2
    arguments = write_pairs(tmp_path, [label, label], [label, other])
    code, _, err = segment(*arguments)
    assert code == 2 and "mask/b.png: has the value 2, and the labels have two classes" in err
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    assert segment(*arguments, "--classes", tmp_path / "names.txt")[0] == 0
    scores = scores_of(tmp_path / "out")
    assert scores["pixel_accuracy"] == pytest.approx(1 - 9 / (2 * len(label)))
    assert scores["absent"] == ["c"]


def test_classes_that_are_called_as_columns_are(segment, tmp_path):
    label = np.repeat(np.arange(3, dtype="uint8"), 30).reshape(9, 10)
    mask = label.copy()
    mask[0] = 2
    arguments = write_pairs(tmp_path, [label, label], [label, mask])
    (tmp_path / "names.txt").write_text("none\nlabel\nsky\n")
    assert segment(*arguments, "--classes", tmp_path / "names.txt")[0] == 0
    lines = (tmp_path / "out" / "confusion.csv").read_text().splitlines()
    assert lines == ["label,none,label,sky", "none,50,0,10", "label,0,60,0", "sky,0,0,60"]


def test_names_of_pictures_and_numbers_out_of_range(segment, tmp_path):
    label = cells(0)[1]
    arguments = write_pairs(tmp_path, [label] * 2, [label] * 2, ["scan page 3", "in page 2 of"])
    assert segment(*arguments)[0] == 0
    pictures = sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir())
    assert pictures == ["in page 2 of.png", "scan page 3.png"]
    for name in ("overlays", "seed"):
        code, _, err = segment(*arguments, f"--{name}", -1)
        assert code == 2 and f"{name} is -1; 0 or more is needed" in err
