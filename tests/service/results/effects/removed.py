"""Small catalogs with random ablations, and what is known of them without asking the database."""

import random
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import class_ids, find_model, layer_ids
from service.catalog.tables import Model
from service.jobs.tables import Job
from service.results.effects.queries import AblationResult, ClassResult, EffectResult, UnitResult, write_ablation
from service.results.effects.tables import LayerAblation
from tests.service.results import planted
from tests.service.results.planted import Known

CLASSES = ["beach", "forest"]
UNTOUCHED = {"recall": 0.8, "true_negative_rate": 0.9, "balanced_accuracy": 0.85, "auroc": 0.95}


class Removal(NamedTuple):
    """The effect of a unit on a class as it was written."""

    ablation: int
    job: uuid.UUID
    current: bool
    model: str
    layer: str
    class_name: str
    effect: EffectResult

    @property
    def unit(self) -> int:
        return self.effect.unit


def effect(class_id: int, unit: int, rank: int, change: float = -0.1, **more: Any) -> EffectResult:
    """An effect whose every figure is another one, by default certain."""
    figures = {
        "class_rank": 1,
        "ranking_change": change - 0.01,
        "ranking_log_probability_change": change - 0.02,
        "recall_change": 2 * change,
        "recall_change_low": 2 * change - 0.06,
        "recall_change_high": 2 * change + 0.06,
        "true_negative_rate_change": 0.005,
        "true_negative_rate_change_low": 0.001,
        "true_negative_rate_change_high": 0.009,
        "accuracy_change": change,
        "accuracy_change_low": change - 0.05,
        "accuracy_change_high": change + 0.05,
        "uncertain": False,
        "log_probability_change": 3 * change,
        "p_value": 0.001,
        "p_value_corrected": 0.01,
        "coactivation": 0.5,
    }
    return EffectResult(class_id, unit, rank, **figures | more)


def ablate(
    session: Session,
    job: Job,
    layer: str,
    effects: Sequence[EffectResult],
    *,
    units: int = planted.Shape("").units,
    curves: dict[int, dict[str, Any] | None] | None = None,
    important: dict[int, int] | None = None,
) -> int:
    """Write an ablation of the layer, with all classes of the model; returns its id."""
    classes = [
        ClassResult(id, 40, **UNTOUCHED, important_units=(important or {}).get(id, 1), curves=(curves or {}).get(id))
        for id in class_ids(session, job.model_id)
    ]
    found = AblationResult(
        layer_id=layer_ids(session, job.model_id)[layer],
        units=[UnitResult(unit, unit % 3, -0.01 * unit, -0.01 * unit - 0.005, 0.001) for unit in range(units)],
        classes=classes,
        effects=effects,
    )
    write_ablation(session, job, found)
    return session.scalars(sa.select(LayerAblation.id).where(LayerAblation.job_id == job.id)).one()


def random_effects(chance: random.Random, classes: Sequence[int]) -> list[EffectResult]:
    """Effects of most units on most classes, with changes of which many are tied."""
    found = []
    for class_id in classes:
        units = chance.sample(range(planted.Shape("").units), chance.randint(2, 6))
        found += [effect(class_id, unit, rank, chance.choice([-0.2, -0.1, 0.0])) for rank, unit in enumerate(units, 1)]
    return found


def plant_removals(session: Session, team: uuid.UUID, seed: int) -> list[Removal]:
    """Up to two ablations of each layer of the models of `planted.plant_results`; returns all effects."""
    chance = random.Random(seed)
    known: list[Removal] = []
    for model in filter(None, (find_model(session, team, name) for name in ("alpha", "beta", "gamma"))):
        for layer in ("conv1", "conv2"):
            for _ in range(chance.randint(0, 2)):
                known = [
                    row._replace(current=row.current and (row.model, row.layer) != (model.name, layer)) for row in known
                ]
                known += _plant(session, team, chance, model, layer)
    return known


