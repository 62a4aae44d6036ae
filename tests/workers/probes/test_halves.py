"""Halves of objects against a flood fill by hand."""

import numpy as np
import pytest

from workers.probes.halves import lower_and_right


def flood(labels: np.ndarray) -> list[set[tuple[int, int]]]:
    """The objects: cells of one label that touch at a side or a corner."""
    left = {(int(row), int(column)) for row, column in np.argwhere(labels)}
    found = []
    while left:
        stack = [left.pop()]
        thing = set(stack)
        while stack:
            row, column = stack.pop()
            around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
            more = {cell for cell in around & left if labels[cell] == labels[row, column]}
            left -= more
            thing |= more
            stack += more
        found.append(thing)
    return found


def halves(labels: np.ndarray) -> dict[str, set[tuple[int, int]]]:
    """The cells of each half, by the box of each object."""
    found: dict[str, set[tuple[int, int]]] = {"lower": set(), "right": set()}
    for thing in flood(labels):
        rows, columns = [row for row, _ in thing], [column for _, column in thing]
        middle_row, middle_column = (min(rows) + max(rows) + 1) // 2, (min(columns) + max(columns) + 1) // 2
        found["lower"] |= {cell for cell in thing if cell[0] >= middle_row}
        found["right"] |= {cell for cell in thing if cell[1] >= middle_column}
    return found


def check(labels: np.ndarray) -> None:
    lower, right = lower_and_right(labels.astype(np.uint16))
    expected = halves(labels)
    assert {tuple(cell) for cell in np.argwhere(lower & (labels > 0))} == expected["lower"]
    assert {tuple(cell) for cell in np.argwhere(right & (labels > 0))} == expected["right"]


@pytest.mark.parametrize("grid", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("labels", [1, 2, 5])
def test_any_map(grid: int, labels: int) -> None:
    rng = np.random.default_rng(grid * 10 + labels)
    for density in (0.2, 0.45, 0.7, 1):
        numbers = rng.integers(1, labels + 1, (grid, grid))
        check(np.where(rng.random((grid, grid)) < density, numbers, 0))


def test_a_snake_is_one_object() -> None:
    """As many rounds of looking at neighbours as it has cells would be needed to follow it."""
    snake = np.zeros((31, 31), int)
    snake[::2] = 7
    snake[1::4, -1] = snake[3::4, 0] = 7
    assert len(flood(snake)) == 1
    check(snake)


def test_diagonal_neighbours_touch_and_other_labels_do_not() -> None:
    labels = np.array([[1, 0, 2], [0, 1, 2], [0, 0, 1]])
    lower, right = lower_and_right(labels.astype(np.uint16))
    assert (lower & (labels == 1)).tolist() == [[False] * 3, [False, True, False], [False, False, True]]
    assert (right & (labels == 2)).tolist() == [[False, False, True], [False, False, True], [False] * 3]


def test_the_last_object_counts_as_the_first() -> None:
    labels = np.zeros((8, 8), int)
    labels[:2, :2] = labels[6:, 6:] = 3
    lower, right = lower_and_right(labels.astype(np.uint16))
    assert np.argwhere(lower & (labels > 0)).tolist() == [[1, 0], [1, 1], [7, 6], [7, 7]]
    assert np.argwhere(right & (labels > 0)).tolist() == [[0, 1], [1, 1], [6, 7], [7, 7]]
