"""What the tests of whole networks share."""

import numpy as np

WIDTH = 0.125
SIDE = {"paper": 32, "released": 16}


def close(a, b, whole=None, tolerance=1e-5):
    """Equal up to rounding: typically within a share of the spread, at most of the range.

    The spread and the range are those of `whole`, what b was cut from, if it is given.
    """
    whole = b if whole is None else whole
    assert a.shape == b.shape
    assert np.all(np.isfinite(a))
    assert np.sqrt(np.mean((a - b) ** 2)) <= tolerance * whole.std()
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(whole).max())
