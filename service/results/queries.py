"""What was found: written by the job that found it, read a unit at a time; always within one team."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Concept, Layer, Model
from service.database import bulk_insert
from service.errors import NotFound
from service.results.tables import OWN_METHOD, LayerDissection, TopImage, Unit, UnitLabel


class LabelResult(NamedTuple):
    """How well a unit matches a concept; the columns of `UnitLabel` say what each score is."""

    concept_id: int
    rank: int
    iou: float
    intersection: int
    union: int
    iou_low: float | None = None
    iou_high: float | None = None
    average_precision: float | None = None
    auroc: float | None = None
    equal_error_threshold: float | None = None
    balanced_accuracy: float | None = None
    p_value: float | None = None
    p_value_corrected: float | None = None


@dataclass(frozen=True, kw_only=True)
class UnitResult:
    """What was found of a unit; its label is the one of rank 1, if there is any. Imported results tell labels only."""

    index: int
    threshold: float | None = None
    active: int | None = None
    peak: float | None = None
    labels: Sequence[LabelResult]
    similarity: float | None = None
    histogram: dict[str, Any] | None = None
    top_images: Sequence[dict[str, Any]] = field(default_factory=list)
    picture: str | None = None


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """What was found in a layer."""

    layer_id: int
    grid: int | None = None
    samples: int | None = None
    iou_artifact: str | None = None
    units: Sequence[UnitResult]


class Named(Protocol):
    """A unit by its names."""

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def layer(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> int: ...  # noqa: D102


class ResultsJob(Protocol):
    """What of a job its rows are written with."""

    @property
    def id(self) -> uuid.UUID: ...  # noqa: D102
    @property
    def team_id(self) -> uuid.UUID: ...  # noqa: D102
    @property
    def model_id(self) -> uuid.UUID | None: ...  # noqa: D102
    @property
    def params(self) -> dict[str, Any]: ...  # noqa: D102


def write_dissection(
    session: Session, job: ResultsJob, layers: Sequence[LayerResult], method: str = OWN_METHOD
) -> None:
    """Write a dissection's rows, which answer for its layers from now on in the place of older ones by that method.

    The artifacts that the results name must be recorded already; detectors are cut off at `job.params["cutoff"]`.
    """
    # one dissection of a model at a time, so that the newest is the last to be written
    session.execute(sa.select(Model.id).where(Model.id == job.model_id).with_for_update())
    _retire(session, [layer.layer_id for layer in layers], method)
    for layer in layers:
        _write_layer(session, job, layer, method)


def _retire(session: Session, layer_ids: Sequence[int], method: str) -> None:
    newest = (LayerDissection.layer_id.in_(layer_ids), LayerDissection.method == method, LayerDissection.current)
    old = list(session.scalars(sa.select(LayerDissection.id).where(*newest)))
    for table, dissection_id in ((UnitLabel, UnitLabel.dissection_id), (Unit, Unit.dissection_id)):
        session.execute(sa.update(table).where(dissection_id.in_(old)).values(current=False))
    session.execute(sa.update(LayerDissection).where(LayerDissection.id.in_(old)).values(current=False))


def _write_layer(session: Session, job: ResultsJob, layer: LayerResult, method: str) -> None:
    dissection = LayerDissection(
        job_id=job.id,
        layer_id=layer.layer_id,
        method=method,
        current=True,
        grid=layer.grid,
        samples=layer.samples,
        iou_artifact=layer.iou_artifact,
    )
    session.add(dissection)
    session.flush()
    own = method == OWN_METHOD
    ids = _write_units(session, job, dissection.id, layer.units, current=own)
    names = [*LabelResult._fields, "unit_id", "dissection_id", "current"]
    rows = ((*label, ids[unit.index], dissection.id, own) for unit in layer.units for label in unit.labels)
    bulk_insert(session, UnitLabel, names, rows)
    top_images = (row for unit in layer.units for row in _top_images(unit, ids[unit.index]))
    bulk_insert(session, TopImage, ["digest", "unit_id", "rank", "peak"], top_images)


def _top_images(unit: UnitResult, unit_id: int) -> Iterator[tuple[Any, ...]]:
    # an image may be there twice, its highest peak first
    best = {top["digest"]: (rank, top["peak"]) for rank, top in reversed([*enumerate(unit.top_images, start=1)])}
    return ((digest, unit_id, *found) for digest, found in best.items())


def _write_units(
    session: Session, job: ResultsJob, dissection_id: int, units: Sequence[UnitResult], *, current: bool
) -> dict[int, int]:
    if not units:
        return {}
    common = {"dissection_id": dissection_id, "team_id": job.team_id, "current": current}
    rows = [{**common, **_unit_row(unit, job.params["cutoff"])} for unit in units]
    written = session.execute(sa.insert(Unit).returning(Unit.index, Unit.id), rows)
    return dict(written.tuples().all())


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
        "similarity": unit.similarity,
        "histogram": unit.histogram,
        "top_images": list(unit.top_images),
        "picture": unit.picture,
    }


class FoundUnit(NamedTuple):
    """A unit as a dissection saw it, where it belongs, and its label; without one, category and concept are None."""

    id: int
    model: str
    layer: str
    unit: int
    job_id: uuid.UUID
    method: str
    current: bool
    threshold: float | None
    picture: str | None
    category: str | None
    concept: str | None
    iou: float
    detector: bool
    similarity: float | None


class LabelRow(NamedTuple):
    """A concept that a unit fits to some degree, with all scores of the pair."""

    category: str
    concept: str
    rank: int
    iou: float
    intersection: int
    union: int
    iou_low: float | None
    iou_high: float | None
    average_precision: float | None
    auroc: float | None
    equal_error_threshold: float | None
    balanced_accuracy: float | None
    p_value: float | None
    p_value_corrected: float | None


class Dissected(NamedTuple):
    """A unit as a dissection saw it: its row, all stored labels, and the same unit in all dissections of its layer."""

    found: FoundUnit
    row: Unit
    labels: Sequence[LabelRow]
    history: Sequence[FoundUnit]


def answering(job_id: uuid.UUID | None, method: str | None = OWN_METHOD) -> sa.ColumnElement[bool]:
    """Whether a dissected layer answers a query: those of the job do; without one the layer's newest by the method.

    Without a method the newest by each.
    """
    if job_id is not None:
        return LayerDissection.job_id == job_id
    return sa.and_(LayerDissection.current, sa.true() if method is None else LayerDissection.method == method)


def find_units(session: Session, team_id: uuid.UUID, *filters: sa.ColumnElement[bool]) -> list[FoundUnit]:
    """The team's units that pass the filters, which may be on units, dissections, layers and models."""
    statement = (
        sa.select(
            Unit.id,
            Model.name,
            Layer.name,
            Unit.index,
            LayerDissection.job_id,
            LayerDissection.method,
            Unit.current,
            Unit.threshold,
            Unit.picture,
            Concept.category,
            Concept.name,
            Unit.iou,
            Unit.detector,
            Unit.similarity,
        )
        .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .join(Concept, Concept.id == Unit.concept_id, isouter=True)
        .where(Model.team_id == team_id, *filters)
    )
    return [FoundUnit._make(row) for row in session.execute(statement)]


