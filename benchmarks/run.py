"""Measure what scoring and training cost: `python benchmarks/run.py`; see --help.

All comparisons are ratios of times taken in turn in one run, since times alone say more about the
machine and what else it does.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import platform
import shlex
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "startup": "pred.py on one image: where the time goes",
    "scoring": "against a naive network, and against plain convolutions",
    "cost": "by size of batch and image, and number of images",
    "content": "content beside structure, and of several fillings",
    "maps": "a place of a map against a crop",
    "shared": "places of a map that share features, against one by one",
    "cluster": "worker processes against one process",
    "gpu": "images per second on one GPU; nothing without PyTorch and one",
    "training": "a step against a naive one, and the share of waiting for data",
}


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py", description="Measure what scoring and training cost.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:9} {text}" for name, text in BENCHMARKS.items()),
    )  # fmt: skip
    add = parser.add_argument
    add("--only", nargs="+", choices=tuple(BENCHMARKS), metavar="NAME", help="some of them")
    add("--quick", action="store_true", help="small and rough, in two minutes; nothing is written")
    add("--mixed_precision", action="store_true", help="train in bfloat16 too, for GPUs")
    add("--dataset_dir", metavar="DIR", help="photographs (.jpg) to train on; made up if not given")
    add(
        "--save",
        metavar="FILE",
        help="file of results (default: RESULTS.md beside this one, if all were measured in full)",
    )
    return parser


def machine() -> str:
    """What it ran on, as a list."""
    import keras
    import numpy as np

    backend = keras.config.backend()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"; load before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return "\n".join(
        [
            f"* {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
            f"* {model}, {usable} core(s) in use{load}",
            f"* Python {platform.python_version()}, Keras {keras.__version__}, "
            f"{backend} {importlib.import_module(backend).__version__}, NumPy {np.__version__}",
        ]
    )


def main() -> int:
    """Run the benchmarks, print them, and write them down."""
    args = build_parser().parse_args()
    sys.path.insert(0, str(ROOT))
    from unetpred.backends.keras_import import import_keras

    import_keras()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it advises on every further network
    how = shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])
    parts = [f"# Benchmarks\n\nMade by `{how}`.", machine()]
    sys.stdout.write("\n\n".join(parts) + "\n")
    for name in args.only or BENCHMARKS:
        started = time.perf_counter()
        for table in importlib.import_module(f"benchmarks.{name}").run(args):
            parts.append(str(table))
            sys.stdout.write(f"\n{table}\n")
            sys.stdout.flush()
        sys.stderr.write(f"{name}: {time.perf_counter() - started:.0f} s\n")
    save = args.save or (
        ROOT / "benchmarks" / "RESULTS.md" if not (args.quick or args.only) else ""
    )
    if save:
        Path(save).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
