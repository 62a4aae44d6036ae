"""Datasets with classes, and what an ablation left of them, read back from the database and the artifacts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from service.catalog.tables import Class
from service.results.effects.tables import AblatedClass, AblatedUnit, LayerAblation, UnitEffect
from tests.workers.jobs import worlds

CLASSES = ["ant", "bee", "cat", "dog", "elk", "fox"]
RANKED = {"ant": 9, "bee": 8, "cat": 7, "dog": 10, "fox": 6}
EVALUATED = {"ant": 6, "bee": 9, "dog": 7, "elk": 3, "fox": 8}
BOTH = ["ant", "bee", "dog", "fox"]


@dataclass
class Effects:
    """What a job wrote."""

    ablation: LayerAblation
    classes: dict[str, AblatedClass]
    units: dict[int, AblatedUnit]
    effects: dict[tuple[int, str], UnitEffect]
    matrices: dict[str, Any]


@pytest.fixture
def zoo(driver):
    """A driver with a ranking and an evaluation dataset."""
    worlds.write_classes(driver.settings.import_dir / "ranked", RANKED, seed=1)
    worlds.write_classes(driver.settings.import_dir / "evaluated", EVALUATED, seed=2)
    for name in ("ranked", "evaluated"):
        driver.done(driver.queue_dataset(name, format="folder"))
    return driver


@pytest.fixture
def read():
    """Read back what a job wrote."""

    def load(driver, job) -> Effects:
        with driver.sessions() as session:
            ablation = session.scalars(sa.select(LayerAblation).where(LayerAblation.job_id == job.id)).one()
            names = {row.id: row.name for row in session.scalars(sa.select(Class))}
            mine = {"ablation_id": ablation.id}
            classes = session.scalars(sa.select(AblatedClass).filter_by(**mine)).all()
            units = session.scalars(sa.select(AblatedUnit).filter_by(**mine)).all()
            effects = session.scalars(sa.select(UnitEffect).filter_by(**mine)).all()
        return Effects(
            ablation,
            {names[row.class_id]: row for row in classes},
            {row.unit: row for row in units},
            {(row.unit, names[row.class_id]): row for row in effects},
            _load(driver, job.summary["matrices"]),
        )

    return load


def _load(driver, digests: Any) -> Any:
    if isinstance(digests, str):
        return np.load(driver.store.path(digests))
    return {name: _load(driver, digest) for name, digest in digests.items()}
