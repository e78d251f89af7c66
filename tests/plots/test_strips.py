"""Words above pictures: where they are, and how high they make them."""

import numpy as np

from unetpred.plots.strips import LINE, strip


def test_each_text_is_in_its_share():
    made = strip(300, ["original", "", "filled in"])
    assert made.shape == (LINE, 300, 3) and made.dtype == np.uint8
    ink = (made < 128).any(axis=(0, 2))
    assert ink[:100].any() and not ink[100:200].any() and ink[200:].any()


def test_long_texts_are_broken_between_words():
    words = "step 400: held-out structure 0.6294, l1 21.54"
    assert strip(600, [words]).shape == (LINE, 600, 3)
    narrow = strip(160, [words])
    assert narrow.shape[0] in (2 * LINE, 3 * LINE)
    assert not (narrow[:, -2:] < 128).any()  # nothing is cut off
