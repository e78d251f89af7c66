"""`unetpred app`: wrong usage is told in one line."""

import socket

import pytest

from unetpred.commands.main import main

pytest.importorskip("gradio")
pytest.importorskip("plotly")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--image", "folder/none.png"], "folder/none.png: no such file"),
        (["--pixels_per_degree", "-1"], "--pixels_per_degree -1.0: a number above 0"),
        (["--port", "99999"], "--port 99999: 0..65535 is right"),
        (["--host", "203.0.113.9"], "203.0.113.9, port 0: cannot be listened on"),
        (["--weights", "none"], "none: neither a file nor one of the weights"),
        (["--vgg_weights", "none.h5"], "none.h5: no such file"),
    ],
)
def test_wrong_usage(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert main(["app", "--no_browser", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err and err.count("\n") == 1


def test_ports_that_are_taken_are_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["app", "--no_browser", "--port", str(port)]) == 2
    assert f"127.0.0.1, port {port}: cannot be listened on" in capsys.readouterr().err
