"""Margins and what they tell against loops over classes, over pairs of images and over every cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.analysis.ablation.margins import auroc, balanced_accuracy_at, best_threshold, margin, margins

IMAGES = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.25, -0.5, -2.0, 7.0]), st.booleans()), min_size=1)


def balanced(scores, positive, cut):
    return ((scores[positive] > cut).mean() + (scores[~positive] <= cut).mean()) / 2


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_a_margin_is_the_lead_over_the_highest_other_logit(classes):
    logits = np.random.default_rng(classes).integers(-4, 5, (40, classes)).astype(np.float32)
    expected = [[row[c] - max(np.delete(row, c)) for c in range(classes)] for row in logits]
    found = margins(logits)
    assert found.tolist() == expected
    assert found.dtype == np.float32
    for c in range(classes):
        assert margin(logits, c).tolist() == found[:, c].tolist()


@given(IMAGES)
def test_figures_of_every_pair_and_every_cut(images):
    scores, positive = (np.array(column) for column in zip(*images, strict=True))
    row, chosen = scores.astype(np.float32)[None], positive[None]
    area, cut = auroc(row, chosen), best_threshold(row, chosen)
    accuracy = balanced_accuracy_at(row, chosen, cut)
    if positive.all() or not positive.any():
        assert [area.tolist(), cut.tolist(), accuracy.tolist()] == [[0], [0], [0]]
        return
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert area[0] == pytest.approx(np.mean(pairs), abs=1e-15)
    levels = sorted(set(scores))
    cuts = [np.nextafter(levels[0], -10), *[(a + b) / 2 for a, b in pairwise(levels)], levels[-1]]
    every = np.array([balanced(scores, positive, level) for level in cuts])
    best = [level for level, reached in zip(cuts, every, strict=True) if reached >= every.max() - 1e-9]
    assert cut[0] == min(best, key=lambda level: (abs(level), level))
    assert accuracy[0] == pytest.approx(every.max(), abs=1e-15)


def test_rows_are_figured_alone_and_may_share_their_positives():
    random = np.random.default_rng(0)
    scores, positive = random.normal(size=(5, 30)).astype(np.float32), random.random((1, 30)) < 0.4
    for figure in (auroc, best_threshold, lambda *given: balanced_accuracy_at(*given, np.full(len(given[0]), 0.2))):
        together = figure(scores, positive)
        assert together.shape == (5,)
        np.testing.assert_array_equal(together, figure(scores, np.repeat(positive, 5, axis=0)))
        np.testing.assert_array_equal(together, [figure(row[None], positive)[0] for row in scores])
        assert figure(scores[:0], positive).shape == (0,)


def test_a_shift_of_the_logit_costs_nothing_once_the_threshold_is_chosen_anew():
    """All images of a planted class lose what their logit had over the others: the argmax never calls it again."""
    random = np.random.default_rng(1)
    positive = np.repeat([True, False], [20, 80])
    logits = random.normal(size=(100, 3)).astype(np.float32)
    logits[positive, 0] += 8
    shifted = logits - np.float32([30, 0, 0])
    before, after = (margin(values, 0)[None] for values in (logits, shifted))
    assert balanced_accuracy_at(after, positive[None], np.zeros(1)) == 0.5
    assert auroc(before, positive[None]) == auroc(after, positive[None])
    chosen = best_threshold(after, positive[None])
    assert chosen[0] < -20
    assert balanced_accuracy_at(after, positive[None], chosen) == balanced_accuracy_at(
        before, positive[None], best_threshold(before, positive[None])
    )


def test_neighbouring_scores_are_told_apart():
    lower = np.float32(0.1)
    row = np.array([[lower, np.nextafter(lower, np.float32(1))]])
    positive = np.array([[False, True]])
    assert balanced_accuracy_at(row, positive, best_threshold(row, positive)) == 1
