"""Import Keras quietly: stdout is for results, stderr for what a user needs to know."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from unetpred.errors import InputError, reason_of

# Keras and TensorFlow import these if they are installed, and no command uses them. With JAX, which
# TensorFlow imports for its converter, they take almost half of the time to import both.
_UNUSED = ("matplotlib", "IPython", "pandas")
_OPENVINO_SINCE = (3, 15)  # of Keras; before it, openvino had no maximum pooling


@contextmanager
def silenced() -> Iterator[None]:
    """Swallow what is written to stdout and stderr, by C++ code too."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), 1)
        os.dup2(swallowed.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)


@contextmanager
def hidden(names: Iterable[str]) -> Iterator[None]:
    """Let packages that are not yet imported seem not to be installed."""
    added = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(added))
    try:
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector away from what is made here, now and when the process ends.

    Modules live as long as the process. Searching theirs for garbage takes a third of the time in
    which TensorFlow is imported, and again as much at the end.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process at once, as they end one that knows nothing of them.

    For a command while a backend is imported: the system's loader holds the interpreter for
    seconds, so that no thread of it can do anything either, and there is nothing to save. Where
    Ctrl-C has been given another meaning than Python's own, that stays.
    """
    own = signal.default_int_handler
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not own
    ):
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, own)


def import_keras(ours: bool = True) -> None:
    """Import Keras and its backend without their chatter.

    Parameters
    ----------
    ours : bool
        Whether the process is a command of this package, in which Keras needs to be able to do
        nothing else. In a process of the user's it is imported whole, and warnings stay as they
        are.

    Raises
    ------
    InputError
        If the backend that KERAS_BACKEND or Keras' configuration names is not installed, or is
        openvino and Keras too old for it.
    """
    if ours:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    elif sys.modules.get("keras") is not None:
        _check_layout(sys.modules["keras"])
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    backend = os.environ.setdefault("KERAS_BACKEND", _configured() or _installed_backend())
    if backend == "openvino" and find_spec("keras"):
        _check_openvino(version("keras"))
    unused = [*_UNUSED, "jax"] if backend == "tensorflow" else _UNUSED
    if ours:
        warnings.filterwarnings("ignore", module="PIL|tifffile|tensorflow|jax|torch|keras")
    try:
        if "keras" in sys.modules:
            import keras
        elif ours:
            with ended_by_signals(), silenced(), hidden(unused), _uncollected():
                import keras
        else:
            with silenced(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import keras
    except (ImportError, ValueError) as error:
        raise InputError(
            f"KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')}: cannot be used "
            f"({reason_of(error)}); install it, or set KERAS_BACKEND to tensorflow, jax, torch or "
            "openvino"
        ) from None
    keras.config.set_floatx("float32")  # keras.json may ask for less, and scores would move
    _check_layout(keras)


def _check_layout(keras: ModuleType) -> None:
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            'keras.json has image_data_format "channels_first"; unetpred needs "channels_last"'
        )


def _check_openvino(found: str) -> None:
    if tuple(int(part) for part in found.split(".")[:2]) < _OPENVINO_SINCE:
        wanted = ".".join(map(str, _OPENVINO_SINCE))
        raise InputError(
            f"KERAS_BACKEND=openvino: needs Keras {wanted} or newer, {found} is installed; update "
            "Keras, or set KERAS_BACKEND to tensorflow, jax or torch"
        )


def _configured() -> str | None:
    """The backend that the user has chosen in Keras' own configuration file."""
    home = os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    try:
        with open(os.path.join(home, "keras.json"), encoding="utf-8") as file:
            backend = json.load(file)["backend"]
        return backend if find_spec(backend) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _installed_backend() -> str:
    """TensorFlow if it is there, else another that Keras can use."""
    names = ("tensorflow", "jax", "torch", "openvino")
    return next((name for name in names if find_spec(name)), "tensorflow")
