"""The page can stay open: its memory does not grow."""

import gc
import os

import pytest

pytestmark = pytest.mark.slow


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux tells it")
def test_memory_is_flat_over_200_scorings(site, file):
    tab = site.tab()
    tab.open(file)

    def score(count):
        for k in range(count):
            size = 20 + 4 * (k % 12)
            x, y = 280 + 4 * (k % 9), 260 + 4 * (k % 5)
            context = "full" if k % 4 == 0 else "224"
            assert tab.click(x, y, size=size, context=context)["success"]
        gc.collect()
        return resident()

    warm = score(60)
    after = score(200)
    assert after - warm < 60e6
