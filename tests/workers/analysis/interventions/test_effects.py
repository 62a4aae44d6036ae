"""Changes of pixels against a bootstrap written as loops, and where the answer is known."""

import numpy as np
import pytest

from workers.analysis import bootstrap
from workers.analysis.interventions.effects import random_band, relative_changes


@pytest.fixture
def pixels():
    random = np.random.default_rng(0)
    before = random.integers(0, 60, (40, 3)) * random.integers(0, 2, (40, 3))
    return before, np.maximum(0, before - random.integers(-5, 20, (40, 3)))


def test_intervals_are_those_of_resampled_pairs(pixels):
    before, after = pixels
    found = relative_changes(before, after)
    random = np.random.default_rng(1)
    ratios = []
    for _ in range(4000):
        drawn = random.integers(len(before), size=len(before))
        ratios.append([(after[drawn, k].sum() - before[drawn, k].sum()) / before[drawn, k].sum() for k in range(3)])
    expected = np.quantile(ratios, [0.005, 0.995], axis=0)
    assert found.change == pytest.approx((after.sum(0) - before.sum(0)) / before.sum(0))
    assert found.low == pytest.approx(expected[0], abs=0.04)
    assert found.high == pytest.approx(expected[1], abs=0.04)
    assert found.known.all() and found.bounded.all()


def test_pieces_of_the_resamples_do_not_matter(pixels, monkeypatch):
    whole = relative_changes(*pixels)
    monkeypatch.setattr(bootstrap, "HELD_VALUES", 300)
    pieces = relative_changes(*pixels)
    assert pieces.low.tolist() == whole.low.tolist()


def test_the_interval_holds_the_truth_as_often_as_it_says():
    random, held = np.random.default_rng(3), 0
    for seed in range(80):
        before = random.integers(1, 40, (60, 1))
        after = random.binomial(before, 0.7)
        found = relative_changes(before, after, seed)
        held += found.low[0] <= -0.3 <= found.high[0]
    assert held >= 76


def test_what_no_picture_shows_has_no_change_and_what_one_shows_no_interval():
    before = np.zeros((9, 3), np.int64)
    before[4, 1] = 10
    before[:, 2] = 4
    after = before // 2
    after[:, 0] = 7
    found = relative_changes(before, after)
    assert found.known.tolist() == [False, True, True]
    assert found.bounded.tolist() == [False, False, True]
    assert found.change.tolist() == [0, -0.5, -0.5]
    assert (found.low[2], found.high[2]) == (-0.5, -0.5)
    assert not relative_changes(before[4:5], after[4:5]).bounded.any()


def test_a_band_is_over_the_draws():
    after = np.array([[12, 5], [8, 0], [10, 9]])
    found = random_band(np.array([10, 0]), after)
    assert found.mean.tolist() == [0, 0]
    assert found.low.tolist() == pytest.approx([-0.18, 0])
    assert found.high.tolist() == pytest.approx([0.18, 0])
