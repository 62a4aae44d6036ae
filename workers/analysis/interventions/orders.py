"""In which order units are taken, how two orders agree, and the smallest set that takes away enough."""

from collections.abc import Sequence


def shared(first: Sequence[int], second: Sequence[int], size: int) -> int:
    """How many of the first `size` units two orders share."""
    return len({*first[:size]} & {*second[:size]})


def best_first(units: Sequence[int], left: Sequence[int]) -> list[int]:
    """Units in the order of the pixels that each alone leaves, fewest first; of equals the one listed first."""
    return [units[place] for place in sorted(range(len(units)), key=lambda place: left[place])]


def places(order: Sequence[int], units: Sequence[int]) -> list[int]:
    """The place, from 1, of each of the units in an order of them."""
    found = {unit: place for place, unit in enumerate(order, start=1)}
    return [found[unit] for unit in units]


def choose_next(candidates: Sequence[int], pixels: Sequence[int], left: int) -> int | None:
    """The candidate with which fewest of a concept's pixels are left, of equals the one listed first.

    None where no candidate leaves fewer than are left without it: then a greedy search ends.
    """
    if not candidates or min(pixels) >= left:
        return None
    return candidates[min(range(len(candidates)), key=lambda place: pixels[place])]


def removes_enough(untouched: int, left: int, share: float) -> bool:
    """Whether at least that share of the untouched pictures' pixels is gone."""
    return untouched - left >= share * untouched
