"""The tables of docs/world.md."""

import numpy as np

from tests.workers.jobs.world.planted import UNITS, pictures, read_out
from workers.analysis.ablation.importance import correlate, mean_iou_by_importance
from workers.jobs.world.dissecting import Dissection
from workers.jobs.world.page import Measurement, lines
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
