"""Maps that stop and go on are those of a run that never stopped, and repeat nothing."""

import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from tables import write

from unetpred.commands.main import main
from unetpred.runs.maps import map as map_run
from unetpred.scoring import maps, scores

VGG = str(Path("tests/data/vgg16_notop_random.h5").resolve())
PLACES = 12  # where the hole of 21 px fits, of a grid of 25 px in 100x120 px
OPTIONS = ("--input", "a.png", "--stride", 25, "--context", 96, "--mask_size", 21, "--batch_size",
           2)  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, weights, pictures):
    """Run `unetpred map` in a folder with one photograph: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(map_run, "_picture", lambda *_: None)
    write("a.png", pictures[0])

    def go(*arguments):
        code = main(["map", "--weights", weights, *map(str, (*OPTIONS, *arguments))])
        return (code, *capsys.readouterr())

    return go


@pytest.fixture
def passes(monkeypatch):
    """Count the places that are scored; after some passes, do something."""

    class Counter:
        places, last, stop_after = 0, 0, None

        def stop(self):
            raise KeyboardInterrupt

    counter, forward = Counter(), maps.forward

    def counted(model, inputs):
        counter.last = len(inputs[0])
        counter.places += counter.last
        outputs = forward(model, inputs)
        if counter.stop_after is not None:
            counter.stop_after -= 1
            if counter.stop_after == 0:
                counter.stop_after = None
                counter.stop()
        return outputs

    monkeypatch.setattr(maps, "forward", counted)
    return counter


def load(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def assert_same(a, b):
    for name in ("x", "y", "reason"):
        np.testing.assert_array_equal(a[name], b[name])
    for name in {"structure", "content"} & {*a, *b}:
        np.testing.assert_allclose(a[name], b[name], atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(run, passes, number):
    assert run("--save", "whole.npz")[0] == 0
    whole = load("whole.npz")
    assert passes.places == PLACES == np.isfinite(whole["structure"]).sum()

    passes.places, passes.stop_after = 0, 3
    passes.stop = lambda: os.kill(os.getpid(), number)
    before = signal.getsignal(number)
    code, out, err = run("--save", "b.npz")
    assert (code, out) == (128 + number, "") and signal.getsignal(number) == before
    assert err.count("\n") == 1 and "b.npz.part" in err and err.rstrip().endswith("--resume")
    finished = passes.places
    assert 0 < finished < PLACES and f"{PLACES - finished} place(s) are left" in err
    assert not Path("b.npz").exists()
    part = load("b.npz.part")
    done = np.isfinite(part["structure"])
    assert done.sum() == finished == PLACES - (part["reason"] == maps.PENDING).sum()
    np.testing.assert_array_equal(part["structure"][done], whole["structure"][done])

    code, _, err = run("--save", "b.npz", "--resume")
    assert code == 0 and passes.places == PLACES
    assert_same(load("b.npz"), whole)
    assert {path.name for path in Path().iterdir()} == {
        "a.png", "whole.npz", "b.npz"
    }  # fmt: skip


@pytest.mark.slow
def test_what_is_scored_by_half_is_scored_again(run, monkeypatch):
    """A second Ctrl-C ends at once, be it between the two scores of a place."""
    content = ("--output", "structure", "content", "--vgg_weights", VGG)
    assert run("--save", "whole.npz", *content)[0] == 0
    original = scores.content

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(scores, "content", interrupted)
    code, _, err = run("--save", "b.npz", *content)
    assert code == 130 and f"{PLACES} place(s) are left" in err
    monkeypatch.setattr(scores, "content", original)
    assert run("--save", "b.npz", *content, "--resume")[0] == 0
    assert_same(load("b.npz"), load("whole.npz"))


@pytest.mark.slow
def test_killed(run, passes, monkeypatch):
    """What is saved on the way is of use to a process that knows nothing else."""

    class Killed(BaseException):
        pass

    def stop():
        raise Killed

    monkeypatch.setattr(map_run, "SAVE_EVERY", 0)
    monkeypatch.setattr(map_run, "SAVE_SHARE", math.inf)
    assert run("--save", "whole.npz")[0] == 0
    passes.places, passes.stop_after, passes.stop = 0, 3, stop
    with pytest.raises(Killed):
        run("--save", "b.npz")
    again = passes.last  # the batch that it was killed in
    assert run("--save", "b.npz", "--resume")[0] == 0
    assert passes.places == PLACES + again
    assert_same(load("b.npz"), load("whole.npz"))


@pytest.fixture
def stopped(run, passes):
    passes.stop_after = 2
    assert run("--save", "b.npz")[0] == 130
    with np.load("b.npz.part") as file:
        passes.places = np.isfinite(file["structure"]).sum()


@pytest.mark.slow
def test_other_settings_are_refused(run, pictures, stopped):
    before = Path("b.npz.part").read_bytes()
    write("other.png", pictures[1])
    for changed, what in (
        (["--stride", 26], "stride"),
        (["--mask_size", 22], "hole"),
        (["--mask_shape", "disc"], "hole"),
        (["--context", "full"], "context"),
        (["--output", "structure", "content", "--vgg_weights", VGG], "vgg_weights"),
        (["--input", "other.png"], "image_sha256"),
    ):
        code, out, err = run("--save", "b.npz", "--resume", *changed)
        assert (code, out) == (2, "") and err.count("\n") == 1
        assert "b.npz.part" in err and f"another {what} (" in err
    assert Path("b.npz.part").read_bytes() == before


def test_weights_go_by_what_is_in_them(run, weights, passes, stopped):
    Path("copy.weights.h5").write_bytes(Path(weights).read_bytes())
    assert run("--save", "b.npz", "--resume", "--weights", "copy.weights.h5")[0] == 0
    assert passes.places == PLACES
    origin = json.loads(str(load("b.npz")["provenance"]))
    assert "copy" in origin["weights"]


def test_without_resume_it_starts_afresh_and_says_so(run, passes, stopped):
    passes.places = 0
    code, _, err = run("--save", "b.npz")
    assert code == 0 and passes.places == PLACES and "b.npz.part: what" in err
    assert "--resume goes on" in err and not Path("b.npz.part").exists()


@pytest.mark.slow
def test_a_damaged_file_is_one_line_and_kept(run, passes, stopped):
    whole = Path("b.npz.part").read_bytes()
    expected = None
    half = bytearray(whole)
    half[len(whole) // 2] ^= 4
    for number, content in enumerate((b"", whole[:3], whole[: len(whole) // 2], bytes(half)), 1):
        Path("b.npz.part").write_bytes(content)
        passes.places = 0
        code, out, err = run("--save", "b.npz", "--resume", "--quiet")
        assert (code, out) == (0, "") and err.count("\n") == 1 and passes.places == PLACES
        assert "b.npz.part: is damaged" in err and f"b.npz.part.damaged-{number}" in err
        assert Path(f"b.npz.part.damaged-{number}").read_bytes() == content
        expected = expected or load("b.npz")
        assert_same(load("b.npz"), expected)
