"""Training: what a run leaves, that it can be stopped anywhere, and what happens on failures."""

import csv
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from unetpred.errors import InputError
from unetpred.losses import HOLE_STD, hole_loss
from unetpred.train_config import TrainConfig, learning_rate

ROOT = Path(__file__).parents[1]
VGG_FILE = Path(__file__).parent / "data" / "vgg16_notop_random.h5"
SMALL = {"image_size": 32, "batch_size": 2, "epochs": 2, "steps_per_epoch": 10, "workers": 1}
SMALL |= {"checkpoint_interval": 10, "log_interval": 5, "val_interval": 15}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Gratings of several sizes, one of them cut short."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for i in range(8):
        height, width = rng.integers(40, 260, 2)
        y, x = np.mgrid[:height, :width][..., None]
        wave = np.sin(
            rng.uniform(-0.3, 0.3) * x + rng.uniform(-0.3, 0.3) * y + rng.uniform(0, 6, 3)
        )
        Image.fromarray((127 + 100 * wave).astype("uint8")).save(folder / f"{i}.png")
    whole = (folder / "7.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[: len(whole) // 2])
    return folder


def command(photographs, folder, *more):
    options = {"dataset_dir": photographs, "checkpoint_dir": folder, **SMALL}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, str(ROOT / "train.py"), *words, *map(str, more)]


def state_of(folder):
    with h5py.File(folder / "state.h5") as file:
        values = {f"{part}/{i}": d[()] for part in file for i, d in file[part].items()}
        return json.loads(file.attrs["run"]), values


def assert_same_state(a, b):
    (run_a, values_a), (run_b, values_b) = a, b
    assert run_a["step"] == run_b["step"] and run_a["best"] == run_b["best"]
    assert values_a.keys() == values_b.keys()
    for name, value in values_a.items():
        np.testing.assert_array_equal(value, values_b[name], err_msg=name)


def history_of(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def straight(photographs, tmp_path_factory):
    """A run of 20 steps."""
    from unetpred.train import Run

    run = Run(TrainConfig(str(photographs), str(tmp_path_factory.mktemp("straight")), **SMALL))
    run.begin()
    run.train()
    return run


# -- a run --------------------------------------------------------------------------------------


def test_what_a_run_leaves(straight):
    from unetpred.weights import load_model

    folder = straight.folder
    for name in ("best.weights.h5", "last.weights.h5"):
        model = load_model(folder / name)
        assert model.count_params() == pytest.approx(32e6 / 16, rel=0.05)
        assert all(np.isfinite(w).all() for w in model.get_weights())
    rows = history_of(folder)
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 20]
    assert [bool(row["structure"]) for row in rows] == [False, False, True, True]
    assert all(0 <= float(row["waiting"]) <= 1 and float(row["loss"]) > 0 for row in rows)
    best = max(float(row["structure"]) for row in rows[2:])
    assert straight.best == best == state_of(folder)[0]["best"]
    config = json.loads((folder / "config.json").read_text())
    assert config["batch_size"] == 2 and config["steps"] == 20
    assert config["photographs"] + config["held_out"] in (8, 9)
    with Image.open(folder / "preview.png") as picture:
        assert picture.size == (3 * 224, 224 * min(4, config["held_out"]))


def test_what_ships_is_what_was_trained(straight):
    """The averaged weights in the training network, in inference, give what the export gives."""
    from keras import ops

    from unetpred.folding import SCALE

    (image, mask), _, _ = straight._make(0)
    with straight._shipping._averaged():
        expected = ops.convert_to_numpy(straight.network([image, mask], training=False)) * SCALE
    full = ops.convert_to_numpy(straight.shipped()([image * SCALE, mask]))
    top, left, bottom, right = straight.config.box
    np.testing.assert_allclose(
        full[:, top:bottom, left:right], expected, rtol=0, atol=1e-4 * np.abs(full).max()
    )


def test_shipping_leaves_training_alone(straight):
    before = [np.array(w) for w in straight.network.get_weights()]
    straight._shipping._step = None
    straight.shipped()
    for a, b in zip(before, straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_average_of_the_first_steps():
    """The average looks back on about a tenth of the steps so far: NumPy's recursion."""
    import keras

    from unetpred.optimizer import make_optimizer

    variable = keras.Variable(np.zeros(3, "float32"))
    optimizer = make_optimizer(0.1, 0.0, 0.5)
    optimizer.build([variable])
    average = None
    for step in range(12):
        optimizer.apply([keras.ops.convert_to_tensor(np.ones(3, "float32"))])
        value = np.array(keras.ops.convert_to_numpy(variable.value))
        momentum = min(0.5, (1 + step) / (10 + step))
        average = value if step == 0 else momentum * average + (1 - momentum) * value
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable.value), average, rtol=1e-5)


