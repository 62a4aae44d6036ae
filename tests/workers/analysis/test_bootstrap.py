"""Intervals over resampled images: as a loop draws them, and as often right as they claim."""

import numpy as np

from workers.analysis import bootstrap
from workers.analysis.bootstrap import iou_intervals, resamples


def test_resamples_are_draws_with_replacement(monkeypatch):
    draws = np.concatenate(list(resamples(50)))
    assert draws.shape == (1000, 50)
    assert (draws.sum(axis=1) == 50).all()
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.15)
    np.testing.assert_allclose(draws.var(), 1 - 1 / 50, atol=0.03)
    monkeypatch.setattr(bootstrap, "HELD_VALUES", 140)
    in_pieces = list(resamples(50))
    assert [len(piece) for piece in in_pieces] == [2] * 500
    np.testing.assert_array_equal(draws, np.concatenate(in_pieces))


def test_intervals_are_quantiles_of_resampled_ious():
    random = np.random.default_rng(1)
    unions = random.integers(0, 9, (20, 3))
    shared = random.integers(0, unions + 1)
    shared[:, 2] = unions[:, 2] = 0
    draws = np.concatenate(list(resamples(20)))
    ratios = [(d @ shared) / np.maximum(1, d @ unions) for d in draws.astype(int)]
    low, high = iou_intervals(shared, unions)
    np.testing.assert_allclose((low, high), np.quantile(ratios, [0.025, 0.975], axis=0))
    assert (low[2], high[2]) == (0, 0)


def test_intervals_cover_the_true_figure_as_often_as_they_say():
    """Many sets of images of one world, whose IoU is known: E[intersection] / E[union]."""
    random = np.random.default_rng(2)
    images, worlds = 150, 800
    clutter = random.gamma(2.0, 50.0, (images, worlds))  # images differ much in how much they show
    unions = random.poisson(clutter)
    shared = random.binomial(unions, random.beta(2, 6, (images, worlds)))
    low, high = iou_intervals(shared, unions)
    covered = ((low <= 0.25) & (high >= 0.25)).mean()
    assert 0.925 <= covered <= 0.97
