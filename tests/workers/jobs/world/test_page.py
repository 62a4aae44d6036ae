"""The tables of docs/world.md."""

import numpy as np

from tests.workers.jobs.world.planted import UNITS, pictures, read_out
from workers.analysis.ablation.importance import correlate, mean_iou_by_importance
from workers.jobs.world.dissecting import Dissection
from workers.jobs.world.page import Attempt, Measurement, attack_lines, lines
from workers.jobs.world.removing import remove

BESIDE = "4 units", "paper, ski resort"


def measurement(seed: int) -> Measurement:
    found = Dissection({"object": 3, "color": 1}, np.linspace(0, 0.2, UNITS))
    removals = remove(read_out(), pictures(1), pictures(2))
    return Measurement(
        seed=seed,
        accuracy=0.5,
        trained=found,
        untrained=found,
        rotated=[found],
        removals=removals,
        correlation=correlate(removals.importance, found.ious, permutations=99),
        by_importance=mean_iou_by_importance(removals.importance, found.ious),
    )


def test_every_figure_has_its_column_and_every_seed_its_row() -> None:
    tables = "\n".join(lines([measurement(0), measurement(1)])).strip().split("\n\n")
    detected, removed, free, important = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()] for table in tables
    ]
    for table in (detected, removed, free, important):
        assert len({len(row) for row in table}) == 1
    assert detected[2] == ["0", "0.500", "trained", "3", "0", "0", "1", "0.1000"]
    kinds = ("4 units", "10 units", "20 units", "all but 20")
    assert [row[:2] for row in free[2:]] == [[name, seed] for name in kinds for seed in "01"]
    assert [row[:2] for row in removed[2:6]] == [["4 units", "0"], ["4 units", "1"], [*BESIDE], ["10 units", "0"]]
    assert removed[2][2:4] == ["1.000 to 0.500", "-0.500 (-0.500 to -0.500)"]
    assert free[-1][2] == "1.000 to 1.000"
    assert [row[0] for row in important[2:]] == ["0", "1"]


def test_attacks_have_a_row_for_each_group_beside_the_papers() -> None:
    group = {"images": 3, "mean": -1.5, "low": -2.0, "high": -1.0}
    group |= {"absolute_mean": 2.5, "absolute_low": 2.0, "absolute_high": 3.0}
    most = {"images": 3, "mean": 0.5, "low": 0.25, "high": 0.75, "chance": 0.0625}
    groups = {"target": group | {"mean": 1.0}, "source": group, "others": group}
    attempts = [Attempt(target, 4, 3, 0.25, groups, most) for target in ("beach", "street")]
    fooled, moved = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for table in "\n".join(attack_lines(attempts)).strip().split("\n\n")
    ]
    assert fooled[2] == ["beach", "3 of 4", "0.250", "0.500 (0.250 to 0.750)", "0.062"]
    assert [row[0] for row in fooled[2:]] == ["beach", "street"]
    assert [row[0] for row in moved[2:]] == ["beach"] * 3 + ["street"] * 3 + ["paper, one image"] * 2
    assert moved[3][1:] == ["4 of the source", "-1.500 (-2.000 to -1.000)", "2.500 (2.000 to 3.000)"]
    assert moved[-1][1:] == ["4 of the source", "-30.5", "30.5"]
    assert {len(row) for row in moved} == {4}
