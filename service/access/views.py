"""Who is in a team, the keys that speak for it, browsers that are signed in, and what all of them did."""

from typing import Any

from flask import Response, jsonify

from service.access import guard, queries, signing
from service.access.checks import check_scopes
from service.access.keys import make_key
from service.access.replies import describe_caller, describe_key
from service.access.schemas import (
    AuditEntrySchema,
    AuditQuerySchema,
    CallerSchema,
    KeySchema,
    MadeKeySchema,
    MemberSchema,
    NewKeySchema,
    NewMemberSchema,
    RoleSchema,
    SignInSchema,
)
from service.access.tables import Member
from service.api import Blueprint
from service.context import caller, db, team_id
from service.pagination import Page, PageRequest

blueprint = Blueprint("access", "Who is in the team, the keys that speak for it, and what was done with them.")


@blueprint.get("/members")
@blueprint.requires("read")
@blueprint.paginated(MemberSchema)
def list_members(page: PageRequest) -> Page:
    """List the team's members by name."""
    return queries.list_members(db(), team_id(), page)


@blueprint.post("/members")
@blueprint.requires("admin")
@blueprint.arguments(NewMemberSchema)
@blueprint.response(201, MemberSchema)
def add_member(body: dict[str, Any]) -> Member:
    """Take a person into the team; make a key for them next."""
    return queries.add_member(db(), team_id(), **body)


@blueprint.put("/members/<name>")
@blueprint.requires("admin")
@blueprint.arguments(RoleSchema)
@blueprint.response(200, MemberSchema)
def change_role(body: dict[str, Any], name: str) -> Member:
    """Give a member another role, which holds for all their keys at once."""
    member = queries.get_member(db(), team_id(), name)
    member.role = body["role"]
    return member


@blueprint.delete("/members/<name>")
@blueprint.requires("admin")
@blueprint.response(200, MemberSchema)
def remove_member(name: str) -> Member:
    """Take a member out of the team, and revoke their keys."""
    member = queries.get_member(db(), team_id(), name)
    queries.remove_member(db(), member)
    return member


@blueprint.get("/keys")
@blueprint.requires("admin")
@blueprint.paginated(KeySchema)
def list_keys(page: PageRequest) -> Page:
    """List the team's keys, without their secrets."""
    found = queries.list_keys(db(), team_id(), page)
    return Page([describe_key(holder) for holder in found.data], found.next_cursor)


@blueprint.post("/keys")
@blueprint.requires("admin")
@blueprint.arguments(NewKeySchema)
@blueprint.response(201, MadeKeySchema)
def make(body: dict[str, Any]) -> dict[str, Any]:
    """Make a key for the team or for one of its members; its text is shown this once."""
    member = body["member"] and queries.get_member(db(), team_id(), body["member"])
    wanted = {**body, "member": member, "scopes": check_scopes(body["scopes"], member)}
    key = make_key()
    return describe_key(queries.add_key(db(), team_id(), key, **wanted)) | {"key": key.text}


@blueprint.delete("/keys/<prefix>")
@blueprint.requires("admin")
@blueprint.response(200, KeySchema)
def revoke(prefix: str) -> dict[str, Any]:
    """Revoke a key of the team, for good and at once."""
    holder = queries.get_key(db(), team_id(), prefix)
    queries.revoke_key(db(), holder.key)
    return describe_key(holder)


@blueprint.post("/session")
@blueprint.requires(None)
@blueprint.arguments(SignInSchema)
@blueprint.response(200, CallerSchema)
def sign_in(body: dict[str, Any]) -> Response:
    """Sign a browser in by a key: its cookie speaks for the key's holder for a week."""
    holder, token = signing.sign_in(body["key"])
    guard.let_in(guard.caller_of(holder))
    return signing.set_cookie(jsonify(_describe_caller()), token)


@blueprint.get("/session")
@blueprint.requires("read")
@blueprint.response(200, CallerSchema)
def get_session() -> dict[str, Any]:
    """Tell who is asking, and what they may do."""
    return _describe_caller()


@blueprint.delete("/session")
@blueprint.requires(None)
@blueprint.response(204)
def sign_out() -> Response:
    """Sign the browser out."""
    if (holder := signing.sign_out()) is not None:
        guard.let_in(guard.caller_of(holder))
    return signing.unset_cookie(Response(status=204))


def _describe_caller() -> dict[str, Any]:
    return describe_caller(caller(), queries.team_name(db(), team_id()))


@blueprint.get("/audit")
@blueprint.requires("admin")
@blueprint.paginated(AuditEntrySchema, AuditQuerySchema)
def list_audit(page: PageRequest) -> Page:
    """List who changed what and when, newest first."""
    return queries.list_audit(db(), team_id(), page)
