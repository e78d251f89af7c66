"""Training: what a run leaves, and what happens when its numbers are none."""

import json

import numpy as np
import pytest
from PIL import Image
from training_runs import history_of, state_of


def test_what_a_run_leaves(straight):
    from unetpred.weights.files import load_model

    folder = straight.folder
    for name in ("best.weights.h5", "last.weights.h5"):
        model = load_model(folder / name)
        assert model.count_params() == pytest.approx(32e6 / 16, rel=0.05)
        assert all(np.isfinite(w).all() for w in model.get_weights())
    rows = history_of(folder)
    assert [int(row["step"]) for row in rows] == [0, 5, 10, 15, 20]
    assert [bool(row["structure"]) for row in rows] == [True, False, True, False, True]
    assert all(0 <= float(row["waiting"]) <= 1 and float(row["loss"]) > 0 for row in rows[1:])
    best = max(float(row["structure"]) for row in rows[::2])
    assert straight.best == best == state_of(folder)[0]["best"]
    config = json.loads((folder / "config.json").read_text())
    assert config["batch_size"] == 2 and config["steps"] == 20
    assert config["photographs"] + config["held_out"] in (8, 9)
    with Image.open(folder / "preview.png") as picture:
        shown = min(4, config["held_out"])
        assert picture.width == 3 * 224
        assert 224 * shown < picture.height <= 224 * shown + 18 * (shown + 3)  # lines of text
    names = {path.name for path in (folder / "previews").iterdir()}
    assert names == {"step_0000000.png", "step_0000010.png", "step_0000020.png"}


def test_simple_fillings_are_measured_on_the_same_holes(straight):
    from unetpred.fillings.simple import biharmonic_fill, harmonic_fill, telea_fill
    from unetpred.holes.masks import hole_mask

    first, *others = history_of(straight.folder)
    mask, hole = hole_mask((224, 224)), np.s_[86:138, 86:138]
    crops = straight.held_out.crops.astype("float32")
    for name, fill in (
        ("telea", telea_fill),
        ("biharmonic", biharmonic_fill),
        ("harmonic", harmonic_fill),
    ):
        pairs = [(fill(crop, mask)[hole].ravel(), crop[hole].ravel()) for crop in crops]
        r = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
        assert float(first[f"structure_{name}"]) == pytest.approx(r, abs=1e-5)
        l1 = np.mean([np.abs(a - b).mean() for a, b in pairs])
        assert float(first[f"l1_{name}"]) == pytest.approx(l1, abs=1e-4)
        assert not any(row[f"structure_{name}"] for row in others)
    assert straight.held_out.baselines(patience=-1) == (
        {} if len(crops) > 1 else straight.held_out.baselines()
    )


@pytest.fixture
def few(straight, monkeypatch):
    """Statistics of what ships are measured on two batches, and anew for the next test."""
    batches = [straight._inputs(step) for step in range(2)]
    monkeypatch.setattr(straight._shipping, "_batches", lambda: batches)
    straight._shipping._step = None
    yield
    straight._shipping._step = None


def test_what_ships_is_what_was_trained(straight, few):
    """The averaged weights in the training network, in inference, give what the export gives."""
    from keras import ops

    from unetpred.network.folding import SCALE

    image, mask = straight._inputs(0)
    with straight._shipping._averaged():
        expected = ops.convert_to_numpy(straight.network([image, mask], training=False)) * SCALE
    full = ops.convert_to_numpy(straight.shipped()([image * SCALE, mask]))
    top, left, bottom, right = straight.config.box
    np.testing.assert_allclose(
        full[:, top:bottom, left:right], expected, rtol=0, atol=1e-4 * np.abs(full).max()
    )


def test_shipping_leaves_training_alone(straight, few):
    before = [np.array(w) for w in straight.network.get_weights()]
    straight.shipped()
    for a, b in zip(before, straight.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_average_of_the_first_steps():
    """The average looks back on about a tenth of the steps so far: NumPy's recursion."""
    import keras

    from unetpred.training.optimisation.optimizer import make_optimizer

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


@pytest.mark.slow
def test_nan_loss(straight, tmp_path, monkeypatch):
    from unetpred.training.run import Diverged

    monkeypatch.setattr(straight, "folder", tmp_path)
    monkeypatch.setattr(straight, "step", 0)
    monkeypatch.setattr(straight, "_saved", None)
    losses = iter([0.5, 0.4, float("nan")])
    monkeypatch.setattr(straight.network, "train_on_batch", lambda *_: next(losses))
    with pytest.raises(Diverged, match="nan at step 2") as error:
        straight.train()
    for file in straight.photographs.batch(2).files:
        assert file in str(error.value)
    assert "no checkpoint yet" in str(error.value)
    assert not (tmp_path / "state.h5").exists()


def test_weights_that_are_no_numbers_are_never_kept(straight, tmp_path, monkeypatch):
    from unetpred.training.run import Diverged

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
