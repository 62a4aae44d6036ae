"""The search for units by concept, model, layer and job."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from service.catalog.queries import near
from service.catalog.tables import Concept, Layer, Model
from service.errors import Invalid
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, SortKey, paginate
from service.results.queries import FoundUnit, described_units
from service.results.tables import LayerDissection, Unit, UnitLabel

SORTS: Mapping[str, SortKey] = {"iou": Unit.iou, "unit": Unit.index, "threshold": Unit.threshold}
"""What units may be sorted by; with a concept asked for, `iou` is its own instead of the label's."""


Search = tuple[sa.Select[*tuple[Any, ...]], list[SortKey]]
"""A statement of (unit id, concept id, IoU) and the columns that sort it."""


class Match(NamedTuple):
    """A unit with the concept that was asked for, and how well they fit; both None where none was asked for."""

    found: FoundUnit
    concept: Concept | None = None
    iou: float | None = None


def search_units(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The units that fit the page's filters, each as a Match; raise Invalid for a name that is unknown.

    A unit is there once, with the best of its matches where the concept's name is in several categories.
    """
    wanted = page.filters
    dissections = _find_dissections(session, team_id, wanted)
    concepts = _find_concepts(session, team_id, wanted)
    if wanted["concept"] is not None and not wanted["detectors"]:
        statement, keys = _labels(concepts, dissections, wanted)
    else:
        statement, keys = _labelled(team_id, concepts, dissections, wanted)
    found = paginate(session, statement, keys, page, descending=wanted["sort"].startswith("-"))
    rows = [(unit_id, concept_id if wanted["concept"] else None, iou) for unit_id, concept_id, iou, *_ in found.data]
    return Page(_describe(session, team_id, rows), found.next_cursor)


def _labels(concepts: list[int], dissections: list[int] | None, wanted: Mapping[str, Any]) -> Search:
    # ids only: the few rows of a page are joined with their names afterwards
    statement = sa.select(UnitLabel.unit_id, UnitLabel.concept_id, UnitLabel.iou)
    statement = statement.where(UnitLabel.concept_id.in_(concepts), _within(UnitLabel, dissections))
    if len(concepts) > 1:
        statement = statement.where(~_fits_better(concepts))
    if wanted["min_iou"] is not None:
        statement = statement.where(UnitLabel.iou >= wanted["min_iou"])
    sort = wanted["sort"].removeprefix("-")
    if sort == "iou":
        return statement, [UnitLabel.iou, UnitLabel.unit_id]
    return statement.join(Unit, Unit.id == UnitLabel.unit_id), [SORTS[sort], Unit.id]


def _fits_better(concepts: list[int]) -> sa.Exists:
    other = aliased(UnitLabel)
    better = sa.tuple_(other.iou, other.concept_id) > sa.tuple_(UnitLabel.iou, UnitLabel.concept_id)
    return sa.exists().where(other.unit_id == UnitLabel.unit_id, other.concept_id.in_(concepts), better)


def _labelled(
    team_id: uuid.UUID, concepts: list[int], dissections: list[int] | None, wanted: Mapping[str, Any]
) -> Search:
    statement = sa.select(Unit.id, Unit.concept_id, Unit.iou).where(Unit.team_id == team_id, _within(Unit, dissections))
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
    model, layer, job = wanted["model"], wanted["layer"], wanted["job"]
    if model is None and layer is None and job is None:
        return None
    filters = [Model.team_id == team_id]
    if model is not None:
        _check_name(session, sa.select(Model.name).where(*filters), "model", model)
        filters.append(Model.name == model)
    if layer is not None:
        _check_name(session, sa.select(Layer.name).join(Model).where(*filters), "layer", layer)
        filters.append(Layer.name == layer)
    if job is not None:
        _check_job(session, team_id, job)
    pinned = LayerDissection.current if job is None else LayerDissection.job_id == job
    return list(session.scalars(sa.select(LayerDissection.id).join(Layer).join(Model).where(*filters, pinned)))


def _find_concepts(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> list[int]:
    """The concepts asked for, none where neither concept nor category is."""
    filters = [Concept.team_id == team_id]
    for column, field in ((Concept.category, "category"), (Concept.name, "concept")):
        if wanted[field] is not None:
            _check_name(session, sa.select(column).where(*filters), field, wanted[field])
            filters.append(column == wanted[field])
    return list(session.scalars(sa.select(Concept.id).where(*filters))) if len(filters) > 1 else []


def _check_name(session: Session, names: sa.Select[str], field: str, name: str) -> None:
    if session.scalar(names.where(names.selected_columns[0] == name).limit(1)) is None:
        raise Invalid(f"no {field} is named {name!r}{near(name, session.scalars(names.distinct()))}", f"query:{field}")


def _check_job(session: Session, team_id: uuid.UUID, job_id: uuid.UUID) -> None:
    kind = session.scalar(sa.select(Job.kind).where(Job.team_id == team_id, Job.id == job_id))
    if kind != "dissection":
        problem = f"there is no job {job_id} here" if kind is None else f"the job {job_id} is of kind {kind}"
        raise Invalid(f"{problem}; GET /v1/jobs?kind=dissection lists those that can be named", "query:job")


def _describe(session: Session, team_id: uuid.UUID, rows: Sequence[tuple[int, int | None, float]]) -> list[Match]:
    units = described_units(team_id).where(Unit.id.in_([unit_id for unit_id, _, _ in rows]))
    found = {row[0].id: FoundUnit(*row) for row in session.execute(units)}
    asked = {concept_id for _, concept_id, _ in rows if concept_id is not None}
    concepts = {concept.id: concept for concept in session.scalars(sa.select(Concept).where(Concept.id.in_(asked)))}
    return [
        Match(found[unit_id], concepts[concept_id], iou) if concept_id is not None else Match(found[unit_id])
        for unit_id, concept_id, iou in rows
    ]
