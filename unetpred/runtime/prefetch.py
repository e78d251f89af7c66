"""Prefetching: making things ahead of time, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def prefetch(
    make: Callable[[Item], Made], items: Iterable[Item], workers: int = 1, each: int = 1
) -> Generator[Made, None, None]:
    """Make things in order, the next ones in threads while the caller works with this one.

    Parameters
    ----------
    make : callable
        Called with each item. With several threads, its result must depend on its argument alone.
        Its errors are raised where its result is asked for.
    items : iterable
        What to make things of; items are taken as they are needed.
    workers : int
        Number of threads, at least 1.
    each : int
        How many results per thread are made ahead; this bounds the memory.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="prefetch") as pool:
        futures: deque[Future[Made]] = deque()
        try:
            for item in items:
                futures.append(pool.submit(make, item))
                if len(futures) > each * workers:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()
