"""Ctrl-C where there is nothing to save is answered at once."""

import os
import signal
import subprocess
import sys
import time

import pytest

from unetpred.runtime.interrupt import Stopped, stop_signals

BUSY = """
import hashlib, threading, time
from unetpred.runtime.interrupt import Watch
with Watch(0.5, "told") as watch:
    {end}
    threading.Timer(0.2, lambda: print("now", flush=True)).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", {rounds})  # from which Python sees no signal
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_does_not_return_is_left(number):
    code = BUSY.format(end="import signal; signal.signal(signal.SIGTERM, print)", rounds=10**9)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "now\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number and err == "told\n"


def test_once_there_is_something_to_save_python_alone_decides():
    code = BUSY.format(end="watch.end()", rounds=10**6)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert "told" not in err and "KeyboardInterrupt" in err


def test_the_first_signal_stops_where_nothing_is_done():
    with pytest.raises(Stopped) as stopped, stop_signals(lambda: True):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert stopped.value.number == signal.SIGTERM
