"""Reading weights in a process of their own, with limits on its time and memory.

A damaged HDF5 file can make the library loop or crash, which nothing within the process can end.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unetpred.errors import InputError
from unetpred.io.hdf5 import FREE, MOST, LayerFile, read_here
from unetpred.io.registry import size_of

SECONDS = 6
"""Processor time for a file, beside what its bytes may take."""
_RATE = 20_000_000  # bytes per second
_PATIENCE = 20  # times as long may pass until it ends: a disk may be slow, or the machine busy
_MEMORY = 1 << 30  # bytes, beside what the file may hold
_COUNT = struct.Struct("<Q")
_START = "from unetpred.io.apart import serve; serve()"
_PROBE = "from unetpred.io.apart import probe; probe()"


def read_apart(path: Path, what: str) -> LayerFile:
    """Read weights as `unetpred.io.hdf5.read_here` does, in a process that may fail.

    Raises
    ------
    InputError
        As there, or if it takes too long.
    """
    if not sys.executable:  # embedded: there is no interpreter to start
        return read_here(path, what)
    size = size_of(path)
    seconds = SECONDS + size // _RATE
    process = _started(_START, os.path.abspath(path), str(path), what, seconds, size)
    assert process.stdout is not None  # it is a pipe
    watchdog = threading.Timer(_PATIENCE * seconds, process.kill)
    watchdog.start()
    try:
        found = _received(process.stdout, max(FREE, MOST * size))
    except (EOFError, ValueError, KeyError, TypeError):
        process.kill()
        process.wait()
        raise InputError(
            f"{path}: damaged: reading it took more than {seconds} s or crashed; get it again"
        ) from None
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
    if isinstance(found, str):
        raise InputError(found)
    return found


def opens(path: str | os.PathLike[str]) -> bool:
    """Whether all of an HDF5 file can be read, found out in a process that may fail."""
    if not sys.executable:
        return True
    size = os.stat(path).st_size
    seconds = SECONDS + size // _RATE
    process = _started(_PROBE, os.path.abspath(path), seconds, size)
    try:
        return process.wait(_PATIENCE * seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        process.kill()
        process.communicate()


def probe() -> None:
    """Read all of one file; the process that started this one looks at how it ends."""
    import h5py

    file, seconds, size = sys.argv[1:]
    _limit(int(seconds), int(size))
    with h5py.File(file, "r", locking=False) as opened:
        opened.visititems(lambda name, item: None if hasattr(item, "keys") else item[()] is None)
    os._exit(0)


def _started(code: str, *words: object) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
    )


def serve() -> None:
    """Read one file for the process that started this one."""
    file, name, what, seconds, size = sys.argv[1:]
    _limit(int(seconds), int(size))
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may come between the arrays
    arrays: list[np.ndarray] = []
    try:
        found = read_here(Path(file), what)
    except InputError as error:
        head: dict[str, Any] = {"error": str(error).replace(file, name)}
    else:
        table = [
            [layer, part, array.dtype.str, array.shape]
            for layer, parts in found.layers.items()
            for part, array in parts.items()
        ]
        arrays = [array for parts in found.layers.values() for array in parts.values()]
        names = list(found.layers)
        head = {"arrays": table, "names": names, "legacy": found.legacy, "note": found.note}
    content = json.dumps(head).encode()
    target.write(_COUNT.pack(len(content)) + content)
    for array in arrays:
        target.write(np.ascontiguousarray(array).tobytes())
    target.flush()
    os._exit(0)


def _limit(seconds: int, size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has none
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        memory = _MEMORY + 3 * max(FREE, MOST * size)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _received(stream: Any, most: int) -> LayerFile | str:
    """What the process has read; EOFError or ValueError if it has not."""
    (length,) = _COUNT.unpack(_exactly(stream, _COUNT.size))
    head = json.loads(_exactly(stream, length))
    if "error" in head:
        return str(head["error"])
    layers: dict[str, dict[int, np.ndarray]] = {name: {} for name in head["names"]}
    for layer, part, dtype, shape in head["arrays"]:
        kind = np.dtype(dtype)
        size = kind.itemsize * int(np.prod(shape, dtype=object))
        if (most := most - size) < 0:
            raise ValueError(size)
        # a writable copy of its own, as HDF5 gives
        array = np.empty(shape, kind)
        raw: Any = array.reshape(-1).view("u1")
        view = memoryview(raw)
        done = 0
        while done < size:
            count = stream.readinto(view[done:])
            if not count:
                raise EOFError
            done += count
        layers[layer][part] = array
    return LayerFile(layers, head["legacy"], head["note"])


def _exactly(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
