"""The page can stay open: its memory does not grow."""

import ctypes
import gc
import os

import pytest

pytestmark = pytest.mark.slow


def resident() -> int:
    """Bytes of this process that are in memory, without what is free and merely kept."""
    gc.collect()
    # threads keep what they have freed, in pieces: how much of it varies by a tenth of a GB
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc has it")
def test_memory_is_flat_over_200_scorings(site, file, compiled):
    site.page.engine.warm(site.page.weights)
    tab = site.tab()
    tab.open(file)

    def score(count):
        for k in range(count):
            place = 280 + 4 * (k % 9), 260 + 4 * (k % 5)
            context = "full" if k % 20 == 0 else "224"
            assert tab.click(*place, size=20 + 4 * (k % 12), context=context)["success"]
        return resident()

    warm = score(36)
    assert score(200) - warm < 40e6
