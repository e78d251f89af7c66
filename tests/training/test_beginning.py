"""What training says before its first step."""

import logging
from types import SimpleNamespace

import pytest

from unetpred.training.config import TrainConfig
from unetpred.training.filling import Filling
from unetpred.training.run import Run


def said(caplog, **options):
    config = TrainConfig("photographs", **options)
    fake = SimpleNamespace(
        config=config,
        task=SimpleNamespace(size=120, notes=lambda: {"held_out": 7}),
        network=SimpleNamespace(count_params=lambda: 2_000_308),
        steps_per_epoch=config.steps_per_epoch,
        total=config.epochs * config.steps_per_epoch,
    )
    caplog.set_level(logging.INFO, logger="unetpred")
    caplog.clear()
    Run._introduce(fake)
    return [record.getMessage() for record in caplog.records]


def test_counts_parameters_backend_and_length(caplog):
    import keras

    (line,) = said(caplog, epochs=30, steps_per_epoch=20)
    assert line.startswith("120 images to train on, 7 held out; 2,000,308 parameters; Keras ")
    assert line.endswith(f"on {keras.backend.backend()}; batches of 16; 600 steps (30 x 20)")
    assert said(caplog, steps_per_epoch=20, max_minutes=2.5)[0].endswith("; 2.5 minutes")


@pytest.mark.parametrize("warmup, warned", [(600, True), (599, False)])
def test_a_warm_up_that_outlasts_the_run(caplog, warmup, warned):
    lines = said(caplog, epochs=30, steps_per_epoch=20, warmup=warmup)
    assert len(lines) == 1 + warned
    assert ("outlasts the run of 600" in lines[-1] and "--warmup 60" in lines[-1]) == warned
    assert len(said(caplog, steps_per_epoch=20, warmup=10**6, max_minutes=1)) == 1


def test_few_held_out_photographs(photographs, tmp_path, log):
    task = Filling(TrainConfig(str(photographs), str(tmp_path / "run"), image_size=32))
    count = len(task.held_out.crops)
    assert f"only {count} photograph(s) are held out; what is measured on fewer than 30" in log.text


def test_fillings_that_take_too_long_are_left_out(photographs, tmp_path, caplog):
    config = TrainConfig(str(photographs), str(tmp_path / "run"), image_size=32, val_split=0.5)
    held_out = Filling(config).held_out
    caplog.set_level(logging.INFO, logger="unetpred")
    assert held_out.baselines(patience=0) == {}
    assert "the biharmonic filling is left out" in caplog.text
