"""What is read of a job, and of a dissection in particular, to export it: in batches, each of a session of its own.

A client may take an hour to read an export. What a succeeded job found does not change meanwhile, so that no
transaction needs to stay open between the batches.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Concept, Layer
from service.database import Sessions, reading
from service.errors import Conflict, Invalid
from service.jobs.queries import find_job
from service.jobs.tables import Job
from service.results.queries import LabelResult, LabelRow, labels_of
from service.results.tables import LayerDissection, Unit, UnitLabel

EXPORTED_KINDS = ("dissection", "ablation", "attack", "intervention")
UNITS_IN_BATCH = 256

Columns = Mapping[str, sa.ColumnElement[Any] | sa.orm.InstrumentedAttribute[Any]]

_SCORES: Columns = {
    "iou": UnitLabel.iou,
    "intersection": UnitLabel.intersection,
    "union": UnitLabel.union,
    "activated_share": sa.case((Unit.active > 0, sa.cast(UnitLabel.intersection, sa.Float) / Unit.active)),
    **{name: getattr(UnitLabel, name) for name in LabelResult._fields[5:]},
}
LABEL_COLUMNS: Columns = {
    "threshold": Unit.threshold,
    "active": Unit.active,
    "category": Concept.category,
    "concept": Concept.name,
    "rank": UnitLabel.rank,
    **_SCORES,
    "detector": sa.and_(Unit.detector, UnitLabel.rank == 1),
}
UNIT_COLUMNS: Columns = {
    "threshold": Unit.threshold,
    "active": Unit.active,
    "peak": Unit.peak,
    "category": Concept.category,
    "concept": Concept.name,
    **_SCORES,
    "iou": Unit.iou,
    "detector": Unit.detector,
    "histogram": Unit.histogram,
    "top_images": Unit.top_images,
    "picture": Unit.picture,
}


class ExportedLayer(NamedTuple):
    """A layer as a dissection saw it."""

    dissection_id: int
    name: str
    units: int
    iou_artifact: str | None


class ShownUnit(NamedTuple):
    """A unit with all concepts that are kept of it, best first."""

    unit: Unit
    labels: Sequence[LabelRow]


def find_exported(session: Session, team_id: uuid.UUID, job_id: uuid.UUID) -> Job:
    """The team's job; raise NotFound without one, Invalid for another kind, Conflict unless it has succeeded."""
    job = find_job(session, team_id, job_id)
    if job.kind not in EXPORTED_KINDS:
        kinds = ", ".join(f"{kind}s" for kind in EXPORTED_KINDS)
        raise Invalid(f"the job {job_id} is of kind {job.kind}; what can be exported are {kinds}")
    if job.state != "succeeded":
        raise Conflict(f"the job {job_id} is {job.state}; export it once it has succeeded")
    return job


def exported_layers(session: Session, job: Job, name: str | None) -> list[ExportedLayer]:
    """The dissection's layers in forward order, or the one of this name; raise Invalid where it has none such."""
    statement = (
        sa.select(LayerDissection.id, Layer.name, Layer.units, LayerDissection.iou_artifact)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .where(LayerDissection.job_id == job.id)
        .order_by(Layer.position)
    )
    layers = [ExportedLayer(*row) for row in session.execute(statement)]
    if name is None:
        return layers
    wanted = [layer for layer in layers if layer.name == name]
    if not wanted:
        raise Invalid(f"the job dissected no layer {name!r}{near(name, [y.name for y in layers])}", "query:layer")
    return wanted


def label_batches(sessions: Sessions, layers: Sequence[ExportedLayer]) -> Iterator[list[tuple[Any, ...]]]:
    """Layer, unit and LABEL_COLUMNS of every concept that is kept of a unit."""
    statement = (
        sa.select(Unit.index, *LABEL_COLUMNS.values())
        .join(UnitLabel, UnitLabel.unit_id == Unit.id)
        .join(Concept, Concept.id == UnitLabel.concept_id)
        .order_by(Unit.index, UnitLabel.rank)
    )
    return _batches(sessions, layers, statement)


def unit_batches(sessions: Sessions, layers: Sequence[ExportedLayer]) -> Iterator[list[tuple[Any, ...]]]:
    """Layer, unit and UNIT_COLUMNS of every unit."""
    best = sa.and_(UnitLabel.unit_id == Unit.id, UnitLabel.concept_id == Unit.concept_id)
    statement = (
        sa.select(Unit.index, *UNIT_COLUMNS.values())
        .join(UnitLabel, best, isouter=True)
        .join(Concept, Concept.id == Unit.concept_id, isouter=True)
        .order_by(Unit.index)
    )
    return _batches(sessions, layers, statement)


def _batches(
    sessions: Sessions, layers: Sequence[ExportedLayer], statement: sa.Select[*tuple[Any, ...]]
) -> Iterator[list[tuple[Any, ...]]]:
    for layer in layers:
        for start in range(0, layer.units, UNITS_IN_BATCH):
            within = Unit.index.between(start, start + UNITS_IN_BATCH - 1)
            with reading(sessions) as session:
                rows = session.execute(statement.where(Unit.dissection_id == layer.dissection_id, within)).all()
            yield [(layer.name, *row) for row in rows]


def best_first(sessions: Sessions, layer: ExportedLayer) -> Iterator[ShownUnit]:
    """The layer's units, those of the highest IoU first, of equals the lowest index."""
    statement = sa.select(Unit).where(Unit.dissection_id == layer.dissection_id)
    statement = statement.order_by(Unit.iou.desc(), Unit.index).limit(UNITS_IN_BATCH)
    for start in range(0, layer.units, UNITS_IN_BATCH):
        with reading(sessions) as session:
            units = session.scalars(statement.offset(start)).all()
            shown = [ShownUnit(unit, labels_of(session, unit.id)) for unit in units]
        yield from shown
