"""Edits against the same written cell by cell."""

import pytest
import torch

from workers.analysis.interventions.edits import cells, pool_mask, set_units


@pytest.fixture
def maps():
    return torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("units", [[], [3], [4, 0, 2]])
def test_units_are_set_everywhere(maps, units):
    given, values = maps.clone(), torch.arange(1.0, len(units) + 1)
    edited = set_units(maps, units, values)
    for unit in range(5):
        expected = torch.full((2, 3, 4), float(values[units.index(unit)])) if unit in units else maps[:, unit]
        assert torch.equal(edited[:, unit], expected)
    assert torch.equal(maps, given)


def test_an_area_is_all_that_changes(maps):
    areas = torch.zeros(2, 3, 4, dtype=torch.bool)
    areas[0, 1, 2] = areas[1, 2, :2] = True
    edited = set_units(maps, [1, 4], torch.tensor([7.0, -1.0]), areas)
    expected = maps.clone()
    expected[0, 1, 1, 2], expected[0, 4, 1, 2], expected[1, 1, 2, :2], expected[1, 4, 2, :2] = 7, -1, 7, -1
    assert torch.equal(edited, expected)
    assert torch.equal(set_units(maps, [1, 4], torch.tensor([7.0, -1.0]), areas[0])[0], expected[0])


def test_every_cell_is_an_area():
    found = cells(2, 3)
    assert found.shape == (6, 2, 3)
    assert [area.nonzero().tolist() for area in found] == [[[r, c]] for r in range(2) for c in range(3)]


def test_a_mask_reaches_every_cell_that_it_touches():
    mask = torch.zeros(9, 6, dtype=torch.bool)
    mask[2, 5] = mask[7, 0] = True
    assert pool_mask(mask, 3, 2).tolist() == [[False, True], [False, False], [True, False]]
    assert pool_mask(mask, 9, 6).equal(mask)
