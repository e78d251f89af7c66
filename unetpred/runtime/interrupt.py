"""Stopping a long run where it can be taken up again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """The run was asked to stop by the signal of this number; its state is saved.

    It is what Python raises for Ctrl-C, and says in its message where to go on.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Give a list to which Ctrl-C and SIGTERM add their numbers; a second one interrupts.

    Outside of the main thread, which alone may handle signals, the list stays empty.
    """
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
