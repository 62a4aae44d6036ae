"""Painting with the units of a generator."""

from typing import Any
from uuid import UUID

from service.api import Blueprint
from service.catalog.queries import get_model
from service.context import db, services, team_id
from service.pagination import Page, PageRequest
from service.painting.asking import ask
from service.painting.queries import PaintingRow, get_painting, list_paintings
from service.painting.replies import describe, describe_inline
from service.painting.schemas import InlineSchema, PaintingRequestSchema, PaintingSchema, PaintingsQuerySchema

blueprint = Blueprint("paintings", "Strokes over the pictures of a generator, and what they did.")


@blueprint.post("/models/<name>/paintings")
@blueprint.requires("run")
@blueprint.arguments(PaintingRequestSchema)
@blueprint.arguments(InlineSchema, location="query")
@blueprint.response(201, PaintingSchema)
def paint(wanted: dict[str, Any], query: dict[str, Any], name: str) -> Any:
    """Paint on a picture of a generator, and measure what that changed."""
    row = ask(get_model(db(), team_id(), name).model, wanted)
    return _describe(row, query), 201, {"Location": f"/v1/paintings/{row.painting.id}"}


@blueprint.get("/paintings")
@blueprint.requires("read")
@blueprint.paginated(PaintingSchema, PaintingsQuerySchema)
def list_all(page: PageRequest) -> Page:
    """List the team's paintings, newest first."""
    found = list_paintings(db(), team_id(), page)
    return Page([describe(row) for row in found.data], found.next_cursor)


@blueprint.get("/paintings/<uuid:painting_id>")
@blueprint.requires("read")
@blueprint.arguments(InlineSchema, location="query")
@blueprint.response(200, PaintingSchema)
def get_one(query: dict[str, Any], painting_id: UUID) -> dict[str, Any]:
    """Retrieve a painting: its document, and what came of it."""
    return _describe(get_painting(db(), team_id(), painting_id), query)


def _describe(row: PaintingRow, query: dict[str, Any]) -> dict[str, Any]:
    return describe_inline(row, services().store) if query["inline"] else describe(row)
