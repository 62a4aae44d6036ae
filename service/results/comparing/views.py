"""Comparing dissections, and asserting what one shall have found."""

from typing import Any
from uuid import UUID

from service.api import Blueprint
from service.context import db, services, team_id
from service.database import reading
from service.jobs.queries import subject_names
from service.pagination import Page, PageRequest
from service.results.comparing import queries
from service.results.comparing.assertions import judge
from service.results.comparing.pairs import corresponding
from service.results.comparing.replies import describe_change, describe_diff
from service.results.comparing.schemas import (
    AssertionsSchema,
    ChangesQuerySchema,
    DiffSchema,
    LayersQuerySchema,
    UnitChangeSchema,
    VerdictSchema,
)

blueprint = Blueprint("comparing", "Dissections side by side, and held to what was asserted of them.")


@blueprint.get("/jobs/<uuid:a>/diff/<uuid:b>")
@blueprint.requires("read")
@blueprint.arguments(LayersQuerySchema, location="query")
@blueprint.response(200, DiffSchema)
def compare(query: dict[str, Any], a: UUID, b: UUID) -> dict[str, Any]:
    """Compare two dissections: of layers, checkpoints, seeds, datasets or quantiles."""
    compared = queries.find_comparison(db(), team_id(), a, b, **query)
    pairs = compared.paired.pairs
    concepts = queries.concepts_of(db(), [layer for pair in pairs for layer in pair])
    changes = queries.count_changes(db(), [pair for pair in pairs if pair.by_unit])
    return describe_diff(compared, subject_names(db(), [compared.a, compared.b]), concepts, changes)


@blueprint.get("/jobs/<uuid:a>/diff/<uuid:b>/units")
@blueprint.requires("read")
@blueprint.paginated(UnitChangeSchema, ChangesQuerySchema)
def list_changes(page: PageRequest, a: UUID, b: UUID) -> Page:
    """List units whose label is another one in b, those whose IoU moved furthest first."""
    layers = {name: page.filters[name] for name in ("layer_a", "layer_b")}
    pairs = corresponding(queries.find_comparison(db(), team_id(), a, b, **layers).paired.pairs)
    found = queries.list_changes(db(), pairs, page)
    names = {pair.a.dissection_id: pair.a.name for pair in pairs}
    return Page([describe_change(row, names) for row in found.data], found.next_cursor)


@blueprint.post("/jobs/<uuid:job_id>/assertions")
@blueprint.requires("read")
@blueprint.arguments(AssertionsSchema)
@blueprint.response(200, VerdictSchema)
def check(wanted: dict[str, Any], job_id: UUID) -> dict[str, Any]:
    """Check what is asserted of a dissection; nothing is kept."""
    with reading(services().sessions) as session:
        own = queries.find_dissection(session, team_id(), job_id).summary
        others = queries.summaries_named(session, team_id(), wanted["assertions"])
    return judge(wanted["assertions"], own or {}, others)
