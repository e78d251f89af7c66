"""Stopping a long run where it can be taken up again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


class Stopped(KeyboardInterrupt):
    """The run was asked to stop by the signal of this number; its state is saved.

    It is what Python raises for Ctrl-C, and says in its message where to go on.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


@contextmanager
def stop_signals(at_once: Callable[[], bool] = bool) -> Iterator[list[int]]:
    """Give a list to which Ctrl-C and SIGTERM add their numbers; a second one interrupts.

    Outside of the main thread, which alone may handle signals, the list stays empty.

    Parameters
    ----------
    at_once : callable
        Asked whether the first one shall interrupt already, because there is nothing to save.

    Raises
    ------
    Stopped
        If it shall.
    """
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        if at_once():
            raise Stopped("stopped before anything was done", number)

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> NoReturn:
    """End a command with its exit code; one that was interrupted does not tear libraries down.

    That takes seconds on a busy machine, and all that was to be kept is written.
    """
    if code - 128 in (signal.SIGINT, signal.SIGTERM):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # without one, or full
                stream.flush()
        os._exit(code)
    sys.exit(code)


class Watch:
    """Ends the process soon after a signal, if a library keeps Python from seeing it.

    Python handles signals between its own steps; importing a backend, or compiling, is one step of
    many seconds. For a command, as long as there is nothing to save. Outside of the main thread,
    and on Windows, it does nothing.

    Parameters
    ----------
    seconds : float
        How long Python may take.
    message : str
        What stderr is told then.
    """

    def __init__(self, seconds: float = 1.0, message: str = "interrupted"):
        self._seconds, self._message = seconds, message
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        if os.name == "nt" or threading.current_thread() is not threading.main_thread():
            self._over.set()  # signals do not come here
            return self
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        self._write, self._before = write, signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, daemon=True, name="watch").start()
        return self

    def _wait(self) -> None:
        while told := os.read(self._read, 1):
            number = told[0]
            if number not in (signal.SIGINT, signal.SIGTERM):
                continue
            if not self._over.wait(self._seconds):
                with suppress(OSError, AttributeError):  # without a stderr
                    os.write(sys.stderr.fileno(), f"{self._message}\n".encode())
                os._exit(128 + number)
        os.close(self._read)

    def end(self) -> None:
        """Leave signals to Python from now on."""
        if not self._over.is_set():
            self._over.set()
            signal.set_wakeup_fd(self._before)
            os.close(self._write)

    def __exit__(self, *error: object) -> None:
        self.end()
