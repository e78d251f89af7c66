"""Means, intervals and differences of an evaluation, from rows made by hand."""

import numpy as np
import pytest

from unetpred.evaluation.measures import NETWORK, Row, summarise


def rows_of(**values: np.ndarray) -> list[Row]:
    """One row per image and method, L1 and PSNR twice and three times the structure."""
    return [
        Row(str(index), 52, method, r, None, 2 * r, 3 * r, 0.5)
        for index, all_methods in enumerate(zip(*values.values(), strict=True))
        for method, r in zip(values, map(float, all_methods), strict=True)
    ]


def test_interval_is_that_of_the_standard_error():
    values = np.random.default_rng(1).normal(0.6, 0.1, 400)
    first = summarise(rows_of(unetpred=values), resamples=4000)[0]
    error = values.std() / np.sqrt(400)
    assert first.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert first.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_same_seed_same_interval():
    rows = rows_of(unetpred=np.random.default_rng(2).normal(size=20))
    assert summarise(rows, 100, seed=4) == summarise(rows, 100, seed=4)
    assert summarise(rows, 100, seed=4)[0][:5] == summarise(rows, 100, seed=5)[0][:5]
    assert summarise(rows, 100, seed=4)[0] != summarise(rows, 100, seed=5)[0]


def test_differences_are_paired():
    values = np.random.default_rng(3).normal(size=50)
    summary = summarise(rows_of(unetpred=values + 0.25, telea=values), 100)
    own, difference = summary[0], next(s for s in summary if s.against == "telea")
    assert own.high - own.low > 0.2
    assert difference[:4] == (52, NETWORK, "telea", "structure")
    assert difference[4:8] == pytest.approx((0.25,) * 4)


def test_undefined_and_infinite_values_are_counted_and_left_out():
    values = np.array([0.5, np.nan, 0.6, 0.7, np.inf, 0.8, 0.9])
    own = summarise(rows_of(unetpred=values), 500)[0]
    assert (own.images, own.undefined) == (5, 2)
    assert (own.mean, own.median) == pytest.approx((0.7, 0.7))
    assert 0.5 <= own.low < 0.7 < own.high <= 0.9


def test_few_images_have_a_mean_and_no_interval():
    own = summarise(rows_of(unetpred=np.array([0.5, 0.6, 0.7, 0.9, np.nan])), 500)[0]
    assert (own.images, own.mean, own.median) == pytest.approx((4, 0.675, 0.65))
    assert np.isnan(own.low) and np.isnan(own.high)


def test_psnr_is_averaged_over_the_same_images_for_all_methods():
    """A simple filling of a flat image is perfect, which makes its PSNR infinite."""
    ours = np.array([30.0, 20.0, 10.0])
    rows = [row._replace(psnr=row.structure) for row in rows_of(unetpred=ours)]
    rows += [
        row._replace(psnr=value)
        for row, value in zip(rows_of(telea=ours), (np.inf, 19.0, 9.0), strict=True)
    ]
    found = {s.method: s for s in summarise(rows, 200) if s.measure == "psnr" and not s.against}
    assert found[NETWORK].mean == pytest.approx(15) and found["telea"].mean == pytest.approx(14)
    assert {(s.images, s.undefined) for s in found.values()} == {(2, 1)}
    # of structure, which simple fillings often have none of, each method keeps its own images
    assert next(s for s in summarise(rows, 50) if s.measure == "structure").images == 3
