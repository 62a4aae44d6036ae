"""Distances and the figures of robustness against numpy and by hand."""

import numpy as np
import pytest

from tests.workers.analysis.attacks.planted import noise
from workers.analysis.attacks.robustness import Spread, accuracy_curve, distances, summarize


def test_distances_are_norms_of_the_difference():
    before, after = noise(5, 6), noise(5, 6, seed=1)
    after[2] = before[2]
    changes = (after.double() - before.double()).numpy().reshape(5, -1)
    l2, linf = distances(before, after)
    assert l2.numpy() == pytest.approx(np.sqrt((changes**2).sum(1)))
    assert linf.numpy() == pytest.approx(np.abs(changes).max(1))
    assert (l2[2], linf[2]) == (0, 0)
    assert [norm.shape for norm in distances(before[:0], after[:0])] == [(0,), (0,)]


def test_a_curve_counts_who_is_still_right():
    successes = np.array([0.0, 0.5, 0.25, 0.5])
    budgets = [0.0, 0.2, 0.25, 0.4, 0.5, 9.0]
    curve = accuracy_curve(successes, 8, budgets)
    assert curve == [1 - sum(s <= budget for s in successes) / 8 for budget in budgets]
    assert curve == [0.875, 0.875, 0.75, 0.75, 0.5, 0.5]
    assert accuracy_curve(np.array([]), 3, [0.0, 1.0]) == [1.0, 1.0]


def test_figures_of_successes():
    found = summarize(np.array([1.0, 2.0, 6.0]), np.array([0.1, 0.2, 0.3]), 4)
    assert (found.images, found.success_rate) == (4, 0.75)
    assert (found.l2.median, found.l2.mean, found.linf.median) == (2.0, 3.0, 0.2)
    assert found.linf.mean == pytest.approx(0.2)


def test_nothing_that_succeeded_has_no_distances():
    nothing = np.array([])
    found = summarize(nothing, nothing, 4)
    assert (found.success_rate, found.l2, found.linf) == (0.0, Spread(None, None), Spread(None, None))
    assert summarize(nothing, nothing, 0).success_rate is None
