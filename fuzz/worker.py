"""The process that reads damaged files: one case after the other, with little memory.

    python -m fuzz.worker READER SEED FIRST COUNT FOLDER

prints a line before each case and one after it.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import traceback
import zlib
from pathlib import Path

import numpy as np

from fuzz.mutations import mutated
from fuzz.readers import READERS
from fuzz.samples import make_samples
from unetpred.errors import InputError

MEMORY = 1 << 30
"""Bytes that reading one file of under 10 MB may take, beside what the program takes."""
LIBRARIES = {  # imported before memory is counted
    "image": ("simplejpeg",),
    "array": ("h5py",),
    "matlab": ("h5py", "scipy.io"),
    "weights": ("h5py",),
    "state": ("h5py",),
}


def make_case(reader: str, seed: int, number: int, samples: list[Path], folder: Path) -> tuple:
    """Write one damaged file; its path, and that of the whole one."""
    rng = np.random.default_rng([seed, zlib.crc32(reader.encode()), number])
    whole, other = (samples[i] for i in rng.integers(len(samples), size=2))
    path = folder / f"case{whole.suffix if whole.name.count('.') < 2 else whole.name[1:]}"
    if whole.name == "history.csv":
        path = folder / "history.csv"
    path.write_bytes(mutated(whole.read_bytes(), other.read_bytes(), rng))
    return path, whole


def outcome(reader: str, path: Path, whole: Path) -> str:
    """Read one file: refused, the same, other (it reads, but as something else), or FAILED."""
    try:
        found = READERS[reader](path)
    except InputError as error:
        text = str(error)
        if "more memory than there is" in text:
            return f"FAILED memory: {text}"
        if "\n" in text or not text.isprintable():
            return f"FAILED several lines: {text!r}"
        return "refused"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"FAILED {type(error).__name__}: {' '.join(str(error).split())} ({where})"
    return "same" if _alike(found, READERS[reader](whole)) else "other"


def _alike(one: list, two: list) -> bool:
    return len(one) == len(two) and all(
        np.shape(a) == np.shape(b) and np.array_equal(a, b) for a, b in zip(one, two, strict=True)
    )


def main() -> None:
    """Read the cases that are asked for."""
    reader, seed, first, count, folder = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    for module in LIBRARIES.get(reader, ()):
        __import__(module)
    samples = make_samples(Path(folder) / "samples")[reader]
    for whole in samples:
        READERS[reader](whole)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(int(first), int(first) + int(count)):
        path, whole = make_case(reader, int(seed), number, samples, Path(folder))
        print("case", number, whole.name, flush=True)
        print("done", outcome(reader, path, whole), flush=True)


if __name__ == "__main__":
    main()
