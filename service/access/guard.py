"""Who is asking: every request is let in by a key of sufficient scope, or turned away."""

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, g, request

from service.access import queries
from service.access.keys import parse_key
from service.access.tables import LOCAL_TEAM, ApiKey
from service.context import services
from service.database import reading
from service.errors import Forbidden, Unauthorized

FORWARDED = ("Forwarded", "X-Forwarded-For", "Via")


def init_app(app: Flask) -> None:
    """Guard every view of the app."""
    app.before_request(_admit)


def _admit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    scope: str | None = getattr(view, "scope", None)
    if scope is None:
        return  # open to all, or no view at all: the router answers
    if "Authorization" in request.headers:
        _admit_key(scope)
    else:
        _admit_local()


def _admit_key(scope: str) -> None:
    key = _presented_key()
    g.team_id, g.scopes = key.team_id, key.scopes
    if scope not in key.scopes:
        raise Forbidden(f"the key ua_{key.prefix}_... has the scopes {', '.join(key.scopes)}; this needs {scope}")


def _presented_key() -> ApiKey:
    kind, _, text = request.headers["Authorization"].partition(" ")
    key = parse_key(text.strip()) if kind.lower() == "bearer" else None
    if key is None:
        raise Unauthorized("the Authorization header holds no whole key; it reads `Bearer ua_...`")
    with reading(services().sessions) as session:
        row = queries.find_key(session, key)
        if row is None:
            raise Unauthorized(f"the key ua_{key.prefix}_... is unknown, revoked or expired")
        stale = queries.use_is_stale(session, row)
    if stale:
        with services().sessions.begin() as session:
            queries.note_use(session, row)
    return row


def _admit_local() -> None:
    with reading(services().sessions) as session:
        guarded = queries.any_key(session)
        team = queries.find_team(session, LOCAL_TEAM)
    if guarded:
        raise Unauthorized("send a key in the header `Authorization: Bearer ua_...`")
    if not is_local(request):
        raise Unauthorized("no key exists yet; make one with `unitatlas keys create --team NAME`")
    if team is None:
        with services().sessions.begin() as session:
            team = queries.make_team(session, LOCAL_TEAM)
    g.team_id = team.id


def is_local(asking: Request) -> bool:
    """Whether a request comes from this machine, and from no proxy or foreign web page on it."""
    if any(name in asking.headers for name in FORWARDED) or not is_loopback(asking.remote_addr or ""):
        return False
    # A page of another site reaches a loopback address by a name of its own, or says where it comes from.
    origin = asking.headers.get("Origin")
    return is_loopback(urlsplit(asking.host_url).hostname or "") and origin in (None, asking.host_url.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Whether an address or name stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
