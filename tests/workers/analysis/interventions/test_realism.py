"""The distance of feature statistics, against a general matrix root and in closed form."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from workers.analysis.interventions.realism import POOLED, frechet_distance, pooled_maps, pooled_pixels, realism


def features(seed, count=50, size=6):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, size)) @ random.normal(size=(size, size)) + random.normal(size=size)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_distance_of_two_normal_distributions(seed):
    a, b = features(seed), features(seed + 10, 70)
    first, second = np.cov(a.T), np.cov(b.T)
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = means + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_of_one_feature_it_is_known_in_closed_form():
    a, b = features(0, size=1), features(1, size=1)
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_fewer_pictures_than_features_do_no_harm():
    a = features(2, count=4, size=9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 1) == pytest.approx(9)


def test_an_edit_that_changes_nothing_is_at_the_floor_and_one_that_shifts_is_above():
    untouched = features(3, count=9)
    same, moved = realism(untouched, untouched), realism(untouched, untouched + 5)
    assert same.distance == same.floor > 0
    assert moved.floor == same.floor
    assert moved.distance > same.floor + 25
    assert realism(untouched, untouched + 1).floor == pytest.approx(frechet_distance(untouched[::2], untouched[1::2]))


def test_features_are_means():
    pictures = torch.rand(2, 3, 16, 24)
    found = pooled_pixels(pictures).view(2, 3, POOLED, POOLED)
    assert torch.allclose(found[1, 2, 3, 5], pictures[1, 2, 6:8, 15:18].mean())
    maps = torch.rand(2, 5, 3, 4)
    assert torch.allclose(pooled_maps(maps)[1, 4], maps[1, 4].mean())
