"""Insertion by context and by cell, against loops over cells."""

import numpy as np
import pytest

from workers.analysis.interventions.contexts import by_cell, by_context

CONCEPTS = 5


@pytest.fixture
def tried():
    random = np.random.default_rng(0)
    centres = random.integers(0, CONCEPTS, (6, 2, 3, 4)).astype(np.uint16)  # the last concept is nowhere
    centres[:, 1][centres[:, 1] == 3] = 0
    centres[2, 1] = centres[2, 0]  # two channels that show the same
    return random.integers(-20, 50, (6, 3, 4)), centres


def test_each_context_is_the_mean_of_its_cells(tried):
    changes, centres = tried
    found = by_context(changes, centres, CONCEPTS)
    for concept in range(CONCEPTS):
        cells = [
            (picture, changes[picture, r, c])
            for picture in range(6)
            for r in range(3)
            for c in range(4)
            if concept + 1 in centres[picture, :, r, c]
        ]
        pictures = sorted({picture for picture, _ in cells})
        assert found.samples[concept] == len(cells)
        assert found.pictures[concept] == len(pictures)
        assert found.bounded[concept] == (len(pictures) > 1)
        if not cells:
            assert found.mean[concept] == 0 == found.standard_error[concept]
            continue
        mean = sum(change for _, change in cells) / len(cells)
        rests = [sum(change - mean for picture, change in cells if picture == p) for p in pictures]
        clusters = len(pictures)
        variance = sum(rest**2 for rest in rests) * clusters / (clusters - 1)
        assert found.mean[concept] == pytest.approx(mean)
        assert found.standard_error[concept] == pytest.approx(np.sqrt(variance) / len(cells))


def test_one_cell_a_picture_gives_the_usual_standard_error():
    changes = np.array([3, 9, 4, 4]).reshape(4, 1, 1)
    found = by_context(changes, np.ones((4, 1, 1, 1), np.uint16), 1)
    assert found.standard_error[0] == pytest.approx(np.std([3, 9, 4, 4], ddof=1) / 2)


def test_the_map_is_the_mean_at_each_cell(tried):
    changes, _ = tried
    mean, error = by_cell(changes)
    assert mean[1, 2] == pytest.approx(sum(changes[:, 1, 2]) / 6)
    assert error[1, 2] == pytest.approx(np.std(changes[:, 1, 2], ddof=1) / np.sqrt(6))
    assert by_cell(changes[:1])[1].tolist() == np.zeros((3, 4)).tolist()
