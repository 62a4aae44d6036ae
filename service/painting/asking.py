"""Asking a worker for a painting, and waiting for it as long as its deadline allows."""

from collections.abc import Mapping
from typing import Any

from service.broker import publish_painting
from service.catalog.tables import Model
from service.context import commit, db, services, team_id
from service.database import reading
from service.errors import Reported, Unavailable
from service.painting import queries
from service.painting.queries import PaintingRow
from service.painting.resolving import Resolver
from service.painting.tables import Painting


def ask(model: Model, wanted: Mapping[str, Any]) -> PaintingRow:
    """Have a worker paint; raise Invalid for what cannot be, the worker's problem, or Unavailable past the deadline."""
    resolved = Resolver(db(), team_id(), model, wanted).resolve()
    seconds = services().settings.painting_seconds
    painting = queries.add_painting(db(), team_id(), model, resolved.document, resolved.warnings, seconds)
    commit()  # nothing is held while the worker paints
    publish_painting(services().celery, painting.id)
    if not queries.wait_for(services().sessions, painting.id, seconds):
        with services().sessions.begin() as session:
            queries.expire(session, painting.id)
    return PaintingRow(_ended(painting), model.name)


def _ended(painting: Painting) -> Painting:
    with reading(services().sessions) as session:
        ended = session.get_one(Painting, painting.id)
    if ended.state == "expired":
        raise Unavailable(_why(ended))
    if ended.error is not None:
        raise Reported(ended.error)
    return ended


def _why(painting: Painting) -> str:
    seconds = (painting.deadline_at - painting.created_at).total_seconds()
    if painting.started_at is None:
        return f"no worker was free within {seconds:g} s; try again, or start more workers"
    return f"a worker began to paint and was not done within {seconds:g} s; its network may be warm when you try again"
