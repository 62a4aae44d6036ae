import numpy as np
import pytest
import torch

from workers.analysis.collecting import LayerCollector, batch_maps

GRID = 8


def random_maps(images=7, units=3, side=11):
    maps = np.random.default_rng(0).standard_normal((images, units, side, side)).astype(np.float32)
    return torch.from_numpy(maps)


def collected(maps, batch, top=2):
    collector = LayerCollector(torch.tensor([0.5, -torch.inf, 1.0]), GRID, "zero", top)
    images = np.arange(len(maps)) * 10
    for at in np.split(np.arange(len(maps)), range(batch, len(maps), batch)):
        collector.add(batch_maps(maps[at], GRID, "zero"), images[at])
    return collector.shard()


def test_extremes_are_those_of_the_raw_maps():
    maps = random_maps()
    shard = collected(maps, 3)
    assert np.array_equal(shard.peaks, maps.numpy().max(axis=(2, 3)))
    assert np.array_equal(shard.minima, maps.numpy().min(axis=(0, 2, 3)))
    for unit in range(3):
        best = np.argsort(-shard.peaks[:, unit], kind="stable")[:2]
        assert shard.top.images[unit].tolist() == (best * 10).tolist()
    assert shard.top.maps.shape == (3, 2, GRID, GRID)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_shard_does_not_depend_on_its_batches(batch):
    shard, expected = collected(random_maps(), batch), collected(random_maps(), 3)
    assert np.array_equal(shard.candidates.positions, expected.candidates.positions)
    np.testing.assert_allclose(shard.candidates.values, expected.candidates.values, rtol=1e-6)
    assert np.array_equal(shard.candidates.offsets, expected.candidates.offsets)
    assert np.array_equal(shard.peaks, expected.peaks)
    assert np.array_equal(shard.minima, expected.minima)
    assert np.array_equal(shard.top.images, expected.top.images)
    np.testing.assert_allclose(shard.top.maps, expected.top.maps, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_activations_that_are_no_numbers_are_named(bad):
    maps = random_maps()
    maps[4, 2, 3, 3] = bad
    with pytest.raises(ValueError, match="unit 2 has an activation"):
        batch_maps(maps, GRID, "zero")


def test_half_precision_maps_collect_as_float32():
    shard = collected(random_maps().bfloat16(), 3)
    assert shard.candidates.values.dtype == shard.peaks.dtype == shard.top.maps.dtype == np.float32
