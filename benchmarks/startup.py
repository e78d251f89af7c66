"""Where the time of `pred.py` on one image goes. Run as a script, it is the process measured."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
IMAGE = ROOT / "examples" / "sample_img.png"
PHASES = (
    "Python",
    "import Keras and backend",
    "read weights",
    "build network",
    "build its part for the hole",
    "first pass through the network",
    "all else: other imports, image, score",
    "end of the process",
)


def _wall(*command: str) -> float:
    started = time.time()
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return time.time() - started


def _phases() -> dict[str, float]:
    """Seconds of each phase of one process that scores one image."""
    started = time.time()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "UNETPRED_STARTED": repr(started)}
    done = subprocess.run(
        [sys.executable, __file__], check=True, cwd=ROOT, capture_output=True, text=True,
        env=environment,
    )  # fmt: skip
    ended = time.time()
    spent = json.loads(done.stderr.splitlines()[-1])
    spent["end of the process"] = ended - spent.pop("until")
    spent["all else: other imports, image, score"] = ended - started - sum(spent.values())
    return spent


def run(options: argparse.Namespace) -> Iterator:
    """Measure processes, in turn."""
    from benchmarks.tables import Table

    commands: dict[str, Callable[[], Any]] = {
        "import Keras alone": lambda: _wall(sys.executable, "-c", "import keras"),
        "pred.py --input IMAGE": lambda: _wall(sys.executable, "pred.py", "--input", str(IMAGE)),
        "pred.py --help": lambda: _wall(sys.executable, "pred.py", "--help"),
        "phases": _phases,
    }
    found = defaultdict(list)
    for number in range(2 if options.quick else 6):
        for name, command in commands.items():
            value = command()
            if number:  # the first fills the disk's cache
                found[name].append(value)
    processes = found.pop("phases")
    phases = {p: statistics.median(one[p] for one in processes) for p in PHASES}
    total = sum(phases.values())
    base = found["import Keras alone"]
    yield Table(
        "Start-up",
        ("command", "seconds", "times `import keras`"),
        [
            (
                f"`{name}`",
                statistics.median(times),
                statistics.median(a / b for a, b in zip(times, base, strict=True)),
            )
            for name, times in found.items()
        ],
        "Whole processes, on one image of 224 px, with the default weights.",
    )
    yield Table(
        "Start-up: where the time goes",
        ("phase", "seconds", "share"),
        [(p, seconds, f"{100 * seconds / total:.0f} %") for p, seconds in phases.items()],
    )


def _child() -> None:
    """Score one image, and report on stderr how long each phase took."""
    spent = dict.fromkeys(PHASES[:-2], 0.0)
    spent["Python"] = time.time() - float(os.environ["UNETPRED_STARTED"])
    inner = [0.0]  # seconds in phases within the phase that runs

    def measured(module: Any, name: str, phase: str, after: Callable = lambda: None) -> None:
        call = getattr(module, name)

        def wrapped(*args, **kwargs):
            outer, inner[0] = inner[0], 0.0
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                taken = time.perf_counter() - started
                spent[phase] += taken - inner[0]
                inner[0] = outer + taken
                after()

        setattr(module, name, wrapped)

    def measure_network() -> None:
        from unetpred.network import model
        from unetpred.scoring import hole_outputs
        from unetpred.weights import files as weights

        measured(weights, "load_model", "read weights")
        measured(model, "build_unetpred", "build network")
        measured(model, "build_hole_model", "build its part for the hole")
        measured(hole_outputs, "forward", "first pass through the network")

    from unetpred.backends import keras_import as quiet
    from unetpred.commands.main import main

    measured(quiet, "import_keras", "import Keras and backend", after=measure_network)
    code = main(["predict", "--input", str(IMAGE)])
    sys.stderr.write(f"\n{json.dumps({**spent, 'until': time.time()})}\n")
    sys.exit(code)


if __name__ == "__main__":
    _child()
