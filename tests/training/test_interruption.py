"""Ctrl-C where there is nothing to save is answered at once."""

import os
import signal
import subprocess
import sys
import time

import pytest

from unetpred.backends.keras_import import ended_by_signals
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


def test_a_library_that_holds_the_interpreter_while_it_is_imported():
    code = """
from unetpred.backends.keras_import import ended_by_signals
with ended_by_signals():
    print("now", flush=True)
    sum(range(10**12))  # no thread of Python runs beside it
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT


def test_what_ctrl_c_means_is_left_as_it_was():
    with ended_by_signals():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with stop_signals() as caught:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGINT)
        assert caught == [signal.SIGINT]


@pytest.mark.parametrize("code, torn_down", [(0, True), (1, True), (130, False), (143, False)])
def test_one_that_was_interrupted_does_not_tear_libraries_down(code, torn_down):
    program = f"""
import atexit, sys
from unetpred.runtime.interrupt import leave
atexit.register(print, "torn down")
print("said", end=" ")
leave({code})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout == ("said torn down\n" if torn_down else "said ")
