import numpy as np
import pytest

from tests.workers.analysis import oracle
from workers.analysis.candidates import Candidates
from workers.analysis.intersections import Counts, concept_totals, count, iou, label_table

CONCEPTS = 7


def random_world(seed, images=3, units=4, grid=5, channels=3):
    random = np.random.default_rng(seed)
    samples = random.integers(0, 9, (units, images, grid, grid)).astype(np.float32)
    labels = random.integers(0, CONCEPTS + 1, (images, channels, grid, grid)).astype(np.uint16)
    return samples, labels


def all_samples(samples):
    units = len(samples)
    pixels = samples[0].size
    return Candidates(
        samples.reshape(-1), np.tile(np.arange(pixels, dtype=np.uint32), units), np.arange(units + 1) * pixels
    )


@pytest.mark.parametrize("seed", range(10))
def test_counts_agree_with_sets_of_pixels(seed):
    samples, labels = random_world(seed)
    levels = np.array([4.0, 8.0, 0.5, 100.0])
    counts = count(all_samples(samples), levels, label_table(labels), CONCEPTS)
    assert counts.areas.tolist() == [int((unit > level).sum()) for unit, level in zip(samples, levels, strict=True)]
    carried = [(labels == concept + 1).any(axis=1) for concept in range(CONCEPTS)]
    assert counts.totals.tolist() == [int(pixels.sum()) for pixels in carried]
    expected = [oracle.iou(unit, level, labels, CONCEPTS) for unit, level in zip(samples, levels, strict=True)]
    np.testing.assert_allclose(iou(counts), expected, rtol=1e-12)
    assert {counts.areas.dtype, counts.totals.dtype, counts.intersections.dtype} == {np.dtype(np.int64)}


def test_shards_add_up():
    samples, labels = random_world(0, images=6)
    levels = np.full(4, 5.0)
    whole = count(all_samples(samples), levels, label_table(labels), CONCEPTS)
    halves = [
        count(all_samples(samples[:, at]), levels, label_table(labels[at]), CONCEPTS)
        for at in (slice(0, 2), slice(2, 6))
    ]
    added = halves[0] + halves[1]
    for name in ("areas", "totals", "intersections"):
        assert np.array_equal(getattr(added, name), getattr(whole, name))


def test_a_pixel_counts_once_a_concept_and_for_several():
    labels = np.array([[[[3]], [[3]], [[5]], [[3]]]], np.uint16)
    assert concept_totals(label_table(labels), CONCEPTS).tolist() == [0, 0, 1, 0, 1, 0, 0]


def test_a_threshold_between_two_floats_is_not_rounded_to_one_of_them():
    below, above = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    level = (float(below) + float(above)) / 2 - 1e-9
    candidates = Candidates(np.array([below, above]), np.array([0, 1], np.uint32), np.array([0, 2]))
    counts = count(candidates, np.array([level]), np.zeros((2, 1), np.uint16), CONCEPTS)
    assert counts.areas.tolist() == [1]


def test_no_figure_is_nan_where_nothing_is_there():
    empty = Counts(np.zeros(2, np.int64), np.zeros(3, np.int64), np.zeros((2, 3), np.int64))
    assert iou(empty).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_label_beyond_the_concepts_is_refused():
    with pytest.raises(ValueError, match="label 9 lies beyond the 7 concepts"):
        concept_totals(np.array([[9, 2]], np.uint16), CONCEPTS)
