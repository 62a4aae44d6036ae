"""Strokes against loops over cells, units and pixels."""

import numpy as np
import torch

from workers.analysis.strokes import Stroke, count_pixels, lay, touched_cells, unroll

UNITS, HEIGHT, WIDTH = 5, 3, 4
PICTURE = (10, 9)


def random_stroke(seed: int) -> Stroke:
    random = np.random.default_rng(seed)
    units = random.permutation(UNITS)[: random.integers(0, UNITS + 1)].tolist()
    values = torch.from_numpy(random.normal(size=len(units)).astype(np.float32))
    mask = torch.from_numpy(random.random(PICTURE) < 0.03)
    return Stroke(units, values, mask, float(random.choice([0.0, 0.25, 0.7, 1.0])))


def cells_by_area(mask: np.ndarray) -> np.ndarray:
    """A cell is touched where a touched pixel shares some of its area."""
    touched = np.zeros((HEIGHT, WIDTH), bool)
    for y, x in np.argwhere(mask):
        for row in range(HEIGHT):
            for column in range(WIDTH):
                tall = min((row + 1) * PICTURE[0], (y + 1) * HEIGHT) - max(row * PICTURE[0], y * HEIGHT)
                wide = min((column + 1) * PICTURE[1], (x + 1) * WIDTH) - max(column * PICTURE[1], x * WIDTH)
                touched[row, column] |= tall > 0 and wide > 0
    return touched


def lay_by_loops(maps: np.ndarray, strokes: list[Stroke]) -> np.ndarray:
    painted = maps.astype(np.float64)
    for stroke in strokes:
        cells = cells_by_area(stroke.mask.numpy())
        for unit, value in zip(stroke.units, stroke.values.tolist(), strict=True):
            for row, column in np.argwhere(cells):
                before = painted[:, unit, row, column]
                painted[:, unit, row, column] = before * (1 - stroke.strength) + value * stroke.strength
    return painted


def test_strokes_lie_over_each_other_in_their_order() -> None:
    maps = torch.randn(2, UNITS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    for seed in range(20):
        strokes = [random_stroke(100 * seed + number) for number in range(seed % 5)]
        before = maps.clone()
        found = lay(maps, strokes).numpy()
        assert np.array_equal(maps, before)
        assert np.allclose(found, lay_by_loops(maps.numpy(), strokes), atol=1e-6)
        for stroke in strokes:
            assert np.array_equal(touched_cells(stroke, maps), cells_by_area(stroke.mask.numpy()))


def test_what_full_and_no_strength_make_is_exact() -> None:
    maps = torch.randn(1, UNITS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) * 1e6
    everywhere, value = torch.ones(PICTURE, dtype=torch.bool), torch.tensor([0.1])
    assert torch.equal(lay(maps, [Stroke([2], value, everywhere, 1.0)])[:, 2], value.expand(1, HEIGHT, WIDTH))
    assert torch.equal(lay(maps, [Stroke([2], value, everywhere, 0.0)]), maps)
    assert torch.equal(lay(maps, [Stroke([], value[:0], everywhere, 1.0)]), maps)
    # erased last wins over drawn first
    over = [Stroke([1, 2], torch.tensor([3.0, 4.0]), everywhere, 1.0), Stroke([2], torch.zeros(1), everywhere, 1.0)]
    assert lay(maps, over)[0, :, 0, 0].tolist()[1:3] == [3.0, 0.0]


def test_runs_unroll_row_by_row() -> None:
    assert unroll(2, 3, [1, 3, 2]).tolist() == [[False, True, True], [True, False, False]]
    assert unroll(1, 2, [0, 2]).all() and not unroll(2, 1, [2]).any()


def test_pixels_are_counted_inside_and_outside() -> None:
    random = np.random.default_rng(0)
    before, after = (random.integers(0, 5, (3, 6, 6)).astype(np.uint16) for _ in range(2))
    mask = torch.from_numpy(random.random((12, 9)) < 0.05)
    inside = np.zeros((6, 6), bool)
    for y, x in np.argwhere(mask.numpy()):
        inside[y // 2, x * 6 // 9 : -(-(x + 1) * 6 // 9)] = True
    found = count_pixels(before, after, mask, 4)
    for labels, counts, area in (
        (before, found.inside_before, inside),
        (after, found.inside_after, inside),
        (before, found.outside_before, ~inside),
        (after, found.outside_after, ~inside),
    ):
        expected = [sum(concept + 1 in labels[:, y, x] for y, x in np.argwhere(area)) for concept in range(4)]
        assert counts.tolist() == expected
