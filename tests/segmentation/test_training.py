"""Training: what it leaves, kill and resume, one's own data, what cannot be trained on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cells import cells, write_cells
from PIL import Image
from training_runs import assert_same_state, state_of

import unetpred
from unetpred.errors import InputError
from unetpred.segmentation import SegmentationConfig, Segmenter, train
from unetpred.segmentation.data.classes import IGNORED
from unetpred.segmentation.network import build_segmenter
from unetpred.segmentation.training.config import SegmentationConfig as Config
from unetpred.segmentation.training.task import Segmenting

ROOT = Path(__file__).parents[2]
SMALL = {"image_size": 32, "batch_size": 2, "epochs": 2, "steps_per_epoch": 8, "width": 0.0625}
SMALL |= {"checkpoint_interval": 8, "log_interval": 4, "val_interval": 8, "augmentation": "turned"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("cells"))


def command(data, folder, *more):
    options = {"images": data / "image", "labels": data / "label", "checkpoint_dir": folder}
    words = [str(w) for name, value in {**options, **SMALL}.items() for w in (f"--{name}", value)]
    return [sys.executable, "-m", "unetpred", "segment", "train", *words, *map(str, more)]


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """A run of 16 steps; beside it one that is killed after step 8, and gone on with."""
    folder = tmp_path_factory.mktemp("runs")
    killed = subprocess.Popen(
        command(data, folder / "killed"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    run = train(
        images=str(data / "image"),
        labels=str(data / "label"),
        checkpoint_dir=str(folder / "straight"),
        **SMALL,
    )
    end = time.monotonic() + 240
    while not (folder / "killed" / "last.weights.h5").exists():
        assert killed.poll() is None and time.monotonic() < end, killed.communicate()[1]
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    return run


@pytest.mark.slow
def test_killed_and_resumed_equals_straight(straight, data):
    folder = straight.folder.parent / "killed"
    done = subprocess.run(
        command(data, folder, "--resume"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == f"{folder / 'best.weights.h5'}\theld-out IoU {straight.best:.4f}\n"
    assert_same_state(state_of(folder), state_of(straight.folder))
    histories = []
    for one in (folder, straight.folder):
        with (one / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        histories.append(
            [
                [row[c] for c in ("step", "loss", "lr", "foreground_iou", "pixel_accuracy")]
                for row in rows
            ]
        )
    assert histories[0] == histories[1] and [row[0] for row in histories[0]] == [
        "0",
        "4",
        "8",
        "12",
        "16",
    ]
    image = cells(0)[0]
    a, b = (
        Segmenter(one / "last.weights.h5").probabilities(image) for one in (folder, straight.folder)
    )
    np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_what_a_run_leaves(straight):
    folder = straight.folder
    about = json.loads((folder / "config.json").read_text())
    assert about["training_images"] == 3 and about["held_out_images"] == 1
    assert about["of_classes"] == ["0", "1"] and about["steps"] == 16
    width, height = Image.open(folder / "preview.png").size
    assert width == 3 * 80 and 72 < height < 72 + 80  # and what was measured above
    assert Image.open(folder / "augmented.png").size == (64, 8 * 32)
    assert list((folder / "tensorboard").iterdir())
    segmenter = Segmenter(folder / "best.weights.h5")
    assert segmenter.classes.values == (0, 255) and segmenter.about["width"] == 0.0625


@pytest.mark.slow
def test_what_ships_is_what_was_measured(straight):
    """The best IoU of class 1 is that of the network that is left."""
    from unetpred.segmentation.measures import evaluate

    segmenter = Segmenter(straight.folder / "last.weights.h5")
    held = straight.task.held_out[0]
    found = evaluate(held.label, segmenter(held.image), void=IGNORED)
    with (straight.folder / "history.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["foreground_iou"]) == pytest.approx(found.iou[1], abs=2e-3)
    assert float(last["pixel_accuracy"]) == pytest.approx(found.pixel_accuracy, abs=2e-3)


@pytest.mark.slow
def test_a_finished_run(straight, data, caplog):
    again = train(
        images=str(data / "image"),
        labels=str(data / "label"),
        checkpoint_dir=str(straight.folder),
        resume=True,
        **SMALL,
    )
    assert again.step == 16


class Own(unetpred.segmentation.Dataset):
    """Three classes: ground, cells, and what is bright in them."""

    void = 9

    def __len__(self):
        return 3

    def __getitem__(self, index):
        image, label = cells(index)
        label = label + (label & (image > 175))
        label[:4] = 9
        return np.repeat(image[..., None], 3, -1), label


@pytest.mark.slow
def test_own_data(tmp_path):
    settings = {**SMALL, "epochs": 1, "steps_per_epoch": 3, "dice": 0.5}
    run = train(Own(), Own(), checkpoint_dir=str(tmp_path), class_weights="balanced", **settings)
    assert run.step == 3 and len(run.task.classes) == 3
    segmenter = Segmenter(tmp_path / "last.weights.h5")
    assert segmenter.probabilities(cells(0)[0]).shape == (72, 80, 3)
    images, labels, names = run.task.batch(0, False)
    assert images.shape == (2, 32, 32, 3) and set(np.unique(labels)) <= {0, 1, 2, IGNORED}
    assert names[0].startswith("Own ")
    with pytest.raises(TypeError, match="unknown settings"):
        train(Own(), nothing=1)


def test_batches_with_borders_and_of_every_image(data, tmp_path):
    config = SegmentationConfig(
        images=str(data / "image"), labels=str(data / "label"), checkpoint_dir=str(tmp_path),
        border=10, **SMALL,
    )  # fmt: skip
    task = Segmenting(config)
    images, labels, weights, _ = task.batch(3, False)
    assert images.dtype == labels.dtype == np.uint8 and weights.dtype == np.float32
    assert weights.max() > 1 and (weights[labels == 1] == 1).all()
    again = task.batch(3, False)
    for a, b in zip((images, labels, weights), again, strict=False):
        np.testing.assert_array_equal(a, b)
    # one pass shows each image once
    seen = [task._index(position) for position in range(task.size)]
    assert sorted(seen) == list(range(task.size))
    made = list(task.batches((step, False) for step in range(3)))
    np.testing.assert_array_equal(made[2][0], task.batch(2, False)[0])


class Grey(unetpred.segmentation.Dataset):
    """Images of one level each, 10 times their number."""

    def __len__(self):
        return 9

    def __getitem__(self, index):
        label = np.zeros((32, 32), np.uint8)
        label[:16] = 1
        return np.full((32, 32), 10 * index, np.uint8), label


def test_the_preview_is_of_images_that_are_spread_out(tmp_path):
    task = Segmenting(SegmentationConfig(checkpoint_dir=str(tmp_path), **SMALL), Grey(), Grey())
    model = build_segmenter(2, 0.0625)
    measured = task.measure(model, lambda: False)
    levels = measured.picture[::32, 0, 0]
    np.testing.assert_array_equal(levels, [0, 30, 50, 80])
    assert measured.picture.shape == (4 * 32, 3 * 32, 3)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"image_size": 100}, "multiple of 32"),
        ({"augmentation": "much"}, "augmentation 'much' is unknown"),
        ({"scale": 0.5}, "scale is 0.5"),
        ({"val_split": "val"}, "val_split is 'val'"),
        ({"val_split": 0}, "between 0 and 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"lr": 0}, "lr is 0"),
        ({"ema": 1}, "ema is 1"),
        ({"dice": -1}, "dice is -1"),
    ],
)
def test_settings_that_cannot_be_used(settings, problem):
    with pytest.raises(InputError, match=problem):
        Config(**settings)


def test_data_that_cannot_be_used(data, segment, tmp_path):
    keep = ("--checkpoint_dir", tmp_path / "run", "--quiet")
    for arguments, problem in (
        ((), "give --images and --labels, or --voc"),
        (("--images", data / "image"), "give --images and --labels"),
        (("--images", data / "none", "--labels", data / "label"), "is not a folder"),
        (("--voc", data, "--images", data), "not both"),
        (("--images", data / "image", "--labels", data / "label", "--init", "vgg16",
          "--width", "0.25"), "fits width 1"),
        (("--images", data / "image", "--labels", data / "label", "--val_images",
          data / "image"), "without val_labels"),
        (("--images", data / "image", "--labels", data / "label", "--val_labels",
          data / "label"), "without val_images"),
        (("--images", data / "image", "--labels", data / "label", "--init", "nothing"),
         "nothing: neither a file nor one of the weights"),
    ):  # fmt: skip
        code, _, err = segment("train", *arguments, *keep)
        assert code == 2 and problem in err and "Traceback" not in err, err
    assert os.environ.get("KERAS_BACKEND") != "openvino"
