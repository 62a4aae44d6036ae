"""What attacks do to units, against loops over images and units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workers.analysis.attacks import units
from workers.analysis.attacks.units import concept_changes, group_changes, mean_intervals, moved_most, top_shares

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 14))


@st.composite
def watched(draw):
    """Changes with ties, and a group that has a member in every image."""
    images, number = draw(SHAPES)
    quarters = arrays.arrays(np.float32, (images, number), elements=st.integers(-8, 8).map(lambda n: n / 4))
    members = draw(arrays.arrays(np.bool_, (images, number)))
    members[:, draw(st.integers(0, number - 1))] = True
    return draw(quarters), members


@given(watched())
def test_groups_are_averaged_in_each_image(given):
    changes, members = given
    expected = [
        sum(c for c, member in zip(row, inside, strict=True) if member) / sum(inside)
        for row, inside in zip(changes.tolist(), members.tolist(), strict=True)
    ]
    assert group_changes(changes, members).tolist() == pytest.approx(expected)


@given(watched(), st.integers(1, 12))
def test_shares_count_the_units_that_moved_most(given, top):
    changes, important = given
    shares, chances = top_shares(changes, important, top)
    for row, (change, matters) in enumerate(zip(changes.tolist(), important.tolist(), strict=True)):
        order = sorted(range(len(change)), key=lambda unit: (-abs(change[unit]), unit))
        assert moved_most(changes)[row].tolist() == order
        assert shares[row] == pytest.approx(sum(matters[unit] for unit in order[:top]) / len(order[:top]))
        assert chances[row] == pytest.approx(sum(matters) / len(matters))


def test_the_share_of_random_changes_is_that_of_chance():
    random = np.random.default_rng(0)
    important = np.zeros((4000, 40), np.bool_)
    important[:, :8] = True
    shares, chances = top_shares(random.normal(size=important.shape), important)
    assert shares.mean() == pytest.approx(0.2, abs=0.01)
    assert set(chances) == {0.2}


@given(watched(), st.data())
def test_concepts_are_weighted_by_their_labels(given, data):
    changes, _ = given
    weights = data.draw(
        arrays.arrays(np.float64, (2, changes.shape[1]), elements=st.integers(0, 4).map(lambda n: n / 4))
    )
    weights[:, 0] += 0.25
    for row, change in enumerate(changes.tolist()):
        for concept, mine in enumerate(weights.tolist()):
            expected = sum(c * w for c, w in zip(change, mine, strict=True)) / sum(mine)
            assert concept_changes(changes, weights)[row, concept] == pytest.approx(expected, abs=1e-12)


def test_intervals_are_quantiles_of_resampled_means():
    """Against a loop that draws image by image: two bootstraps of 10,000 differ by a hair of the interval's width."""
    random = np.random.default_rng(1)
    values = np.stack([random.exponential(size=30), random.normal(5, 2, 30), np.full(30, 0.5)], axis=1)
    low, high = mean_intervals(values)
    means = [values[random.integers(0, 30, 30)].mean(axis=0) for _ in range(10_000)]
    expected = np.quantile(means, [0.005, 0.995], axis=0)
    width = expected[1] - expected[0]
    assert (np.abs(low - expected[0]) <= 0.06 * width + 1e-12).all()
    assert (np.abs(high - expected[1]) <= 0.06 * width + 1e-12).all()
    assert (low[2], high[2]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_intervals_cover_the_mean_as_often_as_they_say(monkeypatch):
    """The units of an image move together: whoever takes each for a draw of its own is wrong far more often."""
    monkeypatch.setattr(units, "RESAMPLES", 500)
    random, members, worlds = np.random.default_rng(2), np.ones((40, 8), np.bool_), 100
    covered = np.zeros((worlds, 2), np.bool_)
    for world in range(worlds):
        changes = 3 + random.normal(size=(40, 1)) + 0.1 * random.normal(size=(40, 8))
        for column, values in enumerate((group_changes(changes, members), changes.ravel())):
            low, high = mean_intervals(values[:, None], seed=world)
            covered[world, column] = low[0] <= 3 <= high[0]
    by_image, by_unit = covered.mean(axis=0)
    assert by_image == pytest.approx(0.985, abs=0.02)
    assert by_unit < 0.75


def test_intervals_are_the_same_whatever_else_is_asked_and_held(monkeypatch):
    values = np.random.default_rng(3).normal(size=(25, 6))
    whole = mean_intervals(values)
    alone = [mean_intervals(values[:, [column]]) for column in range(6)]
    for end in (0, 1):
        np.testing.assert_allclose([one[end][0] for one in alone], whole[end], rtol=1e-12)
    monkeypatch.setattr(units, "HELD_VALUES", 25 * 300)
    np.testing.assert_allclose(mean_intervals(values), whole, rtol=1e-12)
