"""Who is asking: every request is let in by somebody of sufficient scope, or turned away."""

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, g, request

from service.access import queries
from service.access.keys import digest_of, parse_key
from service.access.queries import Holder
from service.access.signing import FOREIGN, from_own_page, presented
from service.access.tables import LOCAL_TEAM, SCOPES
from service.context import SAFE_METHODS, Caller, before_commit, caller, db, services
from service.database import reading
from service.errors import Forbidden, NotFound, Unauthorized
from service.sharing.addresses import TOKEN
from service.sharing.doors import opens
from service.sharing.queries import find_share
from service.sharing.showing import shows_artifact
from service.sharing.subjects import Subject

ARTIFACT = "artifacts.get_artifact"
"""The view of bytes, which a link opens where what it shows names them."""
FORWARDED = ("Forwarded", "X-Forwarded-For", "Via")


def init_app(app: Flask) -> None:
    """Guard every view of the app."""
    app.before_request(_admit)


def _admit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    scope: str | None = getattr(view, "scope", None)
    if scope is None:
        return  # open to all, or no view at all: the router answers
    let_in(_who())
    if scope not in caller().scopes:
        raise Forbidden(f"{_named(caller())} may {', '.join(caller().scopes) or 'do nothing'}; this needs {scope}")
    if caller().share is not None and not _is_shown(caller()):
        raise NotFound("the link does not show this")


def _is_shown(asking: Caller) -> bool:
    assert asking.share is not None
    subject = Subject(asking.share.kind, asking.share.subject)
    view, path = request.endpoint or "", request.view_args or {}
    if view == ARTIFACT:
        return not request.args and shows_artifact(db(), asking.team_id, subject, path["digest"])
    return opens(*subject, view, path, request.args.to_dict(flat=False))


def let_in(asking: Caller) -> None:
    """Let the request speak for somebody, who answers in the audit log for what it changes."""
    g.caller = asking
    if request.method not in SAFE_METHODS:
        before_commit(_record)


def _record() -> None:
    asking, subject = caller(), g.get("location") or request.path
    more = {"key_prefix": asking.key_prefix, "request_id": g.request_id}
    queries.record(db(), asking.team_id, asking.name, request.endpoint or "", subject, **more)


def _named(asking: Caller) -> str:
    if asking.share is not None:
        return "whoever has a link"
    key = f"the key ua_{asking.key_prefix}_..."
    return key if asking.role is None else f"{key} of {asking.name}, {asking.role} of the team,"


def _who() -> Caller:
    if (token := request.environ.get(TOKEN)) is not None:
        return _by_link(token)
    if "Authorization" in request.headers:
        return _by_key()
    return _by_cookie() or _as_local()


def caller_of(holder: Holder) -> Caller:
    """The holder of a key as somebody who asks."""
    key, member = holder
    return Caller(
        team_id=key.team_id,
        name=holder.name,
        scopes=holder.scopes,
        role=None if member is None else member.role,
        key_prefix=key.prefix,
    )


def _by_link(token: str) -> Caller:
    with reading(services().sessions) as session:
        share = find_share(session, digest_of(token))
    if share is None:
        raise NotFound("there is no such link, or it was revoked or has expired; ask whoever sent it for another one")
    return Caller(team_id=share.team_id, name="link", scopes=("read",), share=share)


def _by_key() -> Caller:
    kind, _, text = request.headers["Authorization"].partition(" ")
    key = parse_key(text.strip()) if kind.lower() == "bearer" else None
    if key is None:
        raise Unauthorized("the Authorization header holds no whole key; it reads `Bearer ua_...`")
    with reading(services().sessions) as session:
        holder = queries.find_holder(session, key)
        if holder is None:
            raise Unauthorized(f"the key ua_{key.prefix}_... is unknown, revoked or expired")
        stale = queries.use_is_stale(session, holder.key)
    if stale:
        with services().sessions.begin() as session:
            queries.note_use(session, holder.key)
    return caller_of(holder)


def _by_cookie() -> Caller | None:
    """Whom the browser was signed in by; None where nobody is, as of a cookie that another service here set."""
    if (digest := presented(request)) is None:
        return None
    with reading(services().sessions) as session:
        holder = queries.find_signed_in(session, digest)
    if holder is None:
        return None
    # the browser sends the cookie whoever made it ask; what changes something must come from a page of ours
    if request.method not in SAFE_METHODS and not from_own_page(request):
        raise Forbidden(FOREIGN)
    return caller_of(holder)


def _as_local() -> Caller:
    with reading(services().sessions) as session:
        guarded = queries.any_key(session)
        team = queries.find_team(session, LOCAL_TEAM)
    if guarded:
        raise Unauthorized("send a key in the header `Authorization: Bearer ua_...`, or sign in by one")
    if not is_local(request):
        raise Unauthorized("no key exists yet; make one with `unitatlas keys create --team NAME`")
    if team is None:
        with services().sessions.begin() as session:
            team = queries.make_team(session, LOCAL_TEAM)
    return Caller(team_id=team.id, name=LOCAL_TEAM, scopes=SCOPES)


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
