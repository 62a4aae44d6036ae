"""The search for units by concept, model, layer and job, and the list of concepts."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Concept, Layer, Model
from service.errors import Invalid
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, SortKey, merge, paginate
from service.results.interventions.queries import Measured, measured_on
from service.results.queries import FoundUnit, answering, find_units
from service.results.tables import OWN_METHOD, LayerDissection, Unit, UnitLabel

ANY_METHOD = "any"
SORTS: Mapping[str, SortKey] = {
    "iou": Unit.iou,
    "unit": Unit.index,
    # keys are never null; not every method finds them
    "threshold": sa.func.coalesce(Unit.threshold, 0.0, type_=sa.Float),
    "similarity": sa.func.coalesce(Unit.similarity, 0.0, type_=sa.Float),
}
"""What units may be sorted by; with a concept asked for, `iou` is its own instead of the label's."""

Search = tuple[sa.Select[*tuple[Any, ...]], list[SortKey]]
"""A statement of (unit id, concept id, IoU) and the columns that sort it."""


class Match(NamedTuple):
    """A unit with the concept that was asked for, and how well they fit; both None where none was asked for.

    With what removing the unit did to the concept, where an intervention measured that.
    """

    found: FoundUnit
    concept: Concept | None = None
    iou: float | None = None
    measured: Measured | None = None


class ConceptRow(NamedTuple):
    """A concept, the number of units that it labels and of those of them that are its detectors."""

    category: str
    name: str
    units: int
    detectors: int


