"""A team's keys."""

from typing import Any

from service.access import queries
from service.access.keys import make_key
from service.access.schemas import KeySchema, MadeKeySchema, NewKeySchema
from service.access.tables import ApiKey
from service.api import Blueprint
from service.context import db, team_id
from service.pagination import Page, PageRequest

blueprint = Blueprint("keys", "The keys that speak for the team.")


@blueprint.get("/keys")
@blueprint.requires("admin")
@blueprint.paginated(KeySchema)
def list_keys(page: PageRequest) -> Page:
    """List the team's keys, without their secrets."""
    return queries.list_keys(db(), team_id(), page)


@blueprint.post("/keys")
@blueprint.requires("admin")
@blueprint.arguments(NewKeySchema)
@blueprint.response(201, MadeKeySchema)
def make(body: dict[str, Any]) -> dict[str, Any]:
    """Make a key for the team; its text is shown this once."""
    key = make_key()
    row = queries.add_key(db(), team_id(), key, **body)
    return {**{name: getattr(row, name) for name in KeySchema().fields}, "key": key.text}


@blueprint.delete("/keys/<prefix>")
@blueprint.requires("admin")
@blueprint.response(200, KeySchema)
def revoke(prefix: str) -> ApiKey:
    """Revoke a key of the team, for good and at once."""
    row = queries.get_key(db(), team_id(), prefix)
    queries.revoke_key(db(), row)
    return row
