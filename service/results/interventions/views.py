"""Asking what changed units did to pictures."""

from service.api import Blueprint
from service.context import db, team_id
from service.pagination import Page, PageRequest
from service.results.interventions.replies import describe_change
from service.results.interventions.schemas import InterventionsQuerySchema, PixelChangeSchema
from service.results.interventions.search_queries import search_interventions

blueprint = Blueprint("interventions", "What changing units of generators did to their pictures.")


@blueprint.get("/interventions")
@blueprint.requires("read")
@blueprint.paginated(PixelChangeSchema, InterventionsQuerySchema)
def list_interventions(page: PageRequest) -> Page:
    """List what sets of units did to concepts, those of the newest intervention first."""
    found = search_interventions(db(), team_id(), page)
    return Page([describe_change(row) for row in found.data], found.next_cursor)
