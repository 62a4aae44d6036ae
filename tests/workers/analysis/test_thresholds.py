import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.workers.analysis import oracle
from workers.analysis.candidates import Candidates
from workers.analysis.thresholds import pilot_bounds, safe_bounds, thresholds

finite = st.floats(-10, 10, width=32)


def split_above(samples, bounds, shards=1):
    """The candidates of (U, N) samples, spread over shards."""
    parts = []
    for at in np.array_split(np.arange(samples.shape[1]), shards):
        kept = [row[at][row[at] > bound] for row, bound in zip(samples, bounds, strict=True)]
        offsets = np.cumsum([0, *map(len, kept)])
        parts.append(Candidates(np.concatenate(kept), np.zeros(offsets[-1], np.uint32), offsets))
    return parts


def exact(samples, bounds, quantile, shards=1):
    bounds = np.asarray(bounds, np.float32)
    found = split_above(samples, bounds, shards)
    return thresholds(found, bounds, samples.min(axis=1), samples.shape[1], quantile)


@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 300)), elements=finite),
    st.sampled_from([0.001, 0.01, 0.05, 0.3, 0.5, 0.9]),
    finite,
    st.integers(1, 4),
)
def test_known_thresholds_are_exact_whatever_the_bound(samples, quantile, bound, shards):
    """A bound may be anything: then the threshold is right, or said to be unknown, never silently wrong."""
    levels, known = exact(samples, [bound] * len(samples), quantile, shards)
    expected = np.array([oracle.threshold(row.astype(np.float64), quantile) for row in samples])
    np.testing.assert_allclose(levels[known], expected[known], rtol=1e-12, atol=1e-12)
    assert known[bound <= samples.min(axis=1)].all()
    assert (levels[~known] == np.float32(bound)).all()
    assert np.isfinite(levels).all()


@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 300)), elements=finite),
    st.sampled_from([0.001, 0.01, 0.05, 0.3]),
)
def test_safe_bounds_always_suffice(samples, quantile):
    samples[0] = np.maximum(samples[0], 0)
    levels, known = exact(samples, safe_bounds(samples.min(axis=1)), quantile)
    assert known.all()
    expected = np.quantile(samples.astype(np.float64), 1 - quantile, axis=1, method="hazen")
    np.testing.assert_allclose(levels, expected, rtol=1e-12, atol=1e-12)


def test_bounds_below_the_threshold_suffice():
    samples = np.random.default_rng(3).standard_normal((1, 4000)).astype(np.float32)
    ordered = np.sort(samples[0])
    # position 0.99 * 4000 - 0.5 = 3959.5: both neighbours, 3959 and 3960, must lie above the bound.
    assert exact(samples, [ordered[3958]], 0.01)[1].all()
    assert not exact(samples, [ordered[3959]], 0.01)[1].any()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.0] * 500, 0.0),  # dead
        ([7.5] * 500, 7.5),  # constant
        ([-7.5] * 500, -7.5),
        ([0.0] * 498 + [3.0, 5.0], 0.0),  # active on less than the quantile
        ([0.0] * 400 + [6.0] * 100, 6.0),  # saturated
        ([0.0] * 495 + [1.0, 2.0, 3.0, 4.0, 5.0], 0.5),  # halfway between the last zero and the first above
        ([4.0], 4.0),
        ([1.0, 2.0], 2.0),  # the quantile is less than half a sample
    ],
)
def test_special_units(samples, expected):
    samples = np.array([samples], np.float32)
    levels, known = exact(samples, safe_bounds(samples.min(axis=1)), 0.01)
    assert known.tolist() == [True]
    assert levels.tolist() == [expected]


def pilot_and_truth(images, quantile=0.01, pilot=16):
    """Bounds from evenly strided images, and the thresholds they ought to lie below: (n, U, P) samples."""
    bounds = pilot_bounds(images[:: len(images) // pilot], quantile)
    samples = images.transpose(1, 0, 2).reshape(images.shape[1], -1)
    return bounds, samples, np.quantile(samples.astype(np.float64), 1 - quantile, axis=1, method="hazen")


@pytest.mark.parametrize("quantile", [0.005, 0.01, 0.1])
def test_a_pilot_of_even_images_keeps_little_and_misses_none(quantile):
    images = np.random.default_rng(4).standard_normal((128, 50, 400)).astype(np.float32)
    bounds, samples, levels = pilot_and_truth(images, quantile)
    assert (bounds <= levels).all()
    assert (samples > bounds[:, None]).mean() < 3 * quantile


def test_a_pilot_of_uneven_images_is_wary():
    random = np.random.default_rng(5)
    strength = random.lognormal(sigma=1, size=(128, 300, 1))
    images = np.maximum(random.standard_normal((128, 300, 100)) * strength, 0).astype(np.float32)
    bounds, samples, levels = pilot_and_truth(images)
    assert (bounds <= levels).all()
    assert (samples > bounds[:, None]).mean() < 0.3


def test_a_unit_too_sparse_for_the_pilot_gets_the_safe_bound():
    images = np.zeros((128, 2, 100), np.float32)
    images[3, 0, :50], images[:, 1] = 9.0, -1.0
    images[64, 1, :50] = 9.0
    assert pilot_and_truth(images)[0].tolist() == [0.0, -np.inf]


@pytest.mark.parametrize("images", [1, 2, 7])
def test_a_pilot_of_few_images_keeps_all(images):
    samples = np.random.default_rng(6).standard_normal((images, 2, 400)).astype(np.float32)
    samples[:, 1] = np.abs(samples[:, 1])
    assert pilot_bounds(samples, 0.01).tolist() == [-np.inf, 0.0]


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_large_quantile_leaves_nothing_to_skip(quantile):
    images = np.random.default_rng(7).standard_normal((32, 20, 100)).astype(np.float32)
    bounds, _, levels = pilot_and_truth(images, quantile)
    assert (bounds <= levels).all()


@given(st.integers(0, 2**32 - 1))
def test_clustered_images_never_yield_a_wrong_threshold(seed):
    """Pilot images far brighter than the rest: the bound is too high, and the count says so."""
    random = np.random.default_rng(seed)
    images = random.standard_normal((64, 2, 50)).astype(np.float32)
    images[::4] *= random.uniform(1, 20)
    images[::4] += random.uniform(0, 20)
    images[1::4] = np.where(random.random() < 0.5, images[1::4], np.maximum(images[1::4], 0))
    bounds, samples, levels = pilot_and_truth(images, 0.2)
    found, known = exact(samples, bounds, 0.2, shards=3)
    np.testing.assert_allclose(found[known], levels[known], rtol=1e-6)
    assert known[bounds < levels - 1e-3].all()
    assert not known[bounds > levels].any()
