"""What was found, written by the job that found it and searched by concept; always within one team."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Model
from service.database import bulk_insert
from service.results.tables import LayerDissection, Unit, UnitLabel


class LabelResult(NamedTuple):
    """How well a unit matches a concept."""

    concept_id: int
    rank: int
    iou: float
    intersection: int
    union: int


@dataclass(frozen=True, kw_only=True)
class UnitResult:
    """What a dissection found of a unit; its label is the one of rank 1, if there is any."""

    index: int
    threshold: float
    active: int
    peak: float
    labels: Sequence[LabelResult]
    top_images: Sequence[dict[str, Any]] = field(default_factory=list)
    picture: str | None = None


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """What a dissection found in a layer."""

    layer_id: int
    grid: int
    samples: int
    iou_artifact: str
    units: Sequence[UnitResult]


class DissectionJob(Protocol):
    """What of a dissection's job its rows are written with."""

    @property
    def id(self) -> uuid.UUID: ...  # noqa: D102
    @property
    def team_id(self) -> uuid.UUID: ...  # noqa: D102
    @property
    def model_id(self) -> uuid.UUID | None: ...  # noqa: D102
    @property
    def params(self) -> dict[str, Any]: ...  # noqa: D102


def write_dissection(session: Session, job: DissectionJob, layers: Sequence[LayerResult]) -> None:
    """Write a dissection's rows, which answer for its layers from now on in the place of older ones.

    The artifacts that the results name must be recorded already; detectors are cut off at `job.params["cutoff"]`.
    """
    # one dissection of a model at a time, so that the newest is the last to be written
    session.execute(sa.select(Model.id).where(Model.id == job.model_id).with_for_update())
    _retire(session, [layer.layer_id for layer in layers])
    for layer in layers:
        _write_layer(session, job, layer)


def _retire(session: Session, layer_ids: Sequence[int]) -> None:
    current = sa.select(LayerDissection.id).where(LayerDissection.layer_id.in_(layer_ids), LayerDissection.current)
    old = list(session.scalars(current))
    for table, dissection_id in ((UnitLabel, UnitLabel.dissection_id), (Unit, Unit.dissection_id)):
        session.execute(sa.update(table).where(dissection_id.in_(old)).values(current=False))
    session.execute(sa.update(LayerDissection).where(LayerDissection.id.in_(old)).values(current=False))


def _write_layer(session: Session, job: DissectionJob, layer: LayerResult) -> None:
    dissection = LayerDissection(
        job_id=job.id,
        layer_id=layer.layer_id,
        current=True,
        grid=layer.grid,
        samples=layer.samples,
        iou_artifact=layer.iou_artifact,
    )
    session.add(dissection)
    session.flush()
    ids = _write_units(session, job, dissection.id, layer.units)
    names = [*LabelResult._fields, "unit_id", "dissection_id", "current"]
    rows = ((*label, ids[unit.index], dissection.id, True) for unit in layer.units for label in unit.labels)
    bulk_insert(session, UnitLabel, names, rows)


def _write_units(
    session: Session, job: DissectionJob, dissection_id: int, units: Sequence[UnitResult]
) -> dict[int, int]:
    if not units:
        return {}
    common = {"dissection_id": dissection_id, "team_id": job.team_id, "current": True}
    rows = [{**common, **_unit_row(unit, job.params["cutoff"])} for unit in units]
    written = session.execute(sa.insert(Unit).returning(Unit.index, Unit.id), rows).tuples()
    return dict(written)


def _unit_row(unit: UnitResult, cutoff: float) -> dict[str, Any]:
    label = next((label for label in unit.labels if label.rank == 1), None)
    return {
        "index": unit.index,
        "threshold": unit.threshold,
        "active": unit.active,
        "peak": unit.peak,
        "concept_id": label.concept_id if label else None,
        "iou": label.iou if label else 0.0,
        "detector": label is not None and label.iou > cutoff,
        "top_images": list(unit.top_images),
        "picture": unit.picture,
    }
