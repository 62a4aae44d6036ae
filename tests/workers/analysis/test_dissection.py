"""A whole dissection against a brute force that shares nothing with it."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.analysis import oracle
from workers.analysis.collecting import LayerCollector, batch_maps
from workers.analysis.intersections import count, iou, label_table
from workers.analysis.labels import alive, best_concepts
from workers.analysis.thresholds import pilot_bounds, safe_bounds, thresholds
from workers.analysis.upsampling import sample_grid

CONCEPTS = 5


def gaussian(random, shape):
    return random.standard_normal(shape)


def rectified(random, shape):
    return np.maximum(random.standard_normal(shape) - 0.5, 0)


def sparse(random, shape):
    """Active on one image in four or fewer."""
    awake = random.random((shape[0], 1, 1)) < 0.25
    return np.where(awake, np.maximum(random.standard_normal(shape), 0), 0)


def negative(random, shape):
    return -1 - np.abs(random.standard_normal(shape))


def dead(random, shape):
    return np.zeros(shape)


def constant(random, shape):
    return np.full(shape, -2.0)


def tied(random, shape):
    return random.integers(-2, 3, shape)


def saturated(random, shape):
    return np.clip(np.round(random.standard_normal(shape) * 8), 0, 6)


UNITS = [gaussian, rectified, sparse, negative, dead, constant]
# Small integers on grids of a power of two: interpolation is exact in float32, so ties are ties by both roads.
EXACT_UNITS = [tied, saturated, dead, constant]


def world(seed, images, height, width, grid, units):
    random = np.random.default_rng(seed)
    maps = np.stack([unit(random, (images, height, width)) for unit in units], axis=1).astype(np.float32)
    labels = random.integers(0, CONCEPTS + 1, (images, 2, grid, grid)).astype(np.uint16)
    labels[labels == CONCEPTS] = 0  # the last concept has no pixel
    return maps, labels


def dissect(maps, labels, grid, mode, quantile, shard, batch):
    """As a job does it: pilot, one pass in shards and batches, thresholds, counts; again where a bound was too high."""
    maps = torch.from_numpy(maps)
    few = np.arange(0, len(maps), 2)
    bounds = pilot_bounds(sample_grid(batch_maps(maps[few], grid, mode).maps, few, grid, mode).numpy(), quantile)
    shards = np.array_split(np.random.default_rng(1).permutation(len(maps)), -(-len(maps) // shard))
    for _ in range(2):
        collected = [collect(maps, bounds, images, grid, mode, batch) for images in shards]
        minima = np.min([part.minima for part in collected], axis=0)
        candidates = [part.candidates for part in collected]
        levels, known = thresholds(candidates, bounds, minima, len(maps) * grid**2, quantile)
        if known.all():
            break
        bounds = np.where(known, bounds, safe_bounds(minima))
    assert known.all()
    counts = [
        count(part, levels, label_table(labels[images]), CONCEPTS)
        for part, images in zip(candidates, shards, strict=True)
    ]
    maxima = np.max([part.peaks.max(axis=0) for part in collected], axis=0)
    return levels, iou(reduce(add, counts)), alive(levels, minima, maxima)


def collect(maps, bounds, images, grid, mode, batch):
    collector = LayerCollector(torch.from_numpy(bounds), grid, mode, 2)
    for at in np.split(images, range(batch, len(images), batch)):
        collector.add(batch_maps(maps[at], grid, mode), at)
    return collector.shard()


def tied_at(level, values):
    """Whether several samples meet the threshold up to rounding, as those of a map of one cell do."""
    near = np.abs(values - level) <= 1e-6 * np.abs(values).max()
    return np.count_nonzero(near & (values != 0)) > 1


def compare(maps, labels, grid, mode, quantile, shard, batch, exact=False):
    levels, scores, living = dissect(maps, labels, grid, mode, quantile, shard, batch)
    named = best_concepts(scores, living)
    samples = oracle.upsample(maps, grid, mode).transpose(1, 0, 2, 3)
    assert np.isfinite(levels).all()
    assert np.isfinite(scores).all()
    for unit, values in enumerate(samples):
        level = oracle.threshold(values, quantile)
        np.testing.assert_allclose(levels[unit], level, rtol=1e-5, atol=1e-6 * np.abs(values).max())
        if tied_at(level, values) and not exact:
            continue
        if living[unit]:
            expected = oracle.iou(values, level, labels, CONCEPTS)
            np.testing.assert_allclose(scores[unit], expected, rtol=0, atol=1e-6)
            assert named[unit] == oracle.label(expected)
        else:
            assert maps[:, unit].max() <= 0 or np.ptp(maps[:, unit]) == 0
            assert named[unit] == -1


modes, quantiles, seeds = (
    st.sampled_from(["zero", "edge"]),
    st.sampled_from([0.01, 0.05, 0.2]),
    st.integers(0, 2**32 - 1),
)
sizes = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 20), sizes, sizes, sizes, modes, quantiles, sizes, sizes)
def test_any_shape(seed, images, height, width, grid, mode, quantile, shard, batch):
    maps, labels = world(seed, images, height, width, grid, UNITS)
    compare(maps, labels, grid, mode, quantile, shard, batch)


powers = st.sampled_from([1, 2, 4, 8])


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 20), powers, powers, powers, modes, quantiles, sizes, sizes)
def test_ties_and_plateaus(seed, images, height, width, grid, mode, quantile, shard, batch):
    maps, labels = world(seed, images, height, width, grid, EXACT_UNITS)
    compare(maps, labels, grid, mode, quantile, shard, batch, exact=True)


@pytest.mark.parametrize("mode", ["zero", "edge"])
@pytest.mark.parametrize(("side", "grid"), [(14, 56), (100, 25)])
def test_sizes_of_real_networks(side, grid, mode):
    maps, labels = world(0, 12, side, side, grid, [gaussian, rectified])
    compare(maps, labels, grid, mode, 0.01, 5, 4)


@pytest.mark.parametrize("mode", ["zero", "edge"])
def test_figures_do_not_depend_on_shards_and_batches(mode):
    maps, labels = world(0, 30, 5, 7, 12, UNITS)
    expected = dissect(maps, labels, 12, mode, 0.05, 30, 30)
    for shard, batch in ((1, 1), (7, 3), (16, 16), (30, 1)):
        for figure, other in zip(dissect(maps, labels, 12, mode, 0.05, shard, batch), expected, strict=True):
            np.testing.assert_allclose(figure, other, rtol=1e-6, atol=1e-9)


def test_a_planted_unit_is_a_perfect_detector():
    """A unit that fires exactly where concept 2 is, on a hundredth of the pixels, has IoU 1 with it."""
    maps, labels = np.zeros((25, 1, 4, 4), np.float32), np.zeros((25, 1, 4, 4), np.uint16)
    for image in range(4):
        maps[image, 0, image, 0], labels[image, 0, image, 0] = 5.0 + image, 3
    levels, scores, living = dissect(maps, labels, 4, "zero", 0.01, 10, 4)
    assert (levels.tolist(), scores[0].tolist(), living.tolist()) == ([2.5], [0, 0, 1, 0, 0], [True])
