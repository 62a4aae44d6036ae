"""Accuracies and their changes against one loop over images, and against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.analysis.ablation.accuracies import (
    accuracies,
    class_means,
    count_changes,
    differences,
    log_probabilities,
)


def sample(seed, conditions=4, images=60, count=6, classes_shown=5):
    """True classes and predictions that are right more often than not; the last class has no image."""
    random = np.random.default_rng(seed)
    classes = random.integers(classes_shown, size=images)
    noise = random.integers(count, size=(conditions, images))
    return classes, np.where(random.random((conditions, images)) < 0.6, classes, noise)


def fractions(predictions, classes, c):
    """Recall, true negative rate and their mean, of one class and one condition, as fractions; None without images."""
    own = [int(p == c) for p, y in zip(predictions, classes, strict=True) if y == c]
    rest = [int(p != c) for p, y in zip(predictions, classes, strict=True) if y != c]
    if not own:
        return None
    recall, rejected = Fraction(sum(own), len(own)), Fraction(sum(rest), len(rest)) if rest else Fraction(1)
    return recall, rejected, (recall + rejected) / 2


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_are_those_of_a_loop_over_images(seed):
    classes, predictions = sample(seed)
    found = accuracies(predictions, classes, 6)
    for k, row in enumerate(predictions):
        expected = [fractions(row, classes, c) for c in range(6)]
        figures = np.stack([found.recall[k], found.true_negative_rate[k], found.balanced_accuracy[k]], axis=1)
        for c, right in enumerate(expected):
            np.testing.assert_array_equal(figures[c], [float(f) for f in right] if right else [0, 0, 0])
        assert found.all_class[k] == pytest.approx(float(sum(right[0] for right in expected if right)) / 5)


@pytest.mark.parametrize("seed", range(5))
def test_changes_are_counted_as_in_a_loop_and_make_the_differences(seed):
    classes, (before, *after) = sample(seed)
    changes = count_changes(before, np.array(after), classes, 6)
    for k, c in np.ndindex(3, 6):
        images = list(zip(before, after[k], classes, strict=True))
        assert changes.lost[k, c] == sum(y == c and b == c and a != c for b, a, y in images)
        assert changes.gained[k, c] == sum(y == c and b != c and a == c for b, a, y in images)
        assert changes.raised[k, c] == sum(y != c and b != c and a == c for b, a, y in images)
        assert changes.ended[k, c] == sum(y != c and b == c and a != c for b, a, y in images)
    found = differences(changes, np.bincount(classes, minlength=6))
    left, untouched = accuracies(np.array(after), classes, 6), accuracies(before[None], classes, 6)
    for name in ("recall", "true_negative_rate", "balanced_accuracy", "all_class"):
        change = getattr(left, name) - getattr(untouched, name)
        np.testing.assert_allclose(getattr(found, name), change, atol=1e-14)


@given(st.integers(1, 60), st.integers(1, 600), st.data())
def test_equal_fractions_are_equal_floats(own, rest, data):
    """A unit that costs a hit and one that costs its worth in false alarms tie, whatever the sizes."""
    counts = st.tuples(st.integers(0, own), st.integers(0, rest))
    one, other = data.draw(counts), data.draw(counts)
    classes = np.repeat([0, 1], [own, rest])
    rows = np.array([[i >= hits for i in range(own)] + [i < kept for i in range(rest)] for hits, kept in (one, other)])
    found = accuracies(rows.astype(int), classes, 2).balanced_accuracy[:, 0]
    exact = [Fraction(hits, own) + Fraction(kept, rest) for hits, kept in (one, other)]
    assert (found[0] == found[1], found[0] < found[1]) == (exact[0] == exact[1], exact[0] < exact[1])


def test_a_lone_class_a_lone_image_and_no_condition():
    lone = accuracies(np.array([[0, 0, 1]]), np.zeros(3, int), 2)
    assert lone.recall.tolist() == [[2 / 3, 0]]
    assert lone.true_negative_rate.tolist() == [[1, 0]]
    assert lone.balanced_accuracy.tolist() == [[5 / 6, 0]]
    assert lone.all_class.tolist() == [2 / 3]
    assert accuracies(np.array([[1]]), np.array([1]), 3).balanced_accuracy.tolist() == [[0, 1, 0]]
    none = np.zeros((0, 3), int)
    assert accuracies(none, np.zeros(3, int), 2).recall.shape == (0, 2)
    assert count_changes(np.zeros(3, int), none, np.zeros(3, int), 2).lost.shape == (0, 2)
    assert class_means(none, np.zeros(3, int), 2).shape == (0, 2)


def test_log_probabilities_of_large_and_ordinary_logits():
    random = np.random.default_rng(0)
    logits, classes = random.normal(0, 3, (20, 7)).astype(np.float32), random.integers(7, size=20)
    shares = np.exp(logits.astype(np.float64))
    expected = np.log(shares[np.arange(20), classes] / shares.sum(axis=1))
    np.testing.assert_allclose(log_probabilities(logits, classes), expected, rtol=1e-12)
    far = np.array([[1e4, 0], [-1e4, 1e4]], np.float32)
    assert log_probabilities(far, np.array([1, 1])).tolist() == [-1e4, 0]


def test_means_over_the_images_of_a_class():
    values = np.array([[1.0, 2, 3, 4], [0, 0, 8, 0]])
    found = class_means(values, np.array([0, 0, 2, 2]), 4)
    assert found.tolist() == [[1.5, 0, 3.5, 0], [0, 0, 4, 0]]
