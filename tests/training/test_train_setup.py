"""Settings of a training run, its photographs, and its command line."""

import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from training_runs import ROOT, SMALL, state_of

from unetpred.errors import InputError
from unetpred.training.config import TrainConfig, learning_rate


def test_learning_rate():
    config = TrainConfig("x", lr=0.1, warmup=10, decay=0.5)
    rates = [learning_rate(config, step, step / 100) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:51], 0.1)
    np.testing.assert_allclose(rates[75], 0.05)
    np.testing.assert_allclose(rates[99], 0.05 * (1 + math.cos(math.pi * 49 / 50)))
    config = TrainConfig("x", lr=0.1, warmup=0)
    assert {learning_rate(config, step, share) for step in (0, 9) for share in (0.1, 1)} == {0.1}


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
    from unetpred.training.run import Run

    config = TrainConfig(
        str(photographs), str(tmp_path), loss="upstream", vgg_weights="nowhere.h5", **SMALL
    )
    with pytest.raises(InputError, match=r"nowhere\.h5.*--vgg_weights"):
        Run(config)


def test_photographs_that_cannot_be_used(tmp_path, photographs):
    from unetpred.training.setup import divide_photographs

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


def test_photographs_to_measure_on_are_not_trained_on(tmp_path, caplog):
    from unetpred.training.setup import divide_photographs

    for name in ("a", "b", "val/c", "run/preview"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (len(name), 0, 0)).save(path)
    config = TrainConfig(str(tmp_path), str(tmp_path / "run"), val_dir=str(tmp_path / "val"))
    files, crops = divide_photographs(config)
    assert [file.name for file in files] == ["a.png", "b.png"]
    assert (crops == (len("val/c"), 0, 0)).all()
    # the other way round
    (tmp_path / "run/preview.png").unlink()
    run = str(tmp_path / "run")
    config = TrainConfig(str(tmp_path / "val"), run, val_dir=str(tmp_path))
    files, crops = divide_photographs(config)
    assert [file.name for file in files] == ["c.png"]
    assert len(crops) == 2 and (crops == (len("a"), 0, 0)).all() and not caplog.text
    divide_photographs(TrainConfig(str(tmp_path), run, val_dir=str(tmp_path)))
    assert "flatters" in caplog.text


def test_other_settings_are_named(straight, photographs, tmp_path):
    from unetpred.training.setup import changes, fingerprint

    run, _ = state_of(straight.folder)
    longer = {**SMALL, "epochs": 5, "steps_per_epoch": 7}
    same = TrainConfig(str(photographs), str(tmp_path), **longer)
    files = fingerprint(straight.photographs.files, straight.config.dataset_dir)
    assert changes(same, files, run) == ""
    falling = TrainConfig(str(photographs), str(tmp_path), **longer, decay=0.5)
    expected = "epochs 5 (was 2), steps_per_epoch 7 (was 10), decay 0.5 (was 0.0)"
    assert changes(falling, files, run) == expected
    other = TrainConfig(str(photographs), str(tmp_path), **{**SMALL, "image_size": 64, "seed": 3})
    found = changes(other, {"count": 3, "sha1": "0"}, run)
    for part in ("image_size 64 (was 32)", "seed 3 (was 0)", "other photographs (3, were"):
        assert part in found


def parsed(*words):
    import argparse

    from unetpred.commands.train import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--dataset_dir", "nowhere", *words])


def test_command_line_needs_no_keras():
    code = (
        "import sys, unetpred.commands.train as c, argparse; p = argparse.ArgumentParser(); "
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
    from unetpred.commands.train import run

    monkeypatch.chdir(tmp_path)
    assert run(parsed(*words)) == 2
    output = capsys.readouterr()
    assert output.out == "" and message in output.err and output.err.count("\n") == 1


def test_a_full_disk_is_one_line_and_exit_1(capsys, monkeypatch):
    from unetpred.commands import train as train_cli

    def full(*_):
        raise OSError(28, "Can't write data (time = now\n, filename = 'state.h5')")

    monkeypatch.setattr(train_cli, "_train", full)
    assert train_cli.run(parsed()) == 1
    err = capsys.readouterr().err
    assert "time = now , filename = 'state.h5'" in err and err.count("\n") == 1


def test_loss_weights_on_the_command_line():
    args = parsed("--loss_weight", "l1=2", "--loss_weight", "correlation=0")
    assert dict(args.loss_weights) == {"l1": 2.0, "correlation": 0.0}
    with pytest.raises(SystemExit):
        parsed("--loss_weight", "l1")


@pytest.mark.parametrize(
    ("words", "given", "resumed"),
    [
        (["train.py", "--dataset_dir", "a b"], "python train.py --dataset_dir 'a b'", " --resume"),
        (["/usr/bin/unetpred", "train", "--resume"], "unetpred train --resume", ""),
        (["x/__main__.py", "train"], "python -m unetpred train", " --resume"),
    ],
)
def test_commands_that_can_be_given_again(words, given, resumed, monkeypatch):
    from unetpred.runtime.command_line import command_line, resume_command

    monkeypatch.setattr(sys, "argv", words)
    assert command_line() == given and resume_command() == given + resumed
    monkeypatch.setattr(sys, "argv", [*words, "--resume_path", "y"])
    assert resume_command() == given.removesuffix(" --resume") + " --resume"
