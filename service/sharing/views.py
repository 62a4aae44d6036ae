"""Links that show one thing of the team."""

from typing import Any
from uuid import UUID

from service.api import Blueprint
from service.context import db, team_id
from service.pagination import Page, PageRequest
from service.sharing import queries
from service.sharing.making import make_share
from service.sharing.replies import describe_share
from service.sharing.schemas import MadeShareSchema, NewShareSchema, ShareSchema

blueprint = Blueprint("sharing", "Links that show one thing to whoever has them, and nothing else.")


@blueprint.get("/shares")
@blueprint.requires("read")
@blueprint.paginated(ShareSchema)
def list_all(page: PageRequest) -> Page:
    """List the team's links, newest first, without their tokens."""
    found = queries.list_shares(db(), team_id(), page)
    return Page([describe_share(share) for share in found.data], found.next_cursor)


@blueprint.post("/shares")
@blueprint.requires("write")
@blueprint.arguments(NewShareSchema)
@blueprint.response(201, MadeShareSchema)
def share(body: dict[str, Any]) -> Any:
    """Make a link that shows what is at an address; it is shown this once."""
    made = make_share(body["address"], body["expires_at"])
    return made, 201, {"Location": f"/v1/shares/{made['id']}"}


@blueprint.get("/shares/<uuid:share_id>")
@blueprint.requires("read")
@blueprint.response(200, ShareSchema)
def get_one(share_id: UUID) -> dict[str, Any]:
    """Retrieve a link, without its token."""
    return describe_share(queries.get_share(db(), team_id(), share_id))


@blueprint.delete("/shares/<uuid:share_id>")
@blueprint.requires("write")
@blueprint.response(200, ShareSchema)
def revoke(share_id: UUID) -> dict[str, Any]:
    """Revoke a link, for good and at once."""
    found = queries.get_share(db(), team_id(), share_id)
    queries.revoke_share(db(), found)
    return describe_share(found)
