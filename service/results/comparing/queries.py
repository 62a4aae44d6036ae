"""What is read of two dissections to compare them."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from service.catalog.tables import Concept, Layer, Model
from service.errors import Conflict, Invalid, UnitAtlasError
from service.jobs.queries import find_job
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, paginate
from service.results.comparing.assertions import jobs_named
from service.results.comparing.pairs import DissectedLayer, Pair, Pairs, choose_pairs
from service.results.tables import LayerDissection, Unit, UnitLabel

ConceptName = tuple[str, str]
"""Category and name."""


class Comparison(NamedTuple):
    """Two dissections and which of their layers are compared."""

    a: Job
    b: Job
    paired: Pairs


class ConceptFigures(NamedTuple):
    """How many units of a layer a concept labels, how many of them detect it, and the best IoU of any unit with it."""

    units: int = 0
    detectors: int = 0
    best_iou: float | None = None


class Changes(NamedTuple):
    """How many units of a layer have another label than before, and how far the IoUs moved."""

    gained: int
    lost: int
    changed: int
    mean_iou_difference: float
    max_iou_difference: float


class LabelThen(NamedTuple):
    """A unit's label in one of the dissections; without one, category and concept are None."""

    category: str | None
    concept: str | None
    iou: float
    detector: bool


class UnitChange(NamedTuple):
    """A unit whose label is another one in b than in a."""

    dissection_id: int
    unit: int
    change: str
    a: LabelThen
    b: LabelThen


_A, _B = aliased(Unit), aliased(Unit)
_DISTANCE = sa.func.abs(_B.iou - _A.iou, type_=sa.Float)
_CHANGES: Mapping[str, sa.ColumnElement[bool]] = {
    "gained": sa.and_(sa.not_(_A.detector), _B.detector),
    "lost": sa.and_(_A.detector, sa.not_(_B.detector)),
    "changed": sa.and_(_A.detector == _B.detector, _A.concept_id.is_distinct_from(_B.concept_id)),
}
"""What can become of a unit's label; at most one of them holds."""
CHANGES = tuple(_CHANGES)


def find_dissection(session: Session, team_id: uuid.UUID, job_id: uuid.UUID) -> Job:
    """The team's dissection; raise NotFound without one, Invalid for another kind, Conflict unless it has succeeded."""
    job = find_job(session, team_id, job_id)
    if job.kind != "dissection":
        raise Invalid(f"the job {job_id} is of kind {job.kind}; only dissections can be compared and checked")
    if job.state != "succeeded":
        raise Conflict(f"the job {job_id} is {job.state}; compare, check or export it once it has succeeded")
    return job


def summaries_named(
    session: Session, team_id: uuid.UUID, assertions: Sequence[Mapping[str, Any]]
) -> dict[uuid.UUID, Mapping[str, Any]]:
    """Summaries of the dissections that assertions compare with; raise Invalid that points at one that cannot be."""
    found: dict[uuid.UUID, Mapping[str, Any]] = {}
    for job_id, pointer in jobs_named(assertions).items():
        try:
            found[job_id] = find_dissection(session, team_id, job_id).summary or {}
        except UnitAtlasError as error:
            raise Invalid(error.detail, pointer) from None
    return found


def find_comparison(
    session: Session, team_id: uuid.UUID, job_a: uuid.UUID, job_b: uuid.UUID, layer_a: str | None, layer_b: str | None
) -> Comparison:
    """Two of the team's dissections with their layers in pairs; raise as `find_dissection` and `choose_pairs` do."""
    a, b = find_dissection(session, team_id, job_a), find_dissection(session, team_id, job_b)
    return Comparison(a, b, choose_pairs(_layers_of(session, a), _layers_of(session, b), layer_a, layer_b))


def _layers_of(session: Session, job: Job) -> list[DissectedLayer]:
    statement = (
        sa.select(LayerDissection.id, Layer.name, Layer.units, Model.source)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(LayerDissection.job_id == job.id)
        .order_by(Layer.position)
    )
    return [DissectedLayer(*row) for row in session.execute(statement)]


