"""Read damaged files by every reader: `python -m fuzz --cases 10000 [--seed 0] [READER ...]`.

A case fails if anything but one line about the file comes out: another exception, a crash, more
than 10 s, more than 1 GiB of memory. Exit code 1 if any does. `--keep DIR` keeps their files.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from fuzz.readers import APART, READERS

ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--cases", type=int, default=300, help="for each reader (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, default=10, help="for a case (default: 10)")
    parser.add_argument("--verbose", action="store_true", help="name the samples read otherwise")
    parser.add_argument("--keep", type=Path, help="where files go that made a reader fail")
    args = parser.parse_args(arguments)
    failures = 0
    for reader in args.readers or READERS:
        counts, failed, others = fuzz(
            reader, args.seed, args.first, args.cases, args.seconds, args.keep
        )
        told = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
        print(f"{reader}: {args.cases} cases, seed {args.seed}: {told}", flush=True)
        if args.verbose:
            print(f"  read as something else: {dict(sorted(others.items()))}", flush=True)
        for line in failed:
            print(f"  {line}", flush=True)
        failures += len(failed)
    return 1 if failures else 0


def fuzz(
    reader: str, seed: int, first: int, count: int, seconds: float, keep: Path | None = None
) -> tuple[Counter, list[str], Counter]:
    """Read damaged files; how many ended how, a line for each that failed, what read as other."""
    counts: Counter = Counter()
    others: Counter = Counter()
    failed: list[str] = []
    number, end = first, first + count
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while number < end:
            worker = _Worker(reader, seed, number, end - number, folder)
            for number, sample, result in worker.results(seconds):
                if reader in APART and result.startswith("FAILED c"):  # crashed, or too slow
                    result = _by_the_door(APART[reader], folder, sample)
                counts[result.split(":")[0].split(" ")[0]] += 1
                others[sample] += result == "other"
                if result.startswith("FAILED"):
                    failed.append(f"case {number} ({sample}): {result}")
                    if keep:
                        keep.mkdir(parents=True, exist_ok=True)
                        for path in Path(folder).glob("case*"):
                            shutil.copy(path, keep / f"{reader}-{seed}-{number}-{path.name}")
            number += 1
    return counts, failed, others


def _by_the_door(door: str, folder: str, sample: str) -> str:
    """Read a file as the command line does: in a process that may crash or run for ever."""
    name = f"case{Path(sample).suffix if sample.count('.') < 2 else sample[1:]}"
    code = (
        f"from fuzz.readers import weights_by_the_door as read; read({str(Path(folder) / name)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1:] or [""]
    refused = "InputError" in last[0] or "DamagedState" in last[0] or done.returncode == 0
    return "apart" if refused else f"FAILED crash: {done.returncode} {last[0]}"


class _Worker:
    def __init__(self, reader: str, seed: int, first: int, count: int, folder: str):
        words = [sys.executable, "-m", "fuzz.worker", reader, seed, first, count, folder]
        self._process = subprocess.Popen(
            [str(word) for word in words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._begun = False

    def results(self, seconds: float):
        """Give number, sample and result of each case, until it is done or ends early."""
        number = None
        try:
            while line := self._line(seconds if self._begun else 120):
                self._begun = True
                kind, _, rest = line.partition(" ")
                if kind == "case":
                    number, sample = int(rest.split()[0]), rest.split()[1]
                elif kind == "done":
                    yield number, sample, rest.strip()
                    number = None
            if number is not None:
                code = self._process.poll()
                told = f"crash: code {self._process.wait()}" if code is not None else "clock"
                yield number, sample, f"FAILED {told}"
            elif not self._begun:
                raise RuntimeError("the worker did not start; run `python -m fuzz.worker` by hand")
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def _line(self, seconds: float) -> str:
        # a line is written at once, so that none is read in part
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return ""
        line = self._process.stdout.raw.readline().decode()
        if not line:
            self._process.wait()
        return line


if __name__ == "__main__":
    sys.exit(main())
