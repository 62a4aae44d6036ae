"""One unit, as its newest dissection, its newest ablation and attacks saw it, or a job in place of the first two."""

import uuid
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Layer, Model
from service.errors import NotFound
from service.jobs.tables import Job
from service.results.attacks.shift_queries import Shift, shifts_of
from service.results.effects.affected_queries import EFFECT_COLUMNS, Place
from service.results.effects.queries import EffectResult
from service.results.effects.tables import AblatedClass, AblatedUnit, LayerAblation, UnitEffect
from service.results.queries import FoundUnit, find_unit, get_unit


class ClassEffect(NamedTuple):
    """What removing a unit does to a class."""

    class_name: str
    effect: EffectResult


class RemovedUnit(NamedTuple):
    """A unit as an ablation saw it, with its effects on the classes that are kept of it, most damaged first."""

    place: Place
    row: AblatedUnit
    effects: Sequence[ClassEffect]


class SeenUnit(NamedTuple):
    """A unit as a dissection, an ablation and attacks saw it; some of them may be missing."""

    model: str
    layer: str
    unit: int
    shifts: Sequence[Shift]
    found: FoundUnit | None
    removed: RemovedUnit | None


def see_unit(
    session: Session, team_id: uuid.UUID, model: str, layer: str, index: int, job_id: uuid.UUID | None
) -> SeenUnit:
    """The unit as the job saw it, and else as the newest did; raise NotFound where nobody did, or the job did not."""
    names = (model, layer, index)
    shifts = shifts_of(session, team_id, *names)
    if _is_ablation(session, team_id, job_id):
        removed = _find_removed(session, team_id, *names, LayerAblation.job_id == job_id)
        if removed is None:
            raise NotFound(f"no unit {index} of layer {layer!r} of a model {model!r} has been ablated by job {job_id}")
        return SeenUnit(*names, shifts, find_unit(session, team_id, *names), removed)
    removed = _find_removed(session, team_id, *names, sa.and_(LayerAblation.current))
    if job_id is not None or not (removed or shifts):
        return SeenUnit(*names, shifts, get_unit(session, team_id, *names, job_id), removed)
    return SeenUnit(*names, shifts, find_unit(session, team_id, *names), removed)


def _is_ablation(session: Session, team_id: uuid.UUID, job_id: uuid.UUID | None) -> bool:
    if job_id is None:
        return False
    return session.scalar(sa.select(Job.kind).where(Job.team_id == team_id, Job.id == job_id)) == "ablation"


def _find_removed(
    session: Session, team_id: uuid.UUID, model: str, layer: str, index: int, answers: sa.ColumnElement[bool]
) -> RemovedUnit | None:
    statement = (
        sa.select(AblatedUnit, LayerAblation.job_id, LayerAblation.current)
        .join(LayerAblation, LayerAblation.id == AblatedUnit.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Model.team_id == team_id, Model.name == model, Layer.name == layer, AblatedUnit.unit == index, answers)
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    row, job_id, current = found
    return RemovedUnit(Place(model, layer, job_id, current), row, _effects_of(session, row))


def _effects_of(session: Session, row: AblatedUnit) -> list[ClassEffect]:
    # by the classes of the ablation, so that the primary key finds the unit's few among its many effects
    statement = (
        sa.select(Class.name, *EFFECT_COLUMNS)
        .join(AblatedClass, AblatedClass.class_id == Class.id)
        .join(
            UnitEffect,
            sa.and_(
                UnitEffect.ablation_id == AblatedClass.ablation_id,
                UnitEffect.class_id == AblatedClass.class_id,
                UnitEffect.unit == row.unit,
            ),
        )
        .where(AblatedClass.ablation_id == row.ablation_id)
        .order_by(UnitEffect.class_rank, UnitEffect.class_id)
    )
    return [ClassEffect(name, EffectResult._make(effect)) for name, *effect in session.execute(statement)]
