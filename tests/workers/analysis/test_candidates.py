import numpy as np
import pytest
import torch

from workers.analysis import candidates
from workers.analysis.candidates import concatenate, extract, take_units
from workers.analysis.upsampling import to_grid

GRID = 12


def kept(maps, bounds, mode, start=0):
    return extract(maps, maps.amax((2, 3)), torch.as_tensor(bounds), GRID, mode, start)


def random_maps(images=5, units=4, side=6):
    return torch.from_numpy(np.random.default_rng(1).standard_normal((images, units, side, side)).astype(np.float32))


def equal(left, right):
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("values", "positions", "offsets"))


@pytest.mark.parametrize("mode", ["zero", "edge"])
@pytest.mark.parametrize("block", [1, 3, 512])
def test_every_sample_above_the_bound_and_no_other(mode, block, monkeypatch):
    monkeypatch.setattr(candidates, "BLOCK", block)
    maps, bounds = random_maps(), [0.5, -np.inf, -0.3, 100.0]
    found = kept(maps, bounds, mode)
    samples = to_grid(maps, GRID, mode).permute(1, 0, 2, 3).reshape(4, -1).numpy()
    for unit, bound in enumerate(bounds):
        positions = np.flatnonzero(samples[unit] > bound)
        assert found.positions[found.of(unit)].tolist() == positions.tolist()
        assert np.allclose(found.values[found.of(unit)], samples[unit, positions], atol=1e-6)
    assert found.units == 4
    assert (found.values.dtype, found.positions.dtype, found.offsets.dtype) == (np.float32, np.uint32, np.int64)
    assert found.of(1).stop - found.of(1).start == 5 * GRID * GRID
    assert found.of(3).stop == found.of(3).start


def test_zeros_outside_the_map_count_where_the_bound_is_negative():
    maps = torch.full((1, 1, 2, 2), -1.0)
    assert len(kept(maps, [-0.9], "zero").values) > 0
    assert len(kept(maps, [-0.9], "edge").values) == 0


def test_a_batch_that_keeps_nothing():
    found = kept(torch.zeros(2, 3, 4, 4), [0.0, 0.0, 0.0], "zero")
    assert len(found.values) == len(found.positions) == 0
    assert found.offsets.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("sizes", [[5], [1, 4], [2, 2, 1], [1, 1, 1, 1, 1]])
def test_batches_of_any_size_merge_into_the_same_shard(sizes):
    maps, bounds = random_maps(), [0.5, -np.inf, -0.3, 100.0]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    parts = [kept(maps[start : start + size], bounds, "zero", start) for start, size in zip(starts, sizes, strict=True)]
    assert equal(concatenate(parts), kept(maps, bounds, "zero"))


def test_a_block_of_units_survives_plain_files(tmp_path):
    whole = kept(random_maps(), [0.5, -np.inf, -0.3, 0.1], "zero")
    mapped = {}
    for name in ("values", "positions", "offsets"):
        np.save(tmp_path / f"{name}.npy", getattr(whole, name))
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    block = take_units(candidates.Candidates(**mapped), 1, 3)
    assert equal(block, kept(random_maps()[:, 1:3], [-np.inf, -0.3], "zero"))
    assert np.shares_memory(block.values, mapped["values"])


def test_a_shard_too_large_for_its_positions_is_refused():
    maps = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ValueError, match="32 bits"):
        extract(maps, maps.amax((2, 3)), torch.zeros(1), 2**16, "zero", start=1)
