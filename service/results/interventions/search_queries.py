"""The search for what sets of units did to concepts."""

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from service.catalog.tables import Concept, Layer, Model
from service.pagination import Page, PageRequest, SortKey, paginate
from service.results.interventions.tables import Intervention, PixelChange
from service.results.search_queries import check_name, find_concepts, job_kind

# newest intervention first, its sets in order: one direction, as pages need it; -position sorts within one alone
_KEYS: Sequence[SortKey] = (PixelChange.intervention_id, -PixelChange.position)
_Target = aliased(Concept)


class Place(NamedTuple):
    """The intervention that a row belongs to; target, category first, is None where there was none."""

    model: str
    layer: str
    row: Intervention
    target: tuple[str, str] | None


class ChangeRow(NamedTuple):
    """What a set of units did to a concept."""

    place: Place
    row: PixelChange
    category: str
    concept: str


def search_interventions(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """What sets of units did to concepts, each a ChangeRow; raise Invalid for a name that is unknown.

    The newest intervention comes first, its sets by order and size, of each the target first.
    """
    wanted = page.filters
    job_kind(session, team_id, wanted["job"], ("intervention",))
    statement = (
        sa.select(PixelChange)
        .join(Intervention, Intervention.id == PixelChange.intervention_id)
        .where(Intervention.layer_id.in_(_find_layers(session, team_id, wanted)))
        .where(*_equal(Intervention, wanted, {"job": "job_id", "action": "action"}))
        .where(*_equal(PixelChange, wanted, {"order": "order", "size": "size"}))
    )
    concepts = find_concepts(session, team_id, wanted)
    if concepts:
        statement = statement.where(PixelChange.concept_id.in_(concepts))
    if wanted["target"] is not None:
        statement = statement.where(Intervention.concept_id.in_(_find_targets(session, team_id, wanted["target"])))
    found = paginate(session, statement, _KEYS, page, descending=True)
    return Page(_name(session, found.data), found.next_cursor)


def _equal(table: Any, wanted: Any, fields: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [getattr(table, column) == wanted[name] for name, column in fields.items() if wanted[name] is not None]


def _find_layers(session: Session, team_id: uuid.UUID, wanted: Any) -> sa.Select[int]:
    """The team's layers that are asked for; raise Invalid for unknown names."""
    models = [Model.team_id == team_id, *([] if wanted["model"] is None else [Model.name == wanted["model"]])]
    layers = [] if wanted["layer"] is None else [Layer.name == wanted["layer"]]
    check_name(session, sa.select(Model.name).where(Model.team_id == team_id), "model", wanted["model"])
    check_name(session, sa.select(Layer.name).join(Model).where(*models), "layer", wanted["layer"])
    return sa.select(Layer.id).join(Model, Model.id == Layer.model_id).where(*models, *layers)


def _find_targets(session: Session, team_id: uuid.UUID, name: str) -> sa.Select[int]:
    within = Concept.team_id == team_id
    check_name(session, sa.select(Concept.name).where(within), "target", name)
    return sa.select(Concept.id).where(within, Concept.name == name)


def _name(session: Session, rows: Sequence[PixelChange]) -> list[ChangeRow]:
    """The rows with what they belong to."""
    places = _places(session, {row.intervention_id for row in rows})
    named = sa.select(Concept.id, Concept.category, Concept.name).where(
        Concept.id.in_({row.concept_id for row in rows})
    )
    concepts = {id: (category, name) for id, category, name in session.execute(named)}
    return [ChangeRow(places[row.intervention_id], row, *concepts[row.concept_id]) for row in rows]


def _places(session: Session, ids: set[int]) -> dict[int, Place]:
    statement = (
        sa.select(Model.name, Layer.name, Intervention, _Target.category, _Target.name)
        .join(Layer, Layer.id == Intervention.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .join(_Target, _Target.id == Intervention.concept_id, isouter=True)
        .where(Intervention.id.in_(ids))
    )
    return {
        row.id: Place(model, layer, row, None if name is None else (category, name))
        for model, layer, row, category, name in session.execute(statement)
    }
