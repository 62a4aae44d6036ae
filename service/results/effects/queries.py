"""What units are for: written by the ablation that found it; always within one team."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Layer, Model
from service.database import bulk_insert
from service.results.effects.tables import AblatedClass, AblatedUnit, LayerAblation, UnitEffect
from service.results.queries import ResultsJob
from service.results.tables import LayerDissection, Unit


class EffectResult(NamedTuple):
    """What removing a unit does to a class; the columns of `UnitEffect` say what each figure is."""

    class_id: int
    unit: int
    rank: int
    class_rank: int
    ranking_change: float
    ranking_log_probability_change: float
    recall_change: float
    recall_change_low: float | None
    recall_change_high: float | None
    true_negative_rate_change: float
    true_negative_rate_change_low: float | None
    true_negative_rate_change_high: float | None
    accuracy_change: float
    accuracy_change_low: float | None
    accuracy_change_high: float | None
    uncertain: bool
    log_probability_change: float
    p_value: float
    p_value_corrected: float
    coactivation: float | None


class UnitResult(NamedTuple):
    """What removing a unit does as a whole; see `AblatedUnit`."""

    unit: int
    importance: int
    accuracy_change: float
    accuracy_change_low: float | None
    accuracy_change_high: float | None


class ClassResult(NamedTuple):
    """A class with the network untouched, and what removing sets of units does to it; see `AblatedClass`."""

    class_id: int
    images: int
    recall: float
    true_negative_rate: float
    balanced_accuracy: float
    auroc: float
    important_units: int
    curves: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class AblationResult:
    """What was found in a layer."""

    layer_id: int
    units: Sequence[UnitResult]
    classes: Sequence[ClassResult]
    effects: Iterable[EffectResult]


def write_ablation(session: Session, job: ResultsJob, found: AblationResult) -> None:
    """Write an ablation's rows, which answer for its layer from now on in the place of older ones."""
    # one ablation of a model at a time, so that the newest is the last to be written
    session.execute(sa.select(Model.id).where(Model.id == job.model_id).with_for_update())
    _retire(session, found.layer_id)
    ablation = LayerAblation(job_id=job.id, layer_id=found.layer_id, current=True)
    session.add(ablation)
    session.flush()
    session.add_all(AblatedClass(ablation_id=ablation.id, **row._asdict()) for row in found.classes)
    session.add_all(AblatedUnit(ablation_id=ablation.id, **row._asdict()) for row in found.units)
    session.flush()
    names = [*EffectResult._fields, "ablation_id", "current"]
    bulk_insert(session, UnitEffect, names, ((*row, ablation.id, True) for row in found.effects))


def _retire(session: Session, layer_id: int) -> None:
    old = list(
        session.scalars(sa.select(LayerAblation.id).where(LayerAblation.layer_id == layer_id, LayerAblation.current))
    )
    session.execute(sa.update(UnitEffect).where(UnitEffect.ablation_id.in_(old)).values(current=False))
    session.execute(sa.update(LayerAblation).where(LayerAblation.id.in_(old)).values(current=False))


def unit_ious(session: Session, team_id: uuid.UUID, job_id: uuid.UUID | str, layer: str) -> list[float]:
    """The best IoU of each unit of a layer, in order, as the team's dissection found it."""
    statement = (
        sa.select(Unit.iou)
        .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .where(Unit.team_id == team_id, LayerDissection.job_id == uuid.UUID(str(job_id)), Layer.name == layer)
        .order_by(Unit.index)
    )
    return list(session.scalars(statement))
