"""What the curves of a class say of it, against figures made up so that the answer is plain."""

import math
import random
from typing import Any

import pytest

from service.results.effects.explanation import LabelledChange, gather, judge, removals
from tests.service.results.effects import removed

UNTOUCHED = {"balanced_accuracy": 0.9, "all_class_accuracy": 0.8, "auroc": 0.97, "rechosen_balanced_accuracy": 0.92}


def point(after: float, rechosen: float, *interval: float | None, size: int = 4) -> dict[str, Any]:
    low, high = interval or (after - 0.95, after - 0.85)
    figures = {"balanced_accuracy": after, "change": after - 0.9, "change_low": low, "change_high": high}
    return {"size": size, **figures, "auroc": 0.9, "all_class_accuracy": 0.7, "rechosen_balanced_accuracy": rechosen}


@pytest.mark.parametrize(
    ("after", "rechosen", "nature"),
    [
        (0.5, 0.92, "shift"),
        (0.5, 0.93, "shift"),  # even better than before
        (0.5, 0.821, "shift"),
        (0.5, 0.819, "both"),
        (0.5, 0.621, "both"),
        (0.5, 0.619, "loss"),
        (0.5, 0.4, "loss"),
    ],
)
def test_a_drop_is_what_a_threshold_chosen_anew_leaves_of_it(after: float, rechosen: float, nature: str) -> None:
    verdict = judge(UNTOUCHED, point(after, rechosen))
    assert verdict.nature == nature
    assert (
        f"from 0.900 to {after:.3f}; with the threshold chosen anew, from 0.920 to {rechosen:.3f}" in verdict.sentence
    )


@pytest.mark.parametrize("interval", [(-0.5, 0.0), (-0.5, 0.1), (0.1, 0.2), (None, None)])
def test_there_is_no_drop_unless_the_whole_interval_is_below_nothing(interval: tuple[float | None, ...]) -> None:
    verdict = judge(UNTOUCHED, point(0.5, 0.5, *interval))
    assert verdict.nature == "none"
    assert verdict.sentence.startswith("Removing its 4 most important units does not lower")


def test_one_unit_is_one() -> None:
    assert judge(UNTOUCHED, point(0.5, 0.5, size=1)).sentence.startswith("Removing its 1 most important unit lowers")


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ([1, 2, 3, 4, 5, 20, 64], (4, 20)),
        ([1, 2], (2, 2)),
        ([3, 5, 18, 22], (3, 18)),
        ([64, 128], (64, 64)),
        (list(range(1, 128)), (4, 20)),
    ],
)
def test_the_nearest_sizes_are_shown_and_named(sizes: list[int], shown: tuple[int, int]) -> None:
    curves = removed.curves(sizes)
    found = removals(curves)
    assert [(wanted, removal["size"]) for wanted, removal in found.items()] == [("4", shown[0]), ("20", shown[1])]
    for removal in found.values():
        for order in ("most", "least", "all_but", "random"):
            (stored,) = [row for row in curves[order] if row["size"] == removal["size"]]
            assert stored.items() <= removal[order].items()
        for order in ("most", "least", "all_but"):
            before, after = (row["rechosen_balanced_accuracy"] for row in (curves["untouched"], removal[order]))
            assert removal[order]["rechosen_change"] == after - before


def test_without_sets_there_is_nothing_to_show() -> None:
    assert removals(None) == removals(removed.curves([])) == {}


def test_concepts_are_gathered_by_the_damage_of_their_units_together() -> None:
    chance = random.Random(0)
    names = [("object", "snow"), ("object", "tree"), ("material", "snow")]
    units = [LabelledChange(*chance.choice(names), chance.random() < 0.5, chance.uniform(-0.3, 0.1)) for _ in range(30)]
    found = gather(units)
    sums = {name: math.fsum(unit.accuracy_change for unit in units if unit[:2] == name) for name in names}
    assert [(row["category"], row["concept"]) for row in found] == sorted(sums, key=lambda name: sums[name])
    for row in found:
        those = [unit for unit in units if unit[:2] == (row["category"], row["concept"])]
        assert (row["units"], row["detectors"]) == (len(those), sum(unit.detector for unit in those))
        assert row["accuracy_change"] == sums[row["category"], row["concept"]]
    assert gather([]) == []