def search_units(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The units that fit the page's filters, each as a Match; raise Invalid for a name that is unknown.

    A unit that fits the name in several categories is there with each.
    """
    wanted = page.filters
    dissections = _find_dissections(session, team_id, wanted)
    concepts = find_concepts(session, team_id, wanted)
    if wanted["concept"] is not None and not wanted["detectors"]:
        searches = [_labels(concept_id, dissections, wanted) for concept_id in concepts]
    else:
        searches = [_labelled(team_id, list(concepts), dissections, wanted)]
    descending = wanted["sort"].startswith("-")
    parts = [paginate(session, statement, keys, page, descending=descending) for statement, keys in searches]
    found = merge(parts, len(searches[0][1]), page, descending=descending)
    # ids so far: only the rows of the page are joined with their names
    units = {unit.id: unit for unit in find_units(session, team_id, Unit.id.in_([row.unit_id for row in found.data]))}
    asked = concepts if wanted["concept"] is not None else {}
    matches = [Match(units[row.unit_id], asked.get(row.concept_id), row.iou) for row in found.data]
    return Page(_add_measured(session, team_id, matches, asked), found.next_cursor)


def _add_measured(
    session: Session, team_id: uuid.UUID, matches: Sequence[Match], asked: Mapping[int, Concept]
) -> Sequence[Match]:
    if not asked:
        return matches
    measured = measured_on(session, team_id, {_place(match) for match in matches}, asked)
    return [
        match._replace(measured=measured.get((*_place(match), match.concept.id)))
        for match in matches
        if match.concept is not None
    ]


def _place(match: Match) -> tuple[str, str, int]:
    return match.found.model, match.found.layer, match.found.unit


def _labels(concept_id: int, dissections: list[int] | None, wanted: Mapping[str, Any]) -> Search:
    statement = sa.select(UnitLabel.unit_id, UnitLabel.concept_id, UnitLabel.iou)
    statement = statement.where(UnitLabel.concept_id == concept_id, _within(UnitLabel, dissections))
    if wanted["min_iou"] is not None:
        statement = statement.where(UnitLabel.iou >= wanted["min_iou"])
    sort = wanted["sort"].removeprefix("-")
    if sort == "iou":
        return statement, [UnitLabel.iou, UnitLabel.unit_id, UnitLabel.concept_id]
    return statement.join(Unit, Unit.id == UnitLabel.unit_id), [SORTS[sort], Unit.id, UnitLabel.concept_id]


def _labelled(
    team_id: uuid.UUID, concepts: list[int], dissections: list[int] | None, wanted: Mapping[str, Any]
) -> Search:
    statement = sa.select(Unit.id.label("unit_id"), Unit.concept_id, Unit.iou)
    statement = statement.where(Unit.team_id == team_id, _within(Unit, dissections))
    if concepts:
        statement = statement.where(Unit.concept_id.in_(concepts))
    if wanted["detectors"]:
        statement = statement.where(Unit.detector)
    if wanted["min_iou"] is not None:
        statement = statement.where(Unit.iou >= wanted["min_iou"])
    return statement, [SORTS[wanted["sort"].removeprefix("-")], Unit.id]


def _within(table: type[Unit] | type[UnitLabel], dissections: list[int] | None) -> sa.ColumnElement[bool]:
    return sa.and_(table.current) if dissections is None else table.dissection_id.in_(dissections)


def _find_dissections(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> list[int] | None:
    """The dissected layers to search in, None for all current ones."""
    model, layer, job, method = wanted["model"], wanted["layer"], wanted["job"], wanted["method"]
    if model is None and layer is None and job is None and method == OWN_METHOD:
        return None
    models = [Model.team_id == team_id, *([] if model is None else [Model.name == model])]
    layers = [] if layer is None else [Layer.name == layer]
    answers = answering(job, None if method == ANY_METHOD else method)
    statement = sa.select(LayerDissection.id).join(Layer).join(Model).where(*models, *layers, answers)
    found = list(session.scalars(statement))
    if not found:
        check_name(session, sa.select(Model.name).where(Model.team_id == team_id), "model", model)
        check_name(session, sa.select(Layer.name).join(Model).where(*models), "layer", layer)
        job_kind(session, team_id, job, ("dissection", "import"))
    return found


def find_concepts(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> dict[int, Concept]:
    """The concepts asked for, by id, none where neither concept nor category is; raise Invalid for unknown ones."""
    name, category = wanted["concept"], wanted["category"]
    if name is None and category is None:
        return {}
    within = [Concept.team_id == team_id, *([] if category is None else [Concept.category == category])]
    named = [] if name is None else [Concept.name == name]
    found = {concept.id: concept for concept in session.scalars(sa.select(Concept).where(*within, *named))}
    if not found:
        check_name(session, sa.select(Concept.category).where(Concept.team_id == team_id), "category", category)
        check_name(session, sa.select(Concept.name).where(*within), "concept", name)
    return found


def check_name(session: Session, names: sa.Select[str], field: str, name: str | None) -> None:
    """Raise Invalid, with near names, where a name is not one of these."""
    if name is None:
        return
    known = session.scalars(names.distinct()).all()
    if name not in known:
        raise Invalid(f"no {field} is named {name!r} here{near(name, known)}", f"query:{field}")


def job_kind(session: Session, team_id: uuid.UUID, job_id: uuid.UUID | None, kinds: Sequence[str]) -> str | None:
    """The kind of a job that is named, None where none is; raise Invalid unless it is the team's and one of these."""
    if job_id is None:
        return None
    kind = session.scalar(sa.select(Job.kind).where(Job.team_id == team_id, Job.id == job_id))
    if kind not in kinds:
        problem = f"there is no job {job_id} here" if kind is None else f"the job {job_id} is of kind {kind}"
        searchable = kind == "ablation" and "dissection" in kinds
        remedy = "; name a class with it, as in class=beach" if searchable else ""
        raise Invalid(f"{problem}{remedy}; GET /v1/jobs?kind={kinds[0]} lists those that can be named", "query:job")
    return kind


def list_concepts(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's concepts that fit the page's filters, by category and name, with counts of their current units."""
    statement = sa.select(Concept).where(Concept.team_id == team_id)
    if page.filters.get("category") is not None:
        statement = statement.where(Concept.category == page.filters["category"])
    if page.filters.get("q") is not None:
        statement = statement.where(Concept.name.icontains(page.filters["q"], autoescape=True))
    found = paginate(session, statement, [Concept.category, Concept.name], page)
    counts = _count_units(session, [concept.id for concept in found.data])
    rows = [ConceptRow(concept.category, concept.name, *counts.get(concept.id, (0, 0))) for concept in found.data]
    return Page(rows, found.next_cursor)


def _count_units(session: Session, concept_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    statement = (
        sa.select(Unit.concept_id, sa.func.count(), sa.func.count().filter(Unit.detector))
        .where(Unit.concept_id.in_(concept_ids), Unit.current)
        .group_by(Unit.concept_id)
    )
    rows = session.execute(statement)
    return {concept_id: (units, detectors) for concept_id, units, detectors in rows if concept_id is not None}
