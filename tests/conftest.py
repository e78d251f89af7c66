"""What the tests of whole networks share."""

from __future__ import annotations

import logging
import os
import random
import signal

import numpy as np
import pytest

#: Files that need the run of `straight`, which takes longer than any test of it.
TRAINING = (
    "test_average.py",
    "test_train.py",
    "test_train_resume.py",
    "test_train_setup.py",
)
#: Further files that take long: a process that gets one of them last works on alone.
LONG = ("test_notebooks.py", "test_export.py", "test_features.py", "test_resume.py", "test_maps.py")


def pytest_configure(config):
    """Give each of several processes one thread: with more they wait for each other.

    Ctrl-C means what it means in a terminal. In the background of a script it is ignored, by what
    tests start, too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items):
    """Put the files that take longest first."""
    items.sort(key=lambda item: (item.path.name not in TRAINING, item.path.name not in LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a file of tests in one process, and all files of `TRAINING` in one too."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            return "training" if file.endswith(TRAINING) else file

    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Draw the same weights in every run: bounds on rounding are near what some would need."""
    random.seed(0)  # where Keras takes its seeds from


@pytest.fixture(scope="session")
def compute():
    """Give (model, image, mask) -> its output as a float32 array."""
    import keras

    def run(model, image, mask):
        if keras.backend.backend() == "jax":
            return model.predict([image, mask], verbose=0)  # op by op, JAX compiles each alone
        return keras.ops.convert_to_numpy(keras.ops.cast(model([image, mask]), "float32"))

    return run


@pytest.fixture(scope="session", autouse=True)
def uncompiled():
    """Compute all passes layer by layer: compiling takes longer than the few passes of a test."""
    from unetpred.network import forward

    class Never(set):
        def add(self, _):
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "_met", Never())
        yield


@pytest.fixture
def compiled(uncompiled, monkeypatch):
    """Compile as users' runs do; so do all runs in processes of their own."""
    from weakref import WeakSet

    from unetpred.network import forward

    monkeypatch.setattr(forward, "_met", WeakSet())


@pytest.fixture
def rng():
    """Random numbers, the same in every test."""
    return np.random.default_rng(7)


@pytest.fixture
def rgb(rng):
    """A picture of noise."""
    return rng.integers(0, 256, (90, 101, 3), dtype=np.uint8)


@pytest.fixture
def deep(rng):
    """16-bit colours with every low byte in use."""
    return rng.integers(0, 65536, (90, 101, 3), dtype=np.uint16)


@pytest.fixture
def log(caplog):
    """Give what the package warns of."""
    caplog.set_level(logging.WARNING, logger="unetpred")
    return caplog


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Gratings of several sizes, one of them cut short."""
    from PIL import Image

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


@pytest.fixture(scope="session")
def interrupted(photographs, tmp_path_factory):
    """A run that is killed and gone on with while other tests run."""
    from training_runs import Interrupted

    both = Interrupted(photographs, tmp_path_factory.mktemp("interrupted") / "run")
    yield both
    both.give_up()


@pytest.fixture(scope="session")
def straight(photographs, interrupted, tmp_path_factory):
    """A run of 20 steps, beside the interrupted one. Who changes it puts it back."""
    from training_runs import SMALL

    from unetpred.training.config import TrainConfig
    from unetpred.training.run import Run

    run = Run(TrainConfig(str(photographs), str(tmp_path_factory.mktemp("straight")), **SMALL))
    run.begin()
    run.train()
    return run


@pytest.fixture(scope="session")
def network():
    """Give (variant, mask channels) -> a small network; those of one variant share weights."""
    from nets import SIDE, WIDTH

    from unetpred.network.model import build_unetpred

    made = {}

    def get(variant, mask_channels=1):
        if (variant, mask_channels) not in made:
            model = build_unetpred(variant, WIDTH, mask_channels)
            if mask_channels == 1:
                rng = np.random.default_rng(list(SIDE).index(variant))
                # He-normal kernels the same on every backend, and biases that are felt
                model.set_weights(
                    [
                        rng.normal(
                            0, np.sqrt(2 / np.prod(w.shape[:-1])) if w.ndim > 1 else 10, w.shape
                        )
                        for w in model.get_weights()
                    ]
                )
            else:
                model.set_weights(get(variant).get_weights())
            made[variant, mask_channels] = model
        return made[variant, mask_channels]

    return get


@pytest.fixture(scope="session")
def picture():
    """Give (seed, height, width, batch, mask channels) -> image and irregular mask."""

    def make(seed, height, width, batch=1, channels=1):
        rng = np.random.default_rng(seed)
        # coarse and fine structure in network space, about -120..150
        coarse = rng.normal(0, 50, (batch, -(-height // 8), -(-width // 8), 3))
        image = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
        image = image + rng.normal(0, 15, image.shape)
        mask = (rng.random((batch, height, width, channels)) < 0.9).astype("float32")
        top, left = height // 5, width // 4
        mask[:, top : top + height // 2, left : left + width // 2] = 0
        mask[:, top + 9, left + 11] = 1  # one lone visible pixel inside the hole
        return image.astype("float32"), mask

    return make


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """The file of a small network of random weights."""
    import keras

    from unetpred.network.model import Config, build_unetpred
    from unetpred.weights.files import save_weights

    keras.utils.set_random_seed(5)
    config = Config("paper", 0.0625)
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    model = build_unetpred(config.variant, config.width)
    # biases of zero would leave nothing of the bias path to see
    model.set_weights([w + 3 if w.ndim == 1 else w for w in model.get_weights()])
    save_weights(model, config, path)
    return str(path)


@pytest.fixture(scope="session")
def pictures():
    """Three pictures of waves and noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:100, :120]
    waves = [np.sin(rows / a + columns / b) for a, b in ((9, 14), (5, -8), (20, 11))]
    stack = [np.stack(np.roll(waves, i, axis=0), -1) * 90 + 120 for i in range(3)]
    noise = rng.normal(0, 8, (3, 100, 120, 3))
    return np.clip(np.stack(stack) + noise, 0, 255).astype("uint8")  # (3,100,120,3)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, weights):
    """Run `unetpred predict` in an empty folder: (exit code, stdout lines, stderr)."""
    from unetpred.commands.main import main

    monkeypatch.chdir(tmp_path)

    def go(*arguments):
        try:
            code = main(["predict", "--weights", weights, *map(str, arguments)])
        except SystemExit as error:  # argparse
            code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return go
