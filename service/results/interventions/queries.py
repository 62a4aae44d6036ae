"""What interventions did: written by the job that found it, and read beside what dissections found of units."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Layer, Model
from service.database import bulk_insert
from service.results.interventions.tables import (
    EVERYWHERE,
    REMOVE,
    EditedPicture,
    InsertionContext,
    Intervention,
    MeasuredUnit,
    PixelChange,
)
from service.results.queries import ResultsJob
from service.results.tables import LayerDissection, Unit, UnitLabel


class ChangeResult(NamedTuple):
    """What a set of units does to the pixels of a concept; the columns of `PixelChange` say what each figure is."""

    order: str
    size: int
    concept_id: int
    pictures: int
    pixels_before: int
    pixels_after: int
    change: float | None
    change_low: float | None
    change_high: float | None
    random_change: float | None
    random_low: float | None
    random_high: float | None


class MeasuredResult(NamedTuple):
    """What a unit alone does to the target; see `MeasuredUnit`."""

    unit: int
    place: int
    iou: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    rank: int | None
    ranking_change: float | None


class ContextResult(NamedTuple):
    """What an insertion does in a context; see `InsertionContext`."""

    size: int
    concept_id: int
    samples: int
    pictures: int
    sufficient: bool
    pixels: float
    change: float | None
    standard_error: float | None


class PictureResult(NamedTuple):
    """A picture before and after; see `EditedPicture`."""

    position: int
    name: str
    digest: str
    order: str
    size: int
    row: int | None
    column: int | None
    pixels_before: int | None
    pixels_after: int | None
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class InterventionResult:
    """What an intervention did to a layer."""

    layer_id: int
    concept_id: int | None
    action: str
    extent: str
    pictures: int
    changes: Sequence[ChangeResult]
    units: Sequence[MeasuredResult]
    contexts: Sequence[ContextResult]
    edited: Sequence[PictureResult]


class Measured(NamedTuple):
    """What removing a unit everywhere did to the pixels of a concept, by the newest intervention that tried it."""

    job_id: uuid.UUID
    change: float | None
    change_low: float | None
    change_high: float | None
    rank: int | None


def write_intervention(session: Session, job: ResultsJob, found: InterventionResult) -> None:
    """Write the rows of one layer, which is the newest of the layer and its target from now on."""
    intervention = Intervention(
        job_id=job.id,
        layer_id=found.layer_id,
        concept_id=found.concept_id,
        action=found.action,
        extent=found.extent,
        pictures=found.pictures,
    )
    session.add(intervention)
    session.flush()
    changes = ((*row, place, intervention.id) for place, row in enumerate(found.changes))
    bulk_insert(session, PixelChange, [*ChangeResult._fields, "position", "intervention_id"], changes)
    for table, rows in ((MeasuredUnit, found.units), (InsertionContext, found.contexts), (EditedPicture, found.edited)):
        session.add_all(table(intervention_id=intervention.id, **row._asdict()) for row in rows)
    session.flush()


def unit_ious(session: Session, job_id: uuid.UUID | str, layer_id: int, concept_id: int) -> dict[int, float]:
    """The IoU with a concept of those units of a dissected layer for which it is kept."""
    statement = (
        sa.select(Unit.index, UnitLabel.iou)
        .join(UnitLabel, UnitLabel.unit_id == Unit.id)
        .join(LayerDissection, LayerDissection.id == UnitLabel.dissection_id)
        .where(LayerDissection.job_id == uuid.UUID(str(job_id)), LayerDissection.layer_id == layer_id)
        .where(UnitLabel.concept_id == concept_id)
    )
    return dict(session.execute(statement).tuples().all())


def measured_on(
    session: Session, team_id: uuid.UUID, units: Collection[tuple[str, str, int]], concepts: Iterable[int]
) -> dict[tuple[str, str, int, int], Measured]:
    """What removing units, each (model, layer, unit), everywhere and alone did to concepts, by unit and concept id."""
    models, layers, indices = (set(column) for column in zip(*units, strict=True)) if units else (set(),) * 3
    figures = (MeasuredUnit.change, MeasuredUnit.change_low, MeasuredUnit.change_high, MeasuredUnit.rank)
    statement = (
        sa.select(Model.name, Layer.name, MeasuredUnit.unit, Intervention.concept_id, Intervention.job_id, *figures)
        .join(Intervention, Intervention.id == MeasuredUnit.intervention_id)
        .join(Layer, Layer.id == Intervention.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Model.team_id == team_id, Model.name.in_(models), Layer.name.in_(layers))
        .where(MeasuredUnit.unit.in_(indices), Intervention.concept_id.in_(set(concepts)))
        .where(Intervention.action == REMOVE, Intervention.extent == EVERYWHERE)
        .order_by(Intervention.id)  # so that the newest stands
    )
    found = ((row[:3], row[3], Measured._make(row[4:])) for row in session.execute(statement))
    return {(*unit, concept_id): measured for unit, concept_id, measured in found if concept_id is not None}
