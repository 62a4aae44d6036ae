"""Asking what attacks did, and what is known of an image."""

from typing import Any

from service.api import Blueprint
from service.artifacts.views import DIGEST_PARAMETER
from service.context import db, team_id
from service.pagination import Page, PageRequest
from service.results.attacks.image_queries import see_image
from service.results.attacks.replies import describe_attacked, describe_image
from service.results.attacks.schemas import AttackedImageSchema, AttacksQuerySchema, ImageSchema
from service.results.attacks.search_queries import search_attacks

blueprint = Blueprint("attacks", "What attacks did to images, and what is known of an image.")


@blueprint.get("/attacks")
@blueprint.requires("read")
@blueprint.paginated(AttackedImageSchema, AttacksQuerySchema)
def list_attacks(page: PageRequest) -> Page:
    """List attacked images, those of the newest attack first."""
    found = search_attacks(db(), team_id(), page)
    return Page([describe_attacked(row) for row in found.data], found.next_cursor)


@blueprint.route("/images/<digest>", parameters=[DIGEST_PARAMETER])
@blueprint.requires("read")
@blueprint.response(200, ImageSchema)
def get_image(digest: str) -> dict[str, Any]:
    """Retrieve what is known of an image by the sha256 of its file."""
    return describe_image(see_image(db(), team_id(), digest))