def _plant(session: Session, team: uuid.UUID, chance: random.Random, model: Model, layer: str) -> list[Removal]:
    job = planted.plant_job(session, team, model, "ablation")
    classes = class_ids(session, model.id)
    effects = random_effects(chance, classes)
    ablation = ablate(session, job, layer, effects)
    names = dict(zip(classes, CLASSES, strict=True))
    return [Removal(ablation, job.id, True, model.name, layer, names[row.class_id], row) for row in effects]


Row = tuple[Removal, Known | None, tuple[str, str] | None, float | None]


def search(removals: Sequence[Removal], units: Sequence[Known], wanted: dict[str, Any]) -> list[Row]:
    """What a search must find, in order: every effect, with every unit that it may be of, against every filter."""
    rows = [row for removal in removals if _answers(removal, removals, wanted) for row in _rows(removal, units, wanted)]
    keys = {
        "effect": lambda row: row[0].effect.rank,
        "accuracy_change": lambda row: row[0].effect.accuracy_change,
        "unit": lambda row: row[0].unit,
        "iou": lambda row: row[3],
        "threshold": lambda row: row[1].threshold if row[1] else 0.0,
        "similarity": lambda row: 0.0,
    }
    key = keys[wanted["sort"].removeprefix("-")]
    rows.sort(
        key=lambda row: (key(row), row[0].unit, row[0].ablation, row[0].effect.class_id, row[4]),
        reverse=wanted["sort"].startswith("-"),
    )
    asked = wanted["concept"] is not None
    return [
        (removal, unit, concept if asked else None, iou if asked else None) for removal, unit, concept, iou, _ in rows
    ]


def _answers(removal: Removal, removals: Sequence[Removal], wanted: dict[str, Any]) -> bool:
    pinned = wanted["job"] in {other.job for other in removals}
    if removal.job != wanted["job"] if pinned else not removal.current:
        return False
    named = wanted["model"] in (None, removal.model) and wanted["layer"] in (None, removal.layer)
    return named and removal.class_name == wanted["class"]


def _rows(removal: Removal, units: Sequence[Known], wanted: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The removal with the unit's label, or with each of its concepts that fits."""
    labelled = wanted["job"] in {unit.job for unit in units}
    same = [
        unit for unit in units if (unit.model, unit.layer, unit.unit) == (removal.model, removal.layer, removal.unit)
    ]
    unit = next((unit for unit in same if (unit.job == wanted["job"] if labelled else unit.current)), None)
    filtered = wanted["detectors"] or any(wanted[name] is not None for name in ("concept", "category", "min_iou"))
    if not filtered and not (labelled and unit is None):
        best = unit.labels[0] if unit and unit.labels else (None, 0, 0.0)
        return [(removal, unit, best[0], best[2], 0)]
    if unit is None:
        return []
    pairs = wanted["concept"] is not None and not wanted["detectors"]
    fitting = planted.search([unit], {**wanted, "job": unit.job, "sort": "iou"})
    numbers = {concept: number for concept, number, _ in unit.labels}
    label = unit.labels[0][0] if unit.labels else None
    return [
        (removal, unit, concept or label, iou, numbers.get(concept, 0) if pairs else 0) for _, concept, iou in fitting
    ]


def curves(sizes: Sequence[int]) -> dict[str, Any]:
    """Curves of a class as the job writes them, each figure another one."""
    figures = ("balanced_accuracy", "all_class_accuracy", "auroc", "rechosen_balanced_accuracy")

    def point(order: int, size: int) -> dict[str, Any]:
        change = -0.001 * size - 0.1 * order
        interval = {"change": change, "change_low": change - 0.05, "change_high": change + 0.0005}
        return {"size": size, **interval, **{name: 0.9 + change + 0.01 * i for i, name in enumerate(figures)}}

    def banded(size: int) -> dict[str, Any]:
        return {
            name: {"mean": 0.8 - 0.001 * size, "low": 0.7, "high": 0.85 + 0.01 * i} for i, name in enumerate(figures)
        }

    return {
        "untouched": {name: 0.9 + 0.01 * i for i, name in enumerate(figures)},
        **{name: [point(i, size) for size in sizes] for i, name in enumerate(("most", "least", "all_but"))},
        "random": [{"size": size, **banded(size)} for size in sizes],
    }