def find_unit(
    session: Session, team_id: uuid.UUID, model: str, layer: str, index: int, job_id: uuid.UUID | None = None
) -> FoundUnit | None:
    """The unit as the job, or else the newest dissection, saw it; None where no such dissection is here."""
    named = (Model.name == model, Layer.name == layer, Unit.index == index)
    return next(iter(find_units(session, team_id, *named, answering(job_id))), None)


def get_unit(
    session: Session, team_id: uuid.UUID, model: str, layer: str, index: int, job_id: uuid.UUID | None = None
) -> FoundUnit:
    """The same; raise NotFound where no such dissection is here."""
    found = find_unit(session, team_id, model, layer, index, job_id)
    if found is None:
        by = "" if job_id is None else f" by job {job_id}"
        raise NotFound(f"no unit {index} of layer {layer!r} of a model {model!r} has been dissected{by}")
    return found


def history_of(session: Session, team_id: uuid.UUID, found: FoundUnit) -> list[FoundUnit]:
    """The same unit in all dissections of its layer by the same method, newest first."""
    units = find_units(session, team_id, *_same_unit(found), LayerDissection.method == found.method)
    return sorted(units, key=lambda unit: unit.id, reverse=True)


def imported_of(session: Session, team_id: uuid.UUID, unit: Named) -> list[FoundUnit]:
    """The same unit as each of the tools saw it whose results were imported, the newest of each."""
    imported = sa.and_(answering(None, None), LayerDissection.method != OWN_METHOD)
    return sorted(find_units(session, team_id, *_same_unit(unit), imported), key=lambda unit: unit.method)


def _same_unit(unit: Named) -> tuple[sa.ColumnElement[bool], ...]:
    return Model.name == unit.model, Layer.name == unit.layer, Unit.index == unit.unit


def details_of(session: Session, team_id: uuid.UUID, found: FoundUnit) -> Dissected:
    """All that dissections found of a unit."""
    row, labels = session.get_one(Unit, found.id), labels_of(session, found.id)
    return Dissected(found, row, labels, history_of(session, team_id, found))


def labels_of(session: Session, unit_id: int) -> list[LabelRow]:
    """All stored labels of a unit, best first."""
    statement = (
        sa.select(Concept.category, Concept.name, *(getattr(UnitLabel, name) for name in LabelRow._fields[2:]))
        .join(Concept, Concept.id == UnitLabel.concept_id)
        .where(UnitLabel.unit_id == unit_id)
        .order_by(UnitLabel.rank)
    )
    return [LabelRow(*row) for row in session.execute(statement)]
