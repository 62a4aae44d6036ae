"""What attacks did: written by the job that found it, and what it reads of dissections and ablations for that."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Concept, Layer
from service.database import bulk_insert
from service.jobs.tables import Job
from service.results.attacks.tables import Attack, AttackedImage, UnitShift
from service.results.effects.tables import LayerAblation, UnitEffect
from service.results.queries import ResultsJob
from service.results.tables import LayerDissection, Unit


class ImageResult(NamedTuple):
    """What an attack did to an image; the columns of `AttackedImage` say what each figure is."""

    position: int
    image: str
    digest: str
    true_class_id: int
    source_class_id: int
    target_class_id: int | None
    result_class_id: int
    outcome: str
    l2: float | None
    linf: float | None
    restored_by: dict[str, Any] | None
    transfers: dict[str, Any] | None
    original: str | None
    adversarial: str | None
    picture: str | None


class ShiftResult(NamedTuple):
    """How an attack moved a unit; see `UnitShift`."""

    layer_id: int
    unit: int
    mean_peak_change: float
    mean_peak_change_low: float | None
    mean_peak_change_high: float | None
    rank: int


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """What an attack with one target did."""

    target_class_id: int | None
    figures: dict[str, Any]
    images: Sequence[ImageResult]
    shifts: Iterable[ShiftResult]


class LabelledUnit(NamedTuple):
    """A unit's threshold and its label; without one, category and concept are None."""

    threshold: float | None
    category: str | None
    concept: str | None
    iou: float


def write_attack(session: Session, job: ResultsJob, found: AttackResult) -> None:
    """Write the rows of an attack with one target, which is the newest with it from now on."""
    attack = Attack(job_id=job.id, model_id=job.model_id, target_class_id=found.target_class_id, figures=found.figures)
    session.add(attack)
    session.flush()
    names = [*ImageResult._fields, "attack_id", "team_id"]
    rows = [dict(zip(names, (*image, attack.id, job.team_id), strict=True)) for image in found.images]
    if rows:
        session.execute(sa.insert(AttackedImage), rows)
    shifts = ((*shift, attack.id) for shift in found.shifts)
    bulk_insert(session, UnitShift, [*ShiftResult._fields, "attack_id"], shifts)


def important_units(
    session: Session, team_id: uuid.UUID, job_id: uuid.UUID, layer: str, top: int
) -> dict[int, list[int]]:
    """The units that the team's ablation found to damage each class most, by the class's position."""
    statement = (
        sa.select(Class.index, UnitEffect.unit)
        .join(UnitEffect, UnitEffect.class_id == Class.id)
        .join(LayerAblation, LayerAblation.id == UnitEffect.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .where(LayerAblation.job_id == job_id, Layer.name == layer, UnitEffect.rank <= top, _is_of(team_id))
        .order_by(Class.index, UnitEffect.rank)
    )
    units: dict[int, list[int]] = defaultdict(list)
    for position, unit in session.execute(statement):
        units[position].append(unit)
    return dict(units)


def _is_of(team_id: uuid.UUID) -> sa.ColumnElement[bool]:
    return LayerAblation.job_id.in_(sa.select(Job.id).where(Job.team_id == team_id))


def labelled_units(session: Session, team_id: uuid.UUID, job_id: uuid.UUID, layer: str) -> list[LabelledUnit]:
    """The units of a layer, in order, as the team's dissection found them."""
    statement = (
        sa.select(Unit.threshold, Concept.category, Concept.name, Unit.iou)
        .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .join(Concept, Concept.id == Unit.concept_id, isouter=True)
        .where(Unit.team_id == team_id, LayerDissection.job_id == job_id, Layer.name == layer)
        .order_by(Unit.index)
    )
    return [LabelledUnit(*row) for row in session.execute(statement)]
