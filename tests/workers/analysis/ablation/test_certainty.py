"""Intervals and p-values against resampled images, every flip of signs, fractions, and worlds whose answer is known."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workers.analysis.ablation import certainty
from workers.analysis.ablation.accuracies import Changes, count_changes, differences
from workers.analysis.ablation.certainty import (
    all_class_intervals,
    benjamini_hochberg,
    change_intervals,
    contributions,
    mean_interval,
    paired_p_values,
)

FIGURES = ("recall", "true_negative_rate", "accuracy")
ENDS = [f"{name}_{end}" for name in FIGURES for end in ("low", "high")]


def world(seed, images=120, count=3, kept=0.7):
    """A network that is mostly right, and a condition that changes its mind on some images."""
    random = np.random.default_rng(seed)
    classes = random.permutation(np.arange(images) % count)
    before = np.where(random.random(images) < 0.8, classes, random.integers(count, size=images))
    after = np.where(random.random(images) < kept, before, random.integers(count, size=images))
    return classes, before, after


def sizes_of(classes, count=3):
    sizes = np.bincount(classes, minlength=count)
    return sizes, len(classes) - sizes


def of_counts(*counts):
    """Changes of one condition and one class for each (lost, gained, raised, ended)."""
    return Changes(*np.array(counts, np.int64).reshape(-1, 4).T[:, None])


def leaves_tails(low, high, values):
    """Whether 2.5 % of the drawn values lie beyond each end, as far as 1,000 resamples can tell."""
    for beyond, reached in ((values < low, values <= low), (values > high, values >= high)):
        assert beyond.mean() <= 0.025 + 0.015
        assert reached.mean() >= 0.025 - 0.015


def resampled_changes(classes, before, after, c, draws, random):
    """Changes of recall and true negative rate of class c over images that a loop draws anew."""
    for _ in range(draws):
        own, rest = (random.choice(np.flatnonzero(side), side.sum()) for side in (classes == c, classes != c))
        recall = (after[own] == c).mean() - (before[own] == c).mean()
        yield recall, (after[rest] != c).mean() - (before[rest] != c).mean()


def test_intervals_are_those_of_images_drawn_anew():
    classes, before, after = world(0)
    sizes, rest = sizes_of(classes)
    found = change_intervals(count_changes(before, after[None], classes, 3), sizes, rest)
    drawn = np.array(list(resampled_changes(classes, before, after, 1, 8000, np.random.default_rng(1))))
    for name, values in zip(FIGURES, (drawn[:, 0], drawn[:, 1], drawn.mean(axis=1)), strict=True):
        leaves_tails(*(getattr(found, f"{name}_{end}")[0, 1] for end in ("low", "high")), values.round(12))
    assert found.known.all()


def test_a_figure_depends_on_its_counts_alone(monkeypatch):
    random = np.random.default_rng(2)
    counts = random.integers(0, 6, (4, 30, 8))
    sizes, rest = np.array([20, 20, 12, 20, 12, 1, 0, 30]), np.array([80, 80, 88, 80, 88, 99, 100, 1])
    counts[:2] = np.minimum(counts[:2], sizes // 2)
    counts[2:] = np.minimum(counts[2:], rest // 2)
    whole = change_intervals(Changes(*counts), sizes, rest)
    assert whole.known.tolist() == [True, True, True, True, True, False, False, False]
    monkeypatch.setattr(certainty, "CHUNK", 7)
    part = change_intervals(Changes(*counts[:, 10:14, 2:]), sizes[2:], rest[2:])
    for name in ENDS:
        assert np.isfinite(getattr(whole, name)).all()
        np.testing.assert_array_equal(getattr(whole, name)[10:14, 2:], getattr(part, name))
    means, some = all_class_intervals(Changes(*counts), sizes), all_class_intervals(Changes(*counts[:, 4:9]), sizes)
    np.testing.assert_array_equal(np.array(means)[:, 4:9], some)


def test_what_no_image_showed_has_no_width_and_what_evens_out_holds_zero():
    changes = of_counts((0, 0, 0, 0), (5, 0, 0, 0), (3, 3, 7, 7), (20, 0, 0, 0))
    found = change_intervals(changes, np.full(4, 20), np.full(4, 90))
    low, high = found.accuracy_low[0], found.accuracy_high[0]
    assert (low[0], high[0]) == (0, 0)
    assert low[1] < high[1] < 0
    assert low[2] < 0 < high[2]
    assert (low[3], high[3]) == (-0.5, -0.5)
    assert change_intervals(of_counts(), np.zeros(0, int), np.zeros(0, int)).accuracy_low.shape == (1, 0)


def test_intervals_cover_the_true_change_as_often_as_they_say():
    """Many sets of images of one world: 40 images of a class, of which 20 % are lost and 10 % gained; others alike."""
    random = np.random.default_rng(3)
    own, rest = random.multinomial(40, [0.2, 0.1, 0.7], 3000), random.multinomial(200, [0.08, 0.03, 0.89], 3000)
    changes = Changes(*(column[:, None] for column in (own[:, 0], own[:, 1], rest[:, 0], rest[:, 1])))
    found = change_intervals(changes, np.array([40]), np.array([200]))
    for name, true in zip(FIGURES, (-0.1, -0.05, -0.075), strict=True):
        low, high = (getattr(found, f"{name}_{end}").round(12) for end in ("low", "high"))
        assert 0.92 <= ((low <= true) & (true <= high)).mean() <= 0.97


def test_the_mean_recall_over_images_drawn_anew_class_by_class():
    classes, before, after = world(4, images=91)
    sizes = np.array([*sizes_of(classes)[0], 0])
    low, high = all_class_intervals(count_changes(before, after[None], classes, 4), sizes)
    random, drawn = np.random.default_rng(5), []
    for _ in range(4000):
        own = [random.choice(np.flatnonzero(classes == c), sizes[c]) for c in range(3)]
        drawn.append(np.mean([(after[i] == c).mean() - (before[i] == c).mean() for c, i in enumerate(own)]))
    assert (low.shape, high.shape) == ((1,), (1,))
    leaves_tails(low[0], high[0], np.round(drawn, 12))


def test_classes_of_equal_counts_are_drawn_apart():
    """Were 16 classes drawn alike, their mean would vary as one of them does, four times as much."""
    counts = [(4, 2, 0, 0)] * 16
    one, many = (np.ptp(all_class_intervals(of_counts(*counts[:n]), np.full(n, 30)), axis=0)[0] for n in (1, 16))
    assert one / many == pytest.approx(4, rel=0.2)


def test_a_class_and_the_others_of_equal_counts_are_drawn_apart():
    found = change_intervals(of_counts((40, 20, 40, 20)), np.array([300]), np.array([300]))
    recall, accuracy = (getattr(found, f"{name}_high") - getattr(found, f"{name}_low") for name in FIGURES[::2])
    assert recall / accuracy == pytest.approx(np.sqrt(2), rel=0.15)


def flips(lost, gained, raised, ended, own, rest):
    """Share of all ways to flip the images that changed which change the accuracy as much."""
    found = abs(Fraction(gained - lost, own) + Fraction(ended - raised, rest))
    directions = list(product((-1, 1), repeat=lost + gained + raised + ended))
    sums = [Fraction(sum(f[: lost + gained]), own) + Fraction(sum(f[lost + gained :]), rest) for f in directions]
    return sum(abs(total) >= found for total in sums) / len(sums)


COUNTS = st.tuples(*[st.integers(0, 2)] * 4)


@given(COUNTS, st.integers(4, 9), st.integers(4, 30))
def test_p_values_are_the_share_of_all_flips_that_reach_as_far(counts, own, rest):
    found = paired_p_values(of_counts(counts), np.array([own]), np.array([rest]))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(flips(*counts, own, rest), abs=1e-14)


def test_p_values_of_many_images_against_fractions():
    lost, gained, raised, ended, own, rest = 31, 12, 940, 1060, 100, 9900
    found = abs((gained - lost) * rest + (ended - raised) * own)
    own_ways, other_ways = ([comb(flips, heads) for heads in range(flips + 1)] for flips in (43, 2000))
    reached = sum(
        own_ways[g] * other_ways[e]
        for g, e in product(range(44), range(2001))
        if abs((2 * g - 43) * rest + (2 * e - 2000) * own) >= found
    )
    p = paired_p_values(of_counts((lost, gained, raised, ended)), np.array([own]), np.array([rest]))
    assert p[0, 0] == pytest.approx(float(Fraction(reached, 2**2043)), rel=1e-10)
    mcnemar = paired_p_values(of_counts((9, 2, 0, 0)), np.array([40]), np.array([90]))
    assert mcnemar[0, 0] == pytest.approx(2 * sum(comb(11, k) for k in range(3)) / 2**11)


def test_p_values_at_the_ends():
    changes = of_counts((0, 0, 0, 0), (0, 0, 3, 0), (0, 0, 0, 0), (1, 0, 0, 0), (30_000, 0, 0, 0))
    found = paired_p_values(changes, np.array([10, 0, 10, 1, 30_000]), np.array([30, 40, 0, 39, 9]))[0]
    assert found[:4].tolist() == [1, 1, 1, 1]
    assert 0 < found[4] < 1e-300
    assert paired_p_values(of_counts(), np.zeros(0, int), np.zeros(0, int)).shape == (1, 0)


def test_no_level_is_passed_more_often_than_it_says_where_nothing_happens():
    """All flips of the images that changed, weighted: the chance of p or less is p, at each p that comes up."""
    own_flips, other_flips = 7, 9
    rows = [(own_flips - g, g, other_flips - e, e) for g in range(own_flips + 1) for e in range(other_flips + 1)]
    p = paired_p_values(of_counts(*rows), np.full(len(rows), 12), np.full(len(rows), 50))[0]
    weights = np.array([comb(own_flips, g) * comb(other_flips, e) for _, g, _, e in rows]) / 2**16
    for level in np.unique(p):
        assert weights[p <= level + 1e-12].sum() == pytest.approx(level)


P_VALUES = arrays.arrays(np.float64, (3, 4), elements=st.floats(1e-6, 1) | st.sampled_from([0.01, 0.05, 1.0]))


@given(P_VALUES)
def test_correction_by_its_definition(p):
    found = benjamini_hochberg(p)
    for index in np.ndindex(p.shape):
        steps = [level * 12 / (p <= level).sum() for level in p.ravel() if level >= p[index]]
        assert found[index] == pytest.approx(min(1, *steps))
    order = np.argsort(p, axis=None)
    assert (np.diff(found.ravel()[order]) >= 0).all()
    assert ((found >= p * (1 - 1e-12)) & (found <= 1)).all()


def test_correction_of_one_and_of_none():
    assert benjamini_hochberg(np.array([0.3])).tolist() == [0.3]
    assert benjamini_hochberg(np.zeros((0, 5))).shape == (0, 5)


@pytest.mark.parametrize("seed", range(3))
def test_contributions_add_up_to_the_change(seed):
    classes, before, after = world(seed)
    changes = differences(count_changes(before, after[None], classes, 3), sizes_of(classes)[0]).balanced_accuracy[0]
    for c in range(3):
        added = contributions(before, after, classes, c, 3)
        assert added.shape == classes.shape
        assert added.sum() == pytest.approx(changes[c], abs=1e-14)
    lone = contributions(np.array([0, 1]), np.array([0, 0]), np.zeros(2, int), 0, 2)
    assert lone.tolist() == [0, 0.25]


def test_the_mean_over_classes_of_images_drawn_anew_together():
    classes, before, _ = world(6, images=90)
    conditions = [world(seed, images=90, kept=0.6)[2] for seed in range(7, 10)]
    rows = np.array([contributions(before, after, classes, c, 3) for c, after in enumerate(conditions)])
    low, high = mean_interval(np.stack([rows.mean(axis=0), rows[0], np.zeros(90)]), classes)
    random, drawn = np.random.default_rng(11), []
    for _ in range(3000):
        images = np.concatenate([random.choice(np.flatnonzero(classes == c), 30) for c in range(3)])
        y, b = classes[images], before[images]
        changes = []
        for c, after in enumerate(conditions):
            hits = (after[images] == c).astype(int) - (b == c)
            changes.append((hits[y == c].mean() - hits[y != c].mean()) / 2)
        drawn.append((np.mean(changes), changes[0]))
    for row, values in enumerate(np.round(drawn, 12).T):
        leaves_tails(low[row], high[row], values)
    assert (low[2], high[2]) == (0, 0)


def test_a_joint_interval_is_the_same_in_pieces_and_of_a_lone_image_has_no_width(monkeypatch):
    random = np.random.default_rng(12)
    added, classes = random.normal(size=(2, 20)), np.append(np.arange(19) % 2, 2)
    whole = mean_interval(added, classes)
    monkeypatch.setattr(certainty, "HELD_VALUES", 70)
    np.testing.assert_array_equal(whole, mean_interval(added, classes))
    low, high = mean_interval(np.eye(20)[[19]], classes)
    assert (low.tolist(), high.tolist()) == ([1], [1])
