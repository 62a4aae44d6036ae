"""Searching what was found."""

from typing import Any

from service.api import Blueprint
from service.context import db, team_id
from service.pagination import Page, PageRequest
from service.results import queries
from service.results.replies import describe_concept, describe_detail, describe_match
from service.results.schemas import (
    ConceptSchema,
    ConceptsQuerySchema,
    UnitDetailSchema,
    UnitQuerySchema,
    UnitSchema,
    UnitsQuerySchema,
)
from service.results.search_queries import search_units
from service.results.tables import Unit

blueprint = Blueprint("results", "What was found: units, what they detect, and how well.")


@blueprint.get("/units")
@blueprint.requires("read")
@blueprint.paginated(UnitSchema, UnitsQuerySchema)
def list_units(page: PageRequest) -> Page:
    """Search units by what they detect, best match first."""
    found = search_units(db(), team_id(), page)
    return Page([describe_match(match) for match in found.data], found.next_cursor)


@blueprint.get("/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>")
@blueprint.requires("read")
@blueprint.arguments(UnitQuerySchema, location="query")
@blueprint.response(200, UnitDetailSchema)
def get_unit(query: dict[str, Any], model: str, layer: str, unit: int) -> dict[str, Any]:
    """Retrieve all that is known of a unit."""
    found = queries.get_unit(db(), team_id(), model, layer, unit, query["job"])
    labels = queries.labels_of(db(), found.id)
    history = queries.history_of(db(), team_id(), found)
    imported = queries.imported_of(db(), team_id(), found)
    return describe_detail(found, db().get_one(Unit, found.id), labels, history, imported)


@blueprint.get("/concepts")
@blueprint.requires("read")
@blueprint.paginated(ConceptSchema, ConceptsQuerySchema)
def list_concepts(page: PageRequest) -> Page:
    """List the team's concepts, with the numbers of units that they label."""
    found = queries.list_concepts(db(), team_id(), page)
    return Page([describe_concept(row) for row in found.data], found.next_cursor)
