"""Links that show one thing of the team."""

from datetime import datetime
from typing import Any
from uuid import UUID

from service.access.keys import digest_of, make_token
from service.api import Blueprint
from service.context import caller, db, team_id
from service.database import now
from service.errors import Invalid
from service.pagination import Page, PageRequest
from service.sharing import queries
from service.sharing.replies import describe_made, describe_share
from service.sharing.schemas import LIFETIME, LONGEST, MadeShareSchema, NewShareSchema, ShareSchema
from service.sharing.showing import check_subject
from service.sharing.subjects import read_address

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
    subject = check_subject(db(), team_id(), read_address(body["address"]))
    token, until = make_token(), _end(body["expires_at"])
    made = queries.add_share(db(), team_id(), digest_of(token), *subject, caller().name, until)
    return describe_made(made, token), 201, {"Location": f"/v1/shares/{made.id}"}


def _end(wanted: datetime | None) -> datetime:
    time = now(db())
    end = wanted or time + LIFETIME
    if not time < end <= time + LONGEST:
        raise Invalid(f"a link lasts until a time to come, at most {LONGEST.days} days", "/expires_at")
    return end


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
