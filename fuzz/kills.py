"""Kill runs at random moments, go on with them, and compare with one that was left alone.

    python -m fuzz.kills [--times 20] [--seed 0] [RUN ...]

RUN is one of predict, sites, map, features, evaluate, train; all of them if none is named. Each is
run once undisturbed. Then it is begun, killed (SIGKILL) at a moment drawn from its whole duration,
or, half of the time, from what follows its first file; taken up with --resume, killed again with
probability 1/2, and let end. Its files must have the values of the undisturbed ones, and none of an
earlier moment may be left beside them. Exit code 1 if any has not.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_TRIES = 5
ROOT = Path(__file__).parents[1]


def commands(data: Path, out: Path) -> dict[str, tuple[list[str], bool]]:
    """Words of each run, and whether it can be taken up."""
    images, weights = str(data / "images"), ["--weights", "lite", "--quiet"]
    predict = ["predict", "--output", "structure", "--batch_size", "2", *weights]
    train = ["--image_size", "32", "--batch_size", "2", "--epochs", "2", "--steps_per_epoch", "10"]
    train += ["--checkpoint_interval", "3", "--val_interval", "10", "--log_interval", "5"]
    train += ["--workers", "1", "--dataset_dir", images, "--checkpoint_dir", str(out), "--quiet"]
    evaluate = ["--data_dir", images, "--output_dir", str(out), "--holes", "52"]
    evaluate += ["--output", "structure", *weights]
    sites = ["--sites", str(data / "sites.csv"), "--mask_size", "26"]
    features = ["--layers", "vblock4_*", "--save", str(out / "features.h5"), *weights]
    mapped = [
        "map",
        "--input",
        str(data / "images" / "0.png"),
        "--stride",
        "32",
        "--output",
        "structure",
    ]
    return {
        "predict": ([*predict, "--input", images, "--save", str(out / "scores.csv")], True),
        "sites": ([*predict, "--input", images, *sites, "--save", str(out / "scores.csv")], True),
        "map": (
            [*mapped, "--save", str(out / "map.npz"), *weights],
            True,
        ),
        "features": (["features", "--input", images, *features], False),
        "evaluate": (["evaluate", *evaluate], True),
        "train": (["train", *train], True),
    }


def make_data(folder: Path) -> None:
    """Write the images and sites of all runs."""
    from PIL import Image

    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    y, x = np.mgrid[:224, :224]
    lines = ["x,y,image"]
    for i in range(12):
        waves = [127 + 90 * np.sin(y / (5 + i) + x / (7 + c)) for c in range(3)]
        pixels = np.clip(np.stack(waves, -1) + rng.normal(0, 12, (224, 224, 3)), 0, 255)
        Image.fromarray(pixels.astype("uint8")).save(folder / "images" / f"{i}.png")
        lines += [f"{rng.integers(40, 180)},{rng.integers(40, 180)},{i}.png" for _ in range(2)]
    (folder / "sites.csv").write_text("\n".join(lines) + "\n")


def start(words: list[str], log: Path) -> subprocess.Popen:
    """Start a command of the package, in a group of processes of its own."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "unetpred", *words],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )


def killed(words: list[str], after: float, log: Path, out: Path | None = None) -> bool:
    """Kill a command after some seconds, from its first file in `out` if that is given.

    Returns
    -------
    bool
        False if it had ended by then.
    """
    process = start(words, log)
    try:
        if out:
            _await_first_file(process, out)
        process.wait(after)
    except subprocess.TimeoutExpired:
        return True
    finally:
        _end(process)
    return False


def _end(process: subprocess.Popen) -> None:
    """Leave no process behind, whatever ends this one."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_first_file(process: subprocess.Popen, out: Path) -> None:
    before = set(out.iterdir())
    while process.poll() is None and not set(out.iterdir()) - before:
        time.sleep(0.02)


def finished(words: list[str], log: Path, out: Path) -> tuple[float, float]:
    """Let a command end; the seconds that it took, and those from its first file on."""
    begun = time.monotonic()
    process = start(words, log)
    try:
        _await_first_file(process, out)
        first = time.monotonic()
        code = process.wait()
    finally:
        _end(process)
    if code:
        raise RuntimeError(f"{' '.join(words)}: exit code {code}: {log.read_text()[-2000:]}")
    return time.monotonic() - begun, time.monotonic() - first


def values(folder: Path) -> dict[str, object]:
    """What a run has left, without what tells of its time and its command."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # what a kill cuts short stays beside, under a hidden name
        if path.is_dir() or "tensorboard" in name or path.name.startswith("."):
            continue
        found[name] = _content(path)
    return found


def _bytes(values: object) -> bytes:
    array = np.asarray(values)
    return repr(array.tolist()).encode() if array.dtype == object else array.tobytes()


def _content(path: Path) -> object:
    import h5py

    if path.suffix == ".csv":
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        varying = ("images_per_second", "waiting") if path.name == "history.csv" else ()
        return [{k: v for k, v in row.items() if k not in varying} for row in rows]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name].tobytes() for name in file if name != "provenance"}
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False).tobytes()
    if path.suffix == ".h5":
        arrays = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: (
                    arrays.update({name: (str(item.dtype), item.shape, _bytes(item[()]))})
                    if isinstance(item, h5py.Dataset) and name != "provenance"
                    else None
                )
            )
        return arrays
    if path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image).tobytes()
    return "there"  # texts tell of time and command


def main(arguments: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.kills", description=__doc__.split(".")[0])
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    failures = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        data = Path(folder) / "data"
        make_data(data)
        for run in args.runs or commands(data, data):
            failures += _kill(run, Path(folder), data, args.times, args.seed)
    return 1 if failures else 0


def _kill(run: str, folder: Path, data: Path, times: int, seed: int) -> int:
    out = folder / run  # always the same, since provenance and --resume look at names
    log = folder / f"{run}.log"
    words, resumable = commands(data, out)[run]
    out.mkdir()
    seconds, with_files = finished(words, log, out)
    whole = values(out)
    chance = random.Random(f"{seed} {run}")
    failures = kills = 0
    for number in range(times):
        again = [*words, "--resume"] if resumable else words
        for _ in range(_TRIES):  # it may have ended by then
            shutil.rmtree(out)
            out.mkdir()
            late = chance.random() < 0.5
            moment = chance.uniform(0, with_files if late else seconds)
            if killed(words, moment, log, out if late else None):
                kills += 1
                break
        if chance.random() < 0.5:
            kills += killed(again, chance.uniform(0, seconds), log)
        finished(again, log, out)
        found = values(out)
        if run == "features":  # which may be large; of others it is small and stays
            found |= {path.name: "begun" for path in out.glob(".*")}
        if wrong := [n for n in {**whole, **found} if whole.get(n) != found.get(n)]:
            failures += 1
            when = f"{moment:.2f} s{' from its first file' if late else ''}"
            print(
                f"  {run} {number}, killed after {when}: differs in {', '.join(wrong)}", flush=True
            )
    print(
        f"{run}: {times} times, {kills} kills within {seconds:.1f} s, {failures} differ", flush=True
    )
    return failures


if __name__ == "__main__":
    sys.exit(main())
