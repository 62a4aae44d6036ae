"""Counts of pixels against loops over pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workers.analysis.interventions.pixels import at_centres, concept_pixels, replacements, shows

CONCEPTS = 4
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)).map(lambda s: (*s, s[2]))
LABELS = SHAPES.flatmap(lambda shape: arrays.arrays(np.uint16, shape, elements=st.integers(0, CONCEPTS)))


def stacks(labels):
    """Of each picture and pixel the labels of all channels."""
    return [
        [picture[:, r, c].tolist() for r in range(picture.shape[1]) for c in range(picture.shape[2])]
        for picture in labels
    ]


@given(LABELS)
def test_a_pixel_counts_once_a_concept(labels):
    expected = [[sum(c + 1 in stack for stack in picture) for c in range(CONCEPTS)] for picture in stacks(labels)]
    given = labels.copy()
    assert concept_pixels(labels, CONCEPTS).tolist() == expected
    assert (labels == given).all()
    for concept in range(CONCEPTS):
        assert shows(labels, concept).sum(axis=(1, 2)).tolist() == [row[concept] for row in expected]


@given(LABELS, st.integers(0, CONCEPTS - 1), st.randoms(use_true_random=False))
def test_replacements_are_what_stands_where_the_concept_stood(before, concept, random):
    after = before.copy()
    after.flat[random.randrange(after.size)] = random.randrange(CONCEPTS + 1)
    expected = [0] * CONCEPTS
    for picture, changed in zip(stacks(before), stacks(after), strict=True):
        for old, new in zip(picture, changed, strict=True):
            for channel, label in enumerate(old):
                if label == concept + 1 and concept + 1 not in new and new[channel]:
                    expected[new[channel] - 1] += 1
    assert replacements(before, after, concept, CONCEPTS).tolist() == expected


def test_centres_are_those_of_the_cells():
    labels = np.arange(64, dtype=np.uint16).reshape(1, 1, 8, 8)
    assert at_centres(labels, 2, 4)[0, 0].tolist() == [[17, 19, 21, 23], [49, 51, 53, 55]]
    assert (at_centres(labels, 8, 8) == labels).all()
    assert at_centres(labels, 1, 1)[0, 0].tolist() == [[36]]
