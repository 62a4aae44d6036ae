"""What a request has of the process that serves it: services, its transaction, and who is asking."""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import sqlalchemy as sa
from celery import Celery
from flask import Flask, Response, current_app, g, request
from sqlalchemy.orm import Session

from service.artifacts.store import ArtifactStore
from service.database import Sessions, reading
from service.settings import Settings
from service.sharing.tables import Share

log = logging.getLogger(__name__)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Services:
    """What one process makes once and all its requests use."""

    settings: Settings
    engine: sa.Engine
    sessions: Sessions
    store: ArtifactStore
    celery: Celery


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is asking, for which team, and what they may do."""

    team_id: uuid.UUID
    name: str
    """The member's, or that of a key that is nobody's: what the audit log and all that they write is signed by."""
    scopes: Sequence[str]
    role: str | None = None
    key_prefix: str | None = None
    share: Share | None = None
    """Of somebody who followed a link: all that they may see."""


def services() -> Services:
    """The services of the process that serves the request."""
    made: Services = current_app.extensions["unitatlas"]
    return made


def caller() -> Caller:
    """Who is asking."""
    asking: Caller = g.caller
    return asking


def team_id() -> uuid.UUID:
    """The team that the caller speaks for; every query is scoped by it."""
    return caller().team_id


def db() -> Session:
    """The request's session: for GET and HEAD it only reads, else it is committed when the request succeeds.

    It opens with its first use. What waits or streams shall not hold it: `commit` first, or use `reading`.
    """
    if "session" not in g:
        sessions = services().sessions
        g.exits = ExitStack()
        g.session = g.exits.enter_context(reading(sessions) if request.method in SAFE_METHODS else sessions())
    session: Session = g.session
    return session


def commit() -> None:
    """Commit what the request wrote so far and then do what waited for that; the end of a request does it anyway."""
    if "session" in g:
        for callback in g.pop("before_commit", []):
            callback()
        g.session.commit()
    for callback in g.pop("after_commit", []):
        _attempt(callback)


def before_commit(callback: Callable[[], object]) -> None:
    """Call back just before the request's transaction is committed for the first time, and never if it is not."""
    g.setdefault("before_commit", []).append(callback)


def after_commit(callback: Callable[[], object]) -> None:
    """Call back once the request's transaction is committed, and never if it is not."""
    g.setdefault("after_commit", []).append(callback)


def _attempt(callback: Callable[[], object]) -> None:
    # What is committed stands: a broker that is away costs a hint, which the relay sends again.
    try:
        callback()
    except Exception:
        log.exception("what was to follow a commit failed")


def init_app(app: Flask, made: Services) -> None:
    """Give every request of the app its services and its transaction."""
    app.extensions["unitatlas"] = made
    app.after_request(_end_transaction)
    app.teardown_request(_close)


def _end_transaction(response: Response) -> Response:
    # before the reply leaves, so that a client never hears of what was not committed
    if response.status_code < 400:
        g.location = response.location
        commit()
    _close(None)
    return response


def _close(_error: BaseException | None) -> None:
    g.pop("before_commit", None)
    g.pop("after_commit", None)
    if g.pop("session", None) is not None:
        g.pop("exits").close()