def test_learning_rate():
    config = TrainConfig("x", lr=0.1, warmup=10, decay=0.5)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:51], 0.1)
    np.testing.assert_allclose(rates[75], 0.05)
    np.testing.assert_allclose(rates[99], 0.05 * (1 + math.cos(math.pi * 49 / 50)))
    config = TrainConfig("x", lr=0.1, warmup=0)
    assert {learning_rate(config, step, total) for step in (0, 9) for total in (10, 99)} == {0.1}


# -- stopping and going on ----------------------------------------------------------------------


def test_killed_and_resumed_equals_straight(photographs, straight, tmp_path):
    folder = tmp_path / "run"
    # killed on its way to 100 steps, gone on with to 20: a run does not depend on its length
    start = command(photographs, folder, "--epochs", 10, "--quiet")
    process = subprocess.Popen(start, stderr=subprocess.PIPE, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not (folder / "last.weights.h5").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert state_of(folder)[0]["step"] == 10
    with (folder / "history.csv").open("a") as file:
        file.write("12,0.")  # as a process leaves it that is killed while writing
    (folder / f".{process.pid}-abcstate.h5").write_text("begun")

    done = subprocess.run(
        command(photographs, folder, "--resume"), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'best.weights.h5'}\t{straight.best:.4f}\n"
    assert "going on from step 10 of 20" in done.stderr
    assert "unbroken" not in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("broken.png") == 1
    assert_same_state(state_of(folder), state_of(straight.folder))
    for name in ("best.weights.h5", "last.weights.h5"):
        with h5py.File(folder / name) as a, h5py.File(straight.folder / name) as b:
            keys: list[str] = []
            a.visit(keys.append)
            arrays = [key for key in keys if isinstance(a[key], h5py.Dataset)]
            assert len(arrays) > 20
            for key in arrays:
                np.testing.assert_array_equal(a[key][()], b[key][()])
    curves = ("step", "loss", "lr", "structure", "l1")
    assert [[row[c] for c in curves] for row in history_of(folder)] == [
        [row[c] for c in curves] for row in history_of(straight.folder)
    ]
    assert not [f for f in os.listdir(folder) if f.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_resumed(straight, photographs, tmp_path, number, monkeypatch):
    """Stopped by a signal after a step, the state is that of this step."""
    from unetpred.train import Stopped

    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 0)
    steps = []

    def train_on_batch(inputs, target):
        steps.append(straight.step)
        if len(steps) == 3:
            os.kill(os.getpid(), number)
        return 0.5

    monkeypatch.setattr(straight.network, "train_on_batch", train_on_batch)
    handler = signal.getsignal(number)
    with pytest.raises(Stopped, match="step 3 of 20") as stopped:
        straight.train()
    assert stopped.value.number == number and steps == [0, 1, 2]
    assert state_of(tmp_path)[0]["step"] == 3
    assert (tmp_path / "last.weights.h5").exists()
    assert signal.getsignal(number) is handler

    monkeypatch.setattr(straight, "best", -np.inf)
    assert straight.resume(tmp_path)
    assert straight.step == 3
    if number == signal.SIGTERM:
        return
    straight.train()
    assert steps == list(range(3)) + list(range(3, 20))
    assert [int(row["step"]) for row in history_of(tmp_path)] == [3, 5, 10, 15, 20]


def test_resume_of_a_finished_run(straight, caplog):
    before = state_of(straight.folder)
    with caplog.at_level(logging.INFO):
        assert straight.resume()
        straight.train()
    assert "finished" in caplog.text
    assert_same_state(state_of(straight.folder), before)


def test_nothing_complete_to_resume(straight, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(straight, "folder", tmp_path)
    assert not straight.resume()
    assert "no such file" in caplog.text
    (tmp_path / "state.h5").write_bytes(straight.config.checkpoint_dir.encode())
    assert not straight.resume()
    assert "not the complete state" in caplog.text
    with pytest.raises(InputError, match="no such file"):
        straight.resume(tmp_path / "other.h5")


def test_earlier_run_is_moved_aside(straight, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(straight, "folder", tmp_path)
    for number in (1, 2):
        (tmp_path / "state.h5").write_text(str(number))
        (tmp_path / "last.weights.h5").write_text("weights")
        straight.begin()
        assert (tmp_path / f"earlier-{number}" / "state.h5").read_text() == str(number)
        assert not (tmp_path / "state.h5").exists()
    assert "earlier-2" in caplog.text


def test_other_settings_are_named(straight, photographs, tmp_path):
    from unetpred.run_setup import changes, fingerprint

    run, _ = state_of(straight.folder)
    same = TrainConfig(str(photographs), str(tmp_path), **{**SMALL, "epochs": 5})
    files = fingerprint(straight.photographs.files, straight.config.dataset_dir)
    assert changes(same, files, run) == ""
    other = TrainConfig(str(photographs), str(tmp_path), **{**SMALL, "image_size": 64, "seed": 3})
    found = changes(other, {"count": 3, "sha1": "0"}, run)
    for part in ("image_size 64 (was 32)", "seed 3 (was 0)", "other photographs (3, were"):
        assert part in found


def test_state_of_another_network(straight, tmp_path):
    from unetpred.checkpoint import load_state, named_variables

    variables = named_variables(straight.network, straight.optimizer)
    del variables[f"optimizer/{len(straight.optimizer.variables) - 1}"]
    before = straight.network.get_weights()
    with pytest.raises(InputError, match="--preset and --ema"):
        load_state(straight.folder / "state.h5", variables)
    for a, b in zip(before, straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_states_of_the_first_trainer(straight, tmp_path, monkeypatch):
    """They have no fingerprint of the photographs."""
    from unetpred.checkpoint import read_run

    path = tmp_path / "state.h5"
    path.write_bytes((straight.folder / "state.h5").read_bytes())
    with h5py.File(path, "a") as file:
        config = {"dataset_dir": "x", "preset": "lite", "correlation": 0.5, "init_from": None}
        file.attrs["run"] = json.dumps({"step": 20, "best": 0.25, "config": config})
    assert read_run(path)["step"] == 20
    monkeypatch.setattr(straight, "best", -np.inf)
    assert straight.resume(path)
    assert straight.best == 0.25
    # in another folder, where there is no network yet that good
    monkeypatch.setattr(straight, "best", -np.inf)
    monkeypatch.setattr(straight, "folder", tmp_path)
    assert straight.resume(path)
    assert straight.best == -np.inf


# -- when things fail ---------------------------------------------------------------------------


def test_nan_loss(straight, tmp_path, monkeypatch):
    from unetpred.train import Diverged

    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 0)
    monkeypatch.setattr(straight, "_saved", None)
    losses = iter([0.5, 0.4, float("nan")])
    monkeypatch.setattr(straight.network, "train_on_batch", lambda *_: next(losses))
    with pytest.raises(Diverged, match="nan at step 2") as error:
        straight.train()
    for file in straight._make(2)[2]:
        assert file in str(error.value)
    assert "no checkpoint yet" in str(error.value)
    assert not (tmp_path / "state.h5").exists()


def test_weights_that_are_no_numbers_are_never_kept(straight, tmp_path, monkeypatch):
    from unetpred.train import Diverged

    kept = (straight.folder / "state.h5").read_bytes()
    variable = straight.network.trainable_variables[4]
    value = np.array(variable.numpy() if hasattr(variable, "numpy") else variable)
    monkeypatch.setattr(straight, "step", 4)
    monkeypatch.setattr(straight.config, "checkpoint_interval", 5)
    monkeypatch.setattr(straight.network, "train_on_batch", lambda *_: 0.5)
    history = (straight.folder / "history.csv").read_bytes()
    try:
        variable.assign(np.full(variable.shape, np.nan))
        with pytest.raises(Diverged, match=r"NaN.*at step 5, files .*of step 20, is kept"):
            straight.train()
    finally:
        variable.assign(value)
        (straight.folder / "history.csv").write_bytes(history)
    assert (straight.folder / "state.h5").read_bytes() == kept


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 100}, "multiple of 32 is needed, such as 96"),
        ({"window": 200}, r"8\.\.128"),
        ({"loss": "upstream", "window": 64}, "whole crop"),
        ({"init": "vgg16"}, "--preset full"),
        ({"loss_weights": {"fft_style": 1}}, "no weight fft_style"),
        ({"loss": "upstream", "loss_weights": {"l1": -1}}, "l1 is -1"),
        ({"preset": "tiny"}, "lite, full"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"val_split": 1.0}, "below 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        TrainConfig("x", **settings)


def test_vgg_weights_that_are_not_there(photographs, tmp_path):
    from unetpred.train import Run

    config = TrainConfig(
        str(photographs), str(tmp_path), loss="upstream", vgg_weights="nowhere.h5", **SMALL
    )
    with pytest.raises(InputError, match=r"nowhere\.h5.*--vgg_weights"):
        Run(config)


def test_photographs_that_cannot_be_used(tmp_path, photographs):
    from unetpred.run_setup import divide_photographs

    def divided(dataset, run="run", **more):
        return divide_photographs(TrainConfig(str(dataset), str(tmp_path / run), **more))

    for i in range(3):
        (tmp_path / "photographs" / str(i)).mkdir(parents=True)
        (tmp_path / "photographs" / str(i) / "a.png").write_text("no image")
    with pytest.raises(InputError, match="too few photographs can be read"):
        divided(tmp_path / "photographs")
    with pytest.raises(InputError, match="another --checkpoint_dir"):
        divided(tmp_path / "photographs", "photographs")
    with pytest.raises(InputError, match="not a folder"):
        divided(tmp_path / "photographs", val_dir=str(tmp_path / "nowhere"))
    # a held-out photograph that cannot be read gives way to one that can
    for i in (0, 1):
        source = photographs / f"{i}.png"
        (tmp_path / "photographs" / str(i) / "a.png").write_bytes(source.read_bytes())
    seeds = [divided(tmp_path / "photographs", seed=seed) for seed in range(8)]
    assert all(len(crops) == 1 and files for files, crops in seeds)


def test_photographs_to_measure_on_are_not_trained_on(tmp_path):
    from unetpred.run_setup import divide_photographs

    for name in ("a", "b", "val/c", "run/preview"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (len(name), 0, 0)).save(path)
    config = TrainConfig(str(tmp_path), str(tmp_path / "run"), val_dir=str(tmp_path / "val"))
    files, crops = divide_photographs(config)
    assert [file.name for file in files] == ["a.png", "b.png"]
    assert (crops == (len("val/c"), 0, 0)).all()


# -- losses and first weights -------------------------------------------------------------------


def numpy_hole_loss(true, pred, hidden, l1=1, correlation=0.5, hue=0.5):
    losses = []
    for t, p, h in zip(true, pred, hidden, strict=True):
        t, p = t[h == 1].astype("float64"), p[h == 1].astype("float64")  # (pixels,BGR)
        blue, green, red = (p - t).mean(0)
        axes = abs(red - blue) / 2 + abs(green - (red + blue) / 2)
        t, p = t.ravel(), p.ravel()
        covariance = np.mean((t - t.mean()) * (p - p.mean()))
        r = covariance / np.sqrt((t.var() + HOLE_STD**2) * (p.var() + HOLE_STD**2))
        losses.append(l1 * np.abs(t - p).mean() + correlation * (1 - r) + hue * axes)
    return np.mean(losses)


def test_hole_loss_against_numpy():
    from keras import ops

    rng = np.random.default_rng(0)
    true = rng.normal(0, 1, (4, 9, 11, 3)).astype("float32")
    pred = (true + rng.normal(0, 1, true.shape)).astype("float32")
    hidden = (rng.random((4, 9, 11)) < 0.4).astype("float32")
    true[1] = 0.5  # a constant patch
    both = np.concatenate([true, hidden[..., None]], axis=-1)
    for weights in ({}, {"l1": 0, "correlation": 2}, {"correlation": 0, "hue": 3}):
        expected = numpy_hole_loss(true, pred, hidden, **weights)
        value = float(ops.convert_to_numpy(hole_loss(both, pred, weights)))
        assert value == pytest.approx(expected, rel=1e-5)
    pred[hidden == 0] += 100  # what is visible does not count
    assert float(ops.convert_to_numpy(hole_loss(both, pred))) == pytest.approx(
        numpy_hole_loss(true, pred, hidden), rel=1e-5
    )
    nothing = np.zeros((2, 4, 4, 4), "float32")
    assert float(ops.convert_to_numpy(hole_loss(nothing, nothing[..., :3]))) == 0.5
    with pytest.raises(InputError, match="unknown loss weights l2"):
        hole_loss(both, pred, {"l2": 1})


def test_upstream_loss_of_a_run_is_the_upstream_loss():
    from keras import ops

    from unetpred.losses import upstream_loss
    from unetpred.run_setup import make_loss

    rng = np.random.default_rng(0)
    true, pred = (rng.uniform(-2, 2, (2, 32, 32, 3)).astype("float32") for _ in range(2))
    weights = {"l1": 3.0, "fft_style": 0.1}
    config = TrainConfig(
        "x", loss="upstream", loss_weights=weights, vgg_weights=str(VGG_FILE), image_size=32
    )
    assert config.box == (0, 0, 32, 32)
    value = make_loss(config)(np.concatenate([true, true[..., :1]], axis=-1), pred)
    expected = upstream_loss(64 * true, 64 * pred, VGG_FILE, weights)["total"]
    assert float(ops.convert_to_numpy(value)) == pytest.approx(
        float(ops.convert_to_numpy(expected)), rel=1e-5
    )


def test_upstream_loss_without_its_vgg_terms_needs_no_vgg():
    off = {"fft_content": 0.0, "fft_style": 0.0}
    assert not TrainConfig("x", loss="upstream", loss_weights=off).loss_needs_vgg
    assert TrainConfig("x", loss="upstream", loss_weights={"fft_style": 0.0}).loss_needs_vgg
    assert not TrainConfig("x").loss_needs_vgg


def test_trained_weights_as_first_weights(straight):
    """A network unfolded for training computes in inference what it did, in training nearly so."""
    from keras import ops

    from unetpred.folding import SCALE, build_training_network
    from unetpred.initial import initialise
    from unetpred.model import build_unetpred
    from unetpred.weights import save_weights

    config = straight.architecture
    model = build_unetpred(config.variant, config.width)
    rng = np.random.default_rng(1)
    model.set_weights(
        [w + rng.normal(0, 0.02, w.shape) * (w.ndim == 1) for w in model.get_weights()]
    )
    path = straight.folder / "first.weights.h5"
    save_weights(model, config, path)
    network = build_training_network(config, 32, 32)
    batches = [straight._make(step)[0] for step in range(16)]
    batch = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    initialise(network, config, str(path), None, [batch])

    image, mask = batch
    expected = ops.convert_to_numpy(model([image * SCALE, mask])) / SCALE
    spread = expected.std()
    inference = ops.convert_to_numpy(network([image, mask], training=False))
    np.testing.assert_allclose(inference, expected, rtol=0, atol=1e-3 * spread)
    training = ops.convert_to_numpy(network([image, mask], training=True))
    np.testing.assert_allclose(training, expected, rtol=0, atol=0.05 * spread)

    other = build_training_network(type(config)("paper", 0.125), 32, 32)
    with pytest.raises(InputError, match=r"width 0\.25; one of variant paper and width 0\.125"):
        initialise(other, type(config)("paper", 0.125), str(path), None, [batch])


def test_state_as_first_weights(straight):
    from unetpred.folding import build_training_network
    from unetpred.initial import initialise

    config = straight.architecture
    network = build_training_network(config, 32, 32)
    initialise(network, config, str(straight.folder / "state.h5"), None, [])
    for a, b in zip(network.get_weights(), straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# -- the command line ---------------------------------------------------------------------------


def parsed(*words):
    import argparse

    from unetpred.train_cli import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--dataset_dir", "nowhere", *words])


def test_command_line_needs_no_keras():
    code = (
        "import sys, unetpred.train_cli as c, argparse; p = argparse.ArgumentParser(); "
        "c.add_arguments(p); p.format_help(); "
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nowhere: is not a folder"),
        (("--image_size", "33"), "multiple of 32"),
        (("--loss", "upstream", "--vgg_weights", "no.h5"), "no.h5"),
        (("--resume_path", "no.h5"), "nowhere"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(words, message, capsys, tmp_path, monkeypatch):
    from unetpred.train_cli import run

    monkeypatch.chdir(tmp_path)
    assert run(parsed(*words)) == 2
    output = capsys.readouterr()
    assert output.out == "" and message in output.err and output.err.count("\n") == 1


def test_loss_weights_on_the_command_line():
    args = parsed("--loss_weight", "l1=2", "--loss_weight", "correlation=0")
    assert dict(args.loss_weights) == {"l1": 2.0, "correlation": 0.0}
    with pytest.raises(SystemExit):
        parsed("--loss_weight", "l1")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train.py", "--dataset_dir", "a b"], "python train.py --dataset_dir 'a b' --resume"),
        (["/usr/bin/unetpred", "train", "--resume"], "unetpred train --resume"),
        (["x/__main__.py", "train", "--resume_path", "y"], "python -m unetpred train --resume"),
    ],
)
def test_how_to_resume(words, expected, monkeypatch):
    from unetpred.stopping import resume_command

    monkeypatch.setattr(sys, "argv", words)
    assert resume_command() == expected
