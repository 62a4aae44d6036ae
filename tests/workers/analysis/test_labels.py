import numpy as np
import pytest

from tests.workers.analysis import oracle
from workers.analysis.labels import Bar, alive, best_concepts, chart, detectors, notable_pairs


def everything_lives(scores):
    return np.ones(len(scores), bool)


@pytest.mark.parametrize("seed", range(10))
def test_a_label_is_the_best_concept_and_of_equals_the_first(seed):
    scores = np.random.default_rng(seed).integers(0, 4, (30, 5)) / 10
    assert best_concepts(scores, everything_lives(scores)).tolist() == [oracle.label(row) for row in scores]


def test_dead_units_and_units_that_meet_nothing_have_no_label():
    scores = np.array([[0.5, 0.2], [0, 0], [0.1, 0.3]])
    assert best_concepts(scores, np.array([False, True, True])).tolist() == [-1, -1, 1]
    assert best_concepts(np.zeros((2, 0)), np.ones(2, bool)).tolist() == [-1, -1]


def test_what_lives():
    levels = np.array([0.0, 0.0, 2.0, -1.0, -1.0, 3.0])
    minima = np.array([0.0, 0.0, 0.0, -5.0, -5.0, 3.0], np.float32)
    maxima = np.array([0.0, 1.0, 9.0, -0.5, 2.0, 3.0], np.float32)
    # dead; active on less than the quantile; ordinary; never above zero; crosses zero; constant
    assert alive(levels, minima, maxima).tolist() == [False, True, True, False, True, False]


def test_a_detector_is_above_the_cutoff():
    scores = np.array([[0.04, 0.01], [0.05, 0.9], [0.9, 0.9]])
    assert detectors(scores, np.array([0, 0, -1]), 0.04).tolist() == [False, True, False]


def test_notable_pairs_by_their_definition():
    random = np.random.default_rng(0)
    scores = random.random((60, 40)) ** 12
    scores[random.random(scores.shape) < 0.5] = 0
    living = random.random(60) < 0.9
    masked = scores * living[:, None]
    expected = set()
    for unit, concept in np.ndindex(scores.shape):
        better_concepts = sum((masked[unit, other], -other) > (masked[unit, concept], -concept) for other in range(40))
        better_units = sum((masked[other, concept], -other) > (masked[unit, concept], -unit) for other in range(60))
        if masked[unit, concept] >= 0.01 or (masked[unit, concept] > 0 and (better_concepts < 10 or better_units < 20)):
            expected.add((unit, concept))
    units, concepts = notable_pairs(scores, living)
    assert list(zip(units.tolist(), concepts.tolist(), strict=True)) == sorted(expected)


def test_a_chart_counts_detectors_by_concept_and_distinct_concepts_by_category():
    concepts = [("color", "red"), ("object", "tree"), ("object", "sky"), ("texture", "dots"), ("part", "door")]
    labels = np.array([0, 1, 2, 2, 3, 4, 4, -1, 1])
    detects = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0], bool)
    drawn = chart(labels, detects, concepts)
    assert drawn.bars == [
        Bar("object", "sky", 2),
        Bar("object", "tree", 1),
        Bar("part", "door", 1),
        Bar("color", "red", 1),
        Bar("texture", "dots", 1),
    ]
    assert list(drawn.distinct.items()) == [("object", 2), ("part", 1), ("color", 1), ("texture", 1)]


def test_a_name_in_two_categories_is_two_concepts():
    drawn = chart(np.array([0, 1]), np.array([True, True]), [("material", "glass"), ("object", "glass")])
    assert drawn.distinct == {"object": 1, "material": 1}


def test_an_empty_chart():
    drawn = chart(np.array([-1]), np.array([False]), [("object", "tree")])
    assert (drawn.bars, drawn.distinct) == ([], {})
