"""Times of things that are compared, taken in turn, so that a busy machine favours none."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleaved(calls: dict[str, Callable], rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Seconds of each call in each round, after `warm` rounds that do not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warm + rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= warm:
                times[name].append(time.perf_counter() - started)
    return times


def ratio(times: dict[str, list[float]], over: str, under: str) -> float:
    """Median over the rounds of how many times longer one took than another."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))


def seconds(times: dict[str, list[float]], name: str) -> float:
    """Median over the rounds."""
    return statistics.median(times[name])
