"""Orders, importance and correlations against sorting by hand, every arrangement, and numpy's own coefficients."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workers.analysis.ablation.importance import (
    Moments,
    band,
    coactivation,
    correlate,
    importance,
    mean_iou_by_importance,
    order_units,
    random_sets,
    ranks,
)

FIGURES = arrays.arrays(np.float64, (2, 6, 3), elements=st.sampled_from([0.25, 0.5, 0.75]))


@given(FIGURES)
def test_the_most_damaging_come_first_and_ties_go_on_to_the_next_figure(figures):
    accuracy, log_probability = figures
    order = order_units(accuracy, log_probability, "balanced_accuracy")
    steady = order_units(accuracy, log_probability, "log_probability")
    for c in range(3):
        assert order[c].tolist() == sorted(range(6), key=lambda u: (accuracy[u, c], log_probability[u, c], u))
        assert steady[c].tolist() == sorted(range(6), key=lambda u: (log_probability[u, c], u))
    places = ranks(order)
    assert all(places[order[c, place], c] == place + 1 for c in range(3) for place in range(6))


def test_importance_counts_the_classes_that_a_unit_matters_to():
    order = np.array([[4, 0, 1, 2, 3], [4, 3, 2, 1, 0], [0, 4, 1, 2, 3]])
    assert importance(order, top=2).tolist() == [2, 0, 0, 1, 3]
    assert importance(order).tolist() == [2, 3, 3, 1, 3]
    assert importance(order, top=99).tolist() == [3] * 5


def test_a_p_value_is_the_share_of_arrangements_that_reach_as_far():
    counts, iou = np.array([3, 0, 1, 1, 5, 2]), np.array([0.2, 0.1, 0.1, 0.05, 0.3, 0.02])
    found = correlate(counts, iou, permutations=20_000)
    every = [np.corrcoef(order, iou)[0, 1] for order in permutations(counts)]
    real = np.corrcoef(counts, iou)[0, 1]
    assert found.pearson == pytest.approx(real)
    assert found.pearson_p == pytest.approx(np.mean(np.abs(every) >= abs(real) - 1e-12), abs=0.01)
    shared = np.array([5, 1, 2.5, 2.5, 6, 4]), np.array([5, 3.5, 3.5, 2, 6, 1])
    every = [np.corrcoef(order, shared[1])[0, 1] for order in permutations(shared[0])]
    real = np.corrcoef(*shared)[0, 1]
    assert found.spearman == pytest.approx(real)
    assert found.spearman_p == pytest.approx(np.mean(np.abs(every) >= abs(real) - 1e-12), abs=0.01)
    assert found.permutations == 20_000


def test_p_values_are_uniform_where_nothing_goes_together():
    random = np.random.default_rng(0)
    found = [correlate(random.poisson(2, 30), random.random(30), permutations=199) for _ in range(400)]
    for name in ("pearson_p", "spearman_p"):
        values = np.array([getattr(one, name) for one in found])
        assert values.min() >= 1 / 200
        for level in (0.05, 0.2, 0.5):
            assert (values <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 400))


def test_what_does_not_vary_has_no_correlation():
    for counts, iou in (([2, 2, 2], [0.1, 0.2, 0.3]), ([1, 2, 3], [0.0, 0, 0]), ([1], [0.5]), ([], [])):
        found = correlate(np.array(counts, int), np.array(iou, float), permutations=9)
        assert (found.pearson, found.pearson_p, found.spearman, found.spearman_p) == (None,) * 4
    pair = correlate(np.array([0, 4]), np.array([0.1, 0.3]), permutations=9)
    assert (pair.pearson, pair.pearson_p) == (pytest.approx(1), 1)


def test_a_correlation_is_the_same_in_pieces(monkeypatch):
    random = np.random.default_rng(1)
    counts, iou = random.poisson(2, 20), random.random(20)
    whole = correlate(counts, iou, permutations=100)
    monkeypatch.setattr("workers.analysis.ablation.importance.HELD_VALUES", 70)
    assert correlate(counts, iou, permutations=100) == whole


def test_mean_iou_of_units_of_equal_importance():
    assert mean_iou_by_importance(np.array([2, 0, 2, 7]), np.array([0.5, 0.125, 0.25, 0.0])) == [
        {"importance": 0, "units": 1, "mean_iou": 0.125},
        {"importance": 2, "units": 2, "mean_iou": 0.375},
        {"importance": 7, "units": 1, "mean_iou": 0.0},
    ]


def test_coactivation_is_pearsons_r_in_whatever_pieces_the_images_come():
    random = np.random.default_rng(2)
    peaks = random.gamma(2, 1, (50, 7)).astype(np.float32)
    probabilities = random.dirichlet([0.3] * 4, 50).astype(np.float32)
    peaks[:, 2] += 1e6
    peaks[:, 3], peaks[:, 4], probabilities[:, 2] = 0, np.float32(0.1), np.float32(1e-5)
    peaks[:, 5] = probabilities[:, 0]
    varying_units, varying_classes = [0, 1, 2, 5, 6], [0, 1, 3]
    found = coactivation(peaks, probabilities)
    both = np.concatenate([peaks[:, varying_units], probabilities[:, varying_classes]], axis=1).astype(np.float64)
    expected = np.zeros((7, 4))
    expected[np.ix_(varying_units, varying_classes)] = np.corrcoef(both.T)[:5, 5:]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[5, 0] == pytest.approx(1)

    shards = []
    for start, stop in ((0, 1), (1, 20), (20, 50)):
        shards.append(Moments.empty(7, 4))
        for image in range(start, stop):
            shards[-1].add(peaks[image : image + 1], probabilities[image : image + 1])
    total = Moments.empty(7, 4)
    for shard in shards:
        total.merge(Moments(**vars(shard)))
    assert total.images == 50
    np.testing.assert_allclose(total.correlation(), expected, atol=1e-9)
    assert np.flatnonzero(total.varies().any(axis=1)).tolist() == varying_units
    assert np.flatnonzero(total.varies().any(axis=0)).tolist() == varying_classes


def test_no_image_and_one_image_correlate_nothing():
    nothing = Moments.empty(2, 3)
    nothing.merge(Moments.empty(2, 3))
    one = Moments.of(np.ones((1, 2)), np.ones((1, 3)))
    for moments in (nothing, one):
        assert not moments.varies().any()
        assert moments.correlation().tolist() == [[0] * 3] * 2


def test_random_sets_grow_as_a_draw_goes_on():
    units, sizes = [3, 5, 8, 13, 21], [1, 3, 5]
    sets = random_sets(units, sizes)
    assert (len(sets), {len(draws) for draws in sets}) == (3, {20})
    for draws in zip(*sets, strict=True):
        assert [len(drawn) for drawn in draws] == sizes
        assert all(smaller == larger[: len(smaller)] for smaller, larger in pairwise(draws))
        assert sorted(draws[-1]) == units
    assert sets == random_sets(units, sizes)
    assert sets != random_sets(units, sizes, seed=1)
    first = [single[0] for single in random_sets(range(4), [1], draws=2000)[0]]
    np.testing.assert_allclose(np.bincount(first) / 2000, 0.25, atol=0.05)


def test_a_band_holds_the_middle_of_the_draws():
    values = np.random.default_rng(3).permutation(np.arange(21.0))[:, None] * [1, 10]
    np.testing.assert_allclose(band(values), [[1, 10], [19, 190]])
    np.testing.assert_allclose(band(values, level=0.5), [[5, 50], [15, 150]])
