"""Peaks as scores for presence against definitions spelled out: every cut, every pair of images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.analysis import presence
from workers.analysis.presence import histogram, presence_scores, rank

IMAGES = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.5, 7.25, -2.0]), st.booleans()), min_size=1, max_size=12)


def score_one(peaks, present):
    pair = np.zeros(1, np.int64)
    found = presence_scores(rank(np.float32(peaks)[:, None]), np.array(present, np.uint32)[:, None], pair, pair)
    names = ("average_precision", "auroc", "equal_error_threshold", "balanced_accuracy")
    return {name: float(getattr(found, name)[0]) for name in names}


@given(IMAGES)
def test_scores_are_those_of_their_definitions(images):
    peaks, present = (np.array(column) for column in zip(*images, strict=True))
    found = score_one(peaks, present)
    if present.all() or not present.any():
        assert np.isnan(list(found.values())).all()
        return
    steps, recall = [], 0.0
    for cut in sorted(set(peaks), reverse=True):
        taken = peaks >= cut
        steps.append(((taken & present).sum() / present.sum() - recall) * (taken & present).sum() / taken.sum())
        recall = (taken & present).sum() / present.sum()
    assert found["average_precision"] == pytest.approx(sum(steps))
    pairs = [(a > b) + (a == b) / 2 for a in peaks[present] for b in peaks[~present]]
    assert found["auroc"] == pytest.approx(np.mean(pairs))
    missed = (peaks[present] <= found["equal_error_threshold"]).mean()
    taken = (peaks[~present] > found["equal_error_threshold"]).mean()
    assert found["balanced_accuracy"] == pytest.approx(1 - (missed + taken) / 2)
    levels = [*peaks, peaks.min() - 1]
    gaps = [abs((peaks[present] <= t).mean() - (peaks[~present] > t).mean()) for t in levels]
    assert abs(missed - taken) == pytest.approx(min(gaps))


def test_a_unit_that_knows_is_a_perfect_classifier():
    found = score_one([3, 9, 2, 8], [False, True, False, True])
    assert found == {
        "average_precision": 1,
        "auroc": 1,
        "equal_error_threshold": 5.5,
        "balanced_accuracy": 1,
    }


def test_a_silent_unit_knows_nothing():
    found = score_one([0, 0, 0, 0], [True, False, False, False])
    assert (found["average_precision"], found["auroc"], found["balanced_accuracy"]) == (0.25, 0.5, 0.5)


def test_pairs_are_scored_alike_in_chunks(monkeypatch):
    random = np.random.default_rng(0)
    ranking = rank(random.random((30, 5), np.float32))
    present = random.integers(0, 2, (30, 7), np.uint32)
    units, concepts = (side.ravel() for side in np.indices((5, 7)))
    whole = presence_scores(ranking, present, units, concepts)
    monkeypatch.setattr(presence, "CHUNK_VALUES", 100)
    chunked = presence_scores(ranking, present, units, concepts)
    np.testing.assert_array_equal(chunked.auroc, whole.auroc)
    np.testing.assert_array_equal(chunked.average_precision, whole.average_precision)
    none = presence_scores(ranking, present, units[:0], concepts[:0])
    assert none.auroc.shape == (0,)


def test_a_histogram_splits_the_images():
    found = histogram(np.float32([0, 1, 2, 10]), np.array([True, False, False, True]))
    assert (len(found["edges"]), found["edges"][0], found["edges"][-1]) == (21, 0, 10)
    assert (found["with"][0], found["with"][-1], sum(found["with"])) == (1, 1, 2)
    assert sum(found["without"]) == 2
