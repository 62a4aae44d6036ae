"""Orders of units, and the smallest set found step by step, where the answer is known."""

from itertools import combinations

from workers.analysis.interventions.orders import best_first, choose_next, places, removes_enough, shared

UNTOUCHED = 100
COVERED = {4: {*range(40)}, 7: {*range(30, 60)}, 2: {*range(60, 70)}, 9: {*range(35)}}
"""Which pixels each unit draws: 9 draws nothing that 4 does not."""


def left(units):
    return UNTOUCHED - len(set().union(*(COVERED[unit] for unit in units)))


def test_orders_share_the_beginnings():
    assert [shared([3, 1, 2, 0], [1, 2, 3, 0], size) for size in (1, 2, 3, 4)] == [0, 1, 3, 4]
    assert places([3, 1, 2], [1, 2, 3]) == [2, 3, 1]


def search(share):
    chosen, rest = [], [9, 2, 4, 7]
    while not removes_enough(UNTOUCHED, left(chosen), share):
        unit = choose_next(rest, [left([*chosen, unit]) for unit in rest], left(chosen))
        if unit is None:
            break
        chosen.append(unit)
        rest.remove(unit)
    return chosen


def test_the_set_grows_by_what_takes_most_away():
    assert search(0.4) == [4]
    assert search(0.5) == [4, 7]
    assert search(0.7) == [4, 7, 2]
    smallest = next(n for n in range(5) for units in combinations(COVERED, n) if removes_enough(100, left(units), 0.7))
    assert smallest == len(search(0.7))


def test_it_ends_where_nothing_takes_more_away():
    assert search(0.9) == [4, 7, 2]
    assert choose_next([], [], 5) is None
    assert choose_next([6, 3], [4, 4], 5) == 6


def test_what_leaves_fewest_comes_first_and_equals_stay_as_they_were():
    assert best_first([7, 1, 5, 2], [3, 9, 0, 3]) == [5, 7, 2, 1]
