"""Searching what was found."""

from typing import Any

from service.annotations.queries import annotations_of
from service.annotations.replies import describe_annotation
from service.api import Blueprint
from service.context import db, team_id
from service.pagination import Page, PageRequest
from service.results import queries, search_queries
from service.results.effects.replies import describe_affected, describe_seen
from service.results.effects.search_queries import search_by_class
from service.results.effects.unit_queries import see_unit
from service.results.replies import describe_concept, describe_match
from service.results.schemas import (
    ConceptSchema,
    ConceptsQuerySchema,
    UnitDetailSchema,
    UnitQuerySchema,
    UnitSchema,
    UnitsQuerySchema,
)

blueprint = Blueprint("results", "What was found: units, what they detect and how well, and what they are for.")


@blueprint.get("/units")
@blueprint.requires("read")
@blueprint.paginated(UnitSchema, UnitsQuerySchema)
def list_units(page: PageRequest) -> Page:
    """Search units by what they detect, best match first, or by the class that they damage most when removed."""
    if page.filters["class_name"] is not None:
        affected = search_by_class(db(), team_id(), page)
        return Page([describe_affected(row) for row in affected.data], affected.next_cursor)
    found = search_queries.search_units(db(), team_id(), page)
    return Page([describe_match(match) for match in found.data], found.next_cursor)


@blueprint.get("/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>")
@blueprint.requires("read")
@blueprint.arguments(UnitQuerySchema, location="query")
@blueprint.response(200, UnitDetailSchema)
def get_unit(query: dict[str, Any], model: str, layer: str, unit: int) -> dict[str, Any]:
    """Retrieve all that is known of a unit."""
    seen = see_unit(db(), team_id(), model, layer, unit, query["job"])
    dissected = queries.details_of(db(), team_id(), seen.found) if seen.found else None
    annotations = annotations_of(db(), team_id(), model, layer, unit)
    described = describe_seen(seen, dissected, queries.imported_of(db(), team_id(), seen))
    return described | {"annotations": [describe_annotation(annotated) for annotated in annotations]}


@blueprint.get("/concepts")
@blueprint.requires("read")
@blueprint.paginated(ConceptSchema, ConceptsQuerySchema)
def list_concepts(page: PageRequest) -> Page:
    """List the team's concepts, with the numbers of units that they label."""
    found = search_queries.list_concepts(db(), team_id(), page)
    return Page([describe_concept(row) for row in found.data], found.next_cursor)
