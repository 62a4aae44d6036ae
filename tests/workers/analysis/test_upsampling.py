import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import adaptive_avg_pool2d, grid_sample, interpolate

from tests.workers.analysis import oracle
from workers.analysis.upsampling import reduce_maps, resample, sample_grid, to_grid

SHAPES = [(14, 14, 56), (7, 7, 56), (28, 28, 56), (1, 1, 8), (7, 9, 30), (5, 40, 16), (56, 56, 56)]
LARGER = [(224, 224, 56), (112, 112, 56), (60, 75, 56), (33, 21, 20), (9, 9, 8)]


def random_maps(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def zero_padded(maps, grid):
    """The published procedure, by torch's own sampler in double precision."""
    centres = (torch.arange(grid, dtype=torch.float64) + 0.5) / grid * 2 - 1
    points = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
    points = points.expand(len(maps), grid, grid, 2)
    return grid_sample(maps.double(), points, mode="bilinear", padding_mode="zeros", align_corners=False)


@pytest.mark.parametrize(("height", "width", "grid"), SHAPES + LARGER)
def test_zero_is_bilinear_sampling_with_zeros_outside(height, width, grid):
    maps = random_maps(2, 3, height, width)
    torch.testing.assert_close(to_grid(maps, grid, "zero").double(), zero_padded(maps, grid), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "grid"), SHAPES)
def test_edge_repeats_the_border_when_growing(height, width, grid):
    maps = random_maps(2, 3, height, min(width, grid))
    expected = interpolate(maps.double(), (grid, grid), mode="bilinear", align_corners=False)
    torch.testing.assert_close(to_grid(maps, grid, "edge").double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("side", "grid"), [(224, 56), (112, 56), (40, 8)])
def test_edge_averages_areas_when_shrinking(side, grid):
    maps = random_maps(2, 3, side, side)
    expected = adaptive_avg_pool2d(maps.double(), grid)
    torch.testing.assert_close(to_grid(maps, grid, "edge").double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("grid", [3, 5, 7])
def test_edge_shrinking_by_a_fraction_keeps_the_mean(grid):
    maps = random_maps(2, 3, 8, 11)
    torch.testing.assert_close(to_grid(maps, grid, "edge").mean((2, 3)), maps.mean((2, 3)))


@pytest.mark.parametrize("mode", ["zero", "edge"])
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 24), st.integers(1, 24))
def test_any_shape_agrees_with_lines_interpolated_one_by_one(mode, height, width, rows, columns):
    maps = random_maps(1, 2, height, width)
    square = oracle.upsample(maps, rows, mode) if rows == columns else None
    result = resample(maps, rows, columns, mode)
    assert result.shape == (1, 2, rows, columns)
    assert square is None or np.allclose(result, square, rtol=0, atol=1e-5)


def test_zero_dims_the_border_as_published():
    shown = to_grid(torch.ones(1, 1, 14, 14), 56, "zero")[0, 0]
    assert shown[0, 28] == shown[55, 28] == shown[28, 0] == 0.625
    assert shown[1, 28] == 0.875
    assert shown[2, 28] == 1
    assert shown[0, 0] == 0.625**2


@pytest.mark.parametrize("level", [1.0, 6.0])
@pytest.mark.parametrize(("side", "grid"), [(7, 30), (13, 29), (14, 56), (100, 56)])
def test_a_saturated_plateau_stays_one_value(level, side, grid):
    inside = to_grid(torch.full((1, 1, side, side), level), grid, "zero")[..., 3:-3, 3:-3]
    assert (inside == level).all()
    assert side > grid or (to_grid(torch.full((1, 1, side, side), level), grid, "edge") == level).all()


@pytest.mark.parametrize("mode", ["zero", "edge"])
@pytest.mark.parametrize(("height", "width"), [(7, 7), (40, 40), (7, 40), (40, 7), (16, 20)])
def test_reduced_maps_hold_all_the_grid_needs(mode, height, width):
    maps = random_maps(2, 3, height, width)
    reduced = reduce_maps(maps, 16, mode)
    assert reduced.shape[2:] == (min(height, 16), min(width, 16))
    torch.testing.assert_close(to_grid(reduced, 16, mode), to_grid(maps, 16, mode), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_becomes_float32(dtype):
    assert to_grid(torch.ones(1, 1, 4, 4, dtype=dtype), 4, "zero").dtype == torch.float32


@pytest.mark.parametrize("mode", ["zero", "edge"])
@pytest.mark.parametrize(("height", "width", "grid"), [(7, 9, 56), (30, 5, 20), (8, 8, 8)])
def test_a_sampled_grid_is_part_of_the_grid(mode, height, width, grid):
    maps = random_maps(3, 2, height, width)
    whole = to_grid(maps, grid, mode)
    for image, samples in enumerate(sample_grid(maps, np.array([4, 0, 9]), grid, mode, side=6)):
        assert samples.shape == (2, 36)
        distance = (samples[0, :, None] - whole[image, 0].flatten()).abs()
        assert distance.amin(1).max() < 1e-5
        assert torch.equal(
            samples, sample_grid(maps[image : image + 1], np.array([[4, 0, 9][image]]), grid, mode, 6)[0]
        )


def test_a_small_grid_is_sampled_whole():
    maps = random_maps(2, 3, 4, 4)
    torch.testing.assert_close(sample_grid(maps, np.arange(2), 8, "zero"), to_grid(maps, 8, "zero").flatten(2))


def test_every_position_is_as_likely_as_any_other():
    """Of a map that tells its own row and column, seen through many images."""
    maps = torch.arange(100.0).reshape(1, 1, 10, 10).expand(2000, 1, 10, 10)
    drawn = sample_grid(maps, np.arange(2000), 10, "edge", side=4).round().long().flatten()
    counts = torch.bincount(drawn, minlength=100)
    assert len(counts) == 100
    assert counts.min() > 0.7 * counts.float().mean()
    assert counts.max() < 1.3 * counts.float().mean()
