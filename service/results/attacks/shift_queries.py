"""How attacks moved units: on the classes that were asked for, and of one unit by target."""

import uuid
from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Layer, Model
from service.results.attacks.tables import Attack, UnitShift


class Shift(NamedTuple):
    """How the newest attack with a target that watched the unit moved it; see `UnitShift`.

    The target is None for any other class, and `least-likely` for each image's own.
    """

    job_id: uuid.UUID
    target: str | None
    mean_peak_change: float
    mean_peak_change_low: float | None
    mean_peak_change_high: float | None
    rank: int


class UnitMove(NamedTuple):
    """How an attack moved a unit; see `UnitShift`."""

    unit: int
    mean_peak_change: float
    mean_peak_change_low: float | None
    mean_peak_change_high: float | None
    rank: int


SHIFT_COLUMNS = (
    UnitShift.mean_peak_change,
    UnitShift.mean_peak_change_low,
    UnitShift.mean_peak_change_high,
    UnitShift.rank,
)


def shifts_towards(
    session: Session, team_id: uuid.UUID, units: Collection[tuple[int, str, int]]
) -> dict[tuple[int, str, int], Shift]:
    """How units, each (class id, layer, unit), were moved by attacks whose target is that class."""
    classes, layers, indices = (set(column) for column in zip(*units, strict=True)) if units else (set(),) * 3
    statement = (
        _shifts(team_id, Class.name)
        .join(Class, sa.and_(Class.id == Attack.target_class_id, Class.model_id == Attack.model_id))
        .add_columns(Class.id, Layer.name, UnitShift.unit)
        .where(Class.id.in_(classes), Layer.name.in_(layers), UnitShift.unit.in_(indices))
    )
    found = {(row[-3], row[-2], row[-1]): _make(row) for row in session.execute(statement)}
    return {key: shift for key, shift in found.items() if key in units}


def shifts_of(session: Session, team_id: uuid.UUID, model: str, layer: str, unit: int) -> list[Shift]:
    """How a unit was moved, by target, the target that it was moved most towards first."""
    named = (Model.name == model, Layer.name == layer, UnitShift.unit == unit)
    statement = _shifts(team_id, Attack.figures["target"].as_string()).where(*named)
    newest = {shift.target: shift for shift in map(_make, session.execute(statement))}
    return sorted(newest.values(), key=lambda shift: (shift.rank, shift.target or ""))


def _shifts(team_id: uuid.UUID, target: Any) -> sa.Select[*tuple[Any, ...]]:
    """Shifts with their jobs and targets, oldest first, so that the last one of a target stands."""
    return (
        sa.select(Attack.job_id, target, *SHIFT_COLUMNS)
        .select_from(Attack)
        .join(UnitShift, UnitShift.attack_id == Attack.id)
        .join(Layer, Layer.id == UnitShift.layer_id)
        .join(Model, Model.id == Attack.model_id)
        .where(Model.team_id == team_id)
        .order_by(Attack.id)
    )


def _make(row: Any) -> Shift:
    return Shift._make(row[: len(Shift._fields)])
