"""Attacks as one class saw them: those towards it, and those on images that were taken for it."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Layer
from service.jobs.tables import Job
from service.results.attacks.shift_queries import SHIFT_COLUMNS, UnitMove
from service.results.attacks.tables import Attack, AttackedImage, UnitShift

MOST_SOURCES = 20
"""Attacks on images of a class that explain it."""


class Success(NamedTuple):
    """How often attacks on images succeeded of those that were tried, and how far they went."""

    images: int
    succeeded: int
    mean_l2: float | None


class ClassAttack(NamedTuple):
    """An attack with a target as a class saw it; the target as in `Shift`.

    What it did to groups of units, and to single ones, is over all images that it fooled.
    """

    job_id: uuid.UUID
    method: str
    target: str | None
    success: Success
    figures: Mapping[str, Any]
    """Of the layer, as the job's summary has them."""
    moves: Sequence[UnitMove]


class ClassAttacks(NamedTuple):
    """The newest attack towards a class, and the newest with each other target that tried images of the class."""

    as_target: ClassAttack | None
    as_source: Sequence[ClassAttack]


def attacks_on(session: Session, team_id: uuid.UUID, layer_id: int, class_id: int, units: list[int]) -> ClassAttacks:
    """The newest attacks that watched the layer and tell of the class, and how they moved these units.

    Those on images of the class come with those that fooled most of them first, at most MOST_SOURCES.
    """
    newest = _newest(session, team_id, session.get_one(Layer, layer_id))
    towards = _count(session, {newest[class_id]} if class_id in newest else set(), sa.true())
    counted = _count(session, newest.values(), AttackedImage.source_class_id == class_id)
    chosen = sorted(counted, key=lambda id: (-counted[id].succeeded, -id))[:MOST_SOURCES]
    described = _describe(session, layer_id, {id: counted[id] for id in chosen} | towards, units)
    return ClassAttacks(next((described[id] for id in towards), None), [described[id] for id in chosen])


def _newest(session: Session, team_id: uuid.UUID, layer: Layer) -> dict[int | None, int]:
    """By target the newest attack of a job that watched the layer."""
    attacks = sa.select(Attack.target_class_id, Attack.id, Attack.job_id).where(Attack.model_id == layer.model_id)
    rows = session.execute(attacks.order_by(Attack.id)).tuples().all()
    watched = sa.select(Job.id, Job.params["layer"]).where(Job.team_id == team_id)
    jobs = session.execute(watched.where(Job.id.in_({job_id for _, _, job_id in rows})))
    watching = {job_id for job_id, layers in jobs if layer.name in layers}
    return {target: id for target, id, job_id in rows if job_id in watching}


def _count(session: Session, attacks: Collection[int], images: sa.ColumnElement[bool]) -> dict[int, Success]:
    """How the attacks went on those of their images that they tried; without an entry where there is none."""
    succeeded = AttackedImage.outcome == "succeeded"
    statement = (
        sa.select(
            AttackedImage.attack_id,
            sa.func.count(),
            sa.func.count().filter(succeeded),
            sa.func.avg(AttackedImage.l2),
        )
        .where(AttackedImage.attack_id.in_(attacks), images, AttackedImage.outcome.in_(("succeeded", "failed")))
        .group_by(AttackedImage.attack_id)
    )
    return {id: Success(*rest) for id, *rest in session.execute(statement)}


def _describe(
    session: Session, layer_id: int, counted: Mapping[int, Success], units: Sequence[int]
) -> dict[int, ClassAttack]:
    layer = session.get_one(Layer, layer_id).name
    statement = (
        sa.select(Attack, Job.params["method"].as_string())
        .join(Job, Job.id == Attack.job_id)
        .where(Attack.id.in_(counted))
    )
    moves = _moves(session, layer_id, counted, units)
    return {
        attack.id: ClassAttack(
            attack.job_id,
            method,
            attack.figures["target"],
            counted[attack.id],
            _of_layer(attack.figures, layer),
            [moves[attack.id, unit] for unit in units if (attack.id, unit) in moves],
        )
        for attack, method in session.execute(statement)
    }


def _of_layer(figures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next((layer for layer in figures["layers"] if layer["layer"] == name), {})
    return found


def _moves(
    session: Session, layer_id: int, attacks: Iterable[int], units: Sequence[int]
) -> dict[tuple[int, int], UnitMove]:
    statement = sa.select(UnitShift.attack_id, UnitShift.unit, *SHIFT_COLUMNS).where(
        UnitShift.attack_id.in_(attacks), UnitShift.layer_id == layer_id, UnitShift.unit.in_(units)
    )
    return {(row.attack_id, row.unit): UnitMove._make(row[1:]) for row in session.execute(statement)}
