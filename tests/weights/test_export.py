"""Exported networks give what Keras gives, on other images and sizes."""

from pathlib import Path

import keras
import numpy as np
import pytest

from unetpred.commands.main import main
from unetpred.network.model import Config, build_unetpred
from unetpred.weights.files import load_model, save_weights

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras exports with TensorFlow's converters"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    model = build_unetpred(width=0.0625, kernel_initializer="zeros")
    rng = np.random.default_rng(0)
    scaled = [rng.normal(0, np.prod(w.shape[:-1]) ** -0.5, w.shape) for w in model.get_weights()]
    model.set_weights(scaled)
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    save_weights(model, Config("paper", 0.0625), path)
    return str(path)


@pytest.fixture(scope="module")
def cases(weights, picture):
    """Images of several sizes and numbers, with irregular holes, and what Keras makes of them."""
    model = load_model(weights)
    found = [picture(1, 96, 96), picture(2, 100, 133, batch=2), picture(3, 129, 90)]
    return [(image, mask, model.predict_on_batch([image, mask])) for image, mask in found]


@pytest.fixture
def export(weights, capsys):
    def run(form, path):
        code = main(["weights", "export", "--format", form, "--output", str(path),
                     "--weights", weights, "--quiet"])  # fmt: skip
        assert (code, *capsys.readouterr()) == (0, "", "")
        assert sorted(p.name for p in path.parent.iterdir() if p.suffix != ".bin") == [path.name]

    return run


def assert_same(run, cases):
    for image, mask, expected in cases:
        found = run(image, mask)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.slow
@on_tensorflow
def test_onnx(export, cases, tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    export("onnx", tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    assert {i.name: i.shape for i in session.get_inputs()} == {
        "image": ["N", "H", "W", 3], "mask": ["N", "H", "W", 1]
    }  # fmt: skip
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("output", ["N", "H", "W", 3])]
    assert_same(lambda image, mask: session.run(None, {"image": image, "mask": mask})[0], cases)


@pytest.mark.slow
@on_tensorflow
def test_openvino(export, cases, tmp_path):
    openvino = pytest.importorskip("openvino")
    export("openvino", tmp_path / "net.xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.bin", "net.xml"]
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(tmp_path / "net.xml", "CPU", precise)
    assert {i.any_name for i in compiled.inputs} == {"image", "mask"}
    assert [o.any_name for o in compiled.outputs] == ["output"]
    assert_same(lambda image, mask: compiled({"image": image, "mask": mask})["output"], cases)


@pytest.mark.slow
@on_tensorflow
def test_savedmodel(export, cases, tmp_path):
    import tensorflow

    export("savedmodel", tmp_path / "net")
    serve = tensorflow.saved_model.load(tmp_path / "net").signatures["serving_default"]

    def run(image, mask):
        (output,) = serve(image=tensorflow.constant(image), mask=tensorflow.constant(mask)).values()
        return output.numpy()

    assert_same(run, cases)


@pytest.mark.parametrize(
    ("form", "path", "message"),
    [
        ("onnx", "net.xml", ".onnx"),
        ("openvino", "net.onnx", ".xml"),
        ("savedmodel", "there", "is there already"),
        ("savedmodel", "no/net", "does not exist"),
    ],
)
def test_bad_usage(form, path, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unetpred.weights.export.find_spec", lambda name: True)
    Path("there").mkdir()
    assert main(["weights", "export", "--format", form, "--output", path]) == 2
    assert message in capsys.readouterr().err
    assert [p.name for p in Path().iterdir()] == ["there"]


def test_what_is_not_installed_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        "unetpred.weights.export.find_spec", lambda name: None if "onnx" in name else 1
    )
    path = str(tmp_path / "net.onnx")
    assert main(["weights", "export", "--format", "onnx", "--output", path]) == 2
    assert "pip install tf2onnx onnx" in capsys.readouterr().err


def test_another_backend_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("unetpred.weights.export.find_spec", lambda name: True)
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    path = str(tmp_path / "net")
    assert main(["weights", "export", "--format", "savedmodel", "--output", path]) == 2
    assert "KERAS_BACKEND=tensorflow" in capsys.readouterr().err