def concepts_of(session: Session, layers: Sequence[DissectedLayer]) -> dict[int, dict[ConceptName, ConceptFigures]]:
    """By dissection, every concept that a unit of the layer meets."""
    ids = [layer.dissection_id for layer in layers]
    counts = (
        sa.select(
            Unit.dissection_id,
            Unit.concept_id,
            sa.func.count().label("units"),
            sa.func.count().filter(Unit.detector).label("detectors"),
        )
        .where(Unit.dissection_id.in_(ids))
        .group_by(Unit.dissection_id, Unit.concept_id)
        .subquery()
    )
    best = (
        sa.select(UnitLabel.dissection_id, UnitLabel.concept_id, sa.func.max(UnitLabel.iou).label("iou"))
        .where(UnitLabel.dissection_id.in_(ids))
        .group_by(UnitLabel.dissection_id, UnitLabel.concept_id)
        .subquery()
    )
    same = sa.and_(counts.c.dissection_id == best.c.dissection_id, counts.c.concept_id == best.c.concept_id)
    number = sa.func.coalesce(counts.c.units, 0), sa.func.coalesce(counts.c.detectors, 0)
    statement = (
        sa.select(best.c.dissection_id, Concept.category, Concept.name, *number, best.c.iou)
        .join(Concept, Concept.id == best.c.concept_id)
        .join(counts, same, isouter=True)
    )
    found: dict[int, dict[ConceptName, ConceptFigures]] = defaultdict(dict)
    for dissection_id, category, name, *figures in session.execute(statement):
        found[dissection_id][category, name] = ConceptFigures(*figures)
    return found


def count_changes(session: Session, pairs: Sequence[Pair]) -> dict[int, Changes]:
    """What became of the labels of each pair of layers whose units correspond, by the dissection of a."""
    if not pairs:
        return {}
    counts = [sa.func.count().filter(change) for change in _CHANGES.values()]
    units, within = _side_by_side(pairs)
    statement = (
        sa.select(_A.dissection_id, *counts, sa.func.avg(_DISTANCE), sa.func.max(_DISTANCE))
        .select_from(units)
        .where(within)
        .group_by(_A.dissection_id)
    )
    return {id: Changes(*figures) for id, *figures in session.execute(statement)}


def list_changes(session: Session, pairs: Sequence[Pair], page: PageRequest) -> Page:
    """Units of these layers whose label is another one in b, those whose IoU moved furthest first, as UnitChange."""
    units, within = _side_by_side(pairs)
    of_a, of_b = aliased(Concept), aliased(Concept)
    units = units.outerjoin(of_a, of_a.id == _A.concept_id).outerjoin(of_b, of_b.id == _B.concept_id)
    change = sa.case(*((condition, name) for name, condition in _CHANGES.items()))
    wanted = page.filters["change"]
    statement = (
        sa.select(_A.dissection_id, _A.index, change, *_label(_A, of_a), *_label(_B, of_b))
        .select_from(units)
        .where(within, sa.or_(*_CHANGES.values()) if wanted is None else _CHANGES[wanted])
    )
    found = paginate(session, statement, [-_DISTANCE, _A.dissection_id, _A.index], page)
    rows = [UnitChange(row[0], row[1], row[2], LabelThen(*row[3:7]), LabelThen(*row[7:11])) for row in found.data]
    return Page(rows, found.next_cursor)


def _label(unit: type[Unit], concept: type[Concept]) -> tuple[sa.orm.InstrumentedAttribute[Any], ...]:
    return concept.category, concept.name, unit.iou, unit.detector


def _side_by_side(pairs: Sequence[Pair]) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """The units of a, each with that of b of the same index, and which of them are of these pairs."""
    counterparts = {pair.a.dissection_id: pair.b.dissection_id for pair in pairs}
    same = sa.and_(_B.dissection_id == sa.case(counterparts, value=_A.dissection_id), _B.index == _A.index)
    return sa.join(_A, _B, same), _A.dissection_id.in_(counterparts)
