"""A job's events as they happen: the server-sent events of the HTML standard."""

import json
import time
import uuid
from collections.abc import Iterator
from threading import BoundedSemaphore

from flask import Response, current_app
from sqlalchemy.orm import Session

from service.context import services
from service.database import Sessions, reading
from service.errors import Unavailable
from service.jobs import queries
from service.jobs.schemas import EventSchema
from service.jobs.tables import TERMINAL_STATES, Event
from service.pagination import Page

MEDIA_TYPE = "text/event-stream"
BATCH = 200
PING_SECONDS = 15.0
"""Silence after which a comment keeps proxies from closing the stream."""
END_SECONDS = 300.0
"""Age at which a stream ends in any case; the client comes back with Last-Event-ID."""


def page(session: Session, job_id: uuid.UUID, after: int, limit: int) -> Page:
    """The job's events beyond a sequence number; `next_cursor` is the `after` of the next page."""
    found = queries.list_events(session, job_id, after, limit + 1)
    shown = found[:limit]
    return Page(shown, str(shown[-1].sequence) if len(found) > limit else None)


def stream(job_id: uuid.UUID, after: int) -> Response:
    """Stream the job's events beyond a sequence number; raise Unavailable where too many streams are open."""
    slots = _slots()
    if not slots.acquire(blocking=False):
        raise Unavailable("all event streams of this process are taken; poll GET /v1/jobs/{id}?wait=25 instead")
    response = Response(_messages(services().sessions, job_id, after), mimetype=MEDIA_TYPE)
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.call_on_close(slots.release)
    return response


def _slots() -> BoundedSemaphore:
    # each stream holds a thread of the server, so that without a bound streams would starve all other requests
    slots: BoundedSemaphore = current_app.extensions.setdefault(
        "unitatlas.streams", BoundedSemaphore(services().settings.max_streams)
    )
    return slots


def _messages(sessions: Sessions, job_id: uuid.UUID, after: int) -> Iterator[str]:
    end = time.monotonic() + END_SECONDS
    silent_since = time.monotonic()
    while time.monotonic() < end:
        with reading(sessions) as session:
            ended = queries.get_state(session, job_id) in TERMINAL_STATES
            events = queries.list_events(session, job_id, after, BATCH)
        for event in events:
            yield _message(event)
            after = event.sequence
        if events:
            silent_since = time.monotonic()
            continue
        if ended:
            return
        if time.monotonic() - silent_since >= PING_SECONDS:
            yield ": still here\n\n"
            silent_since = time.monotonic()
        time.sleep(queries.POLL_SECONDS)


def _message(event: Event) -> str:
    return f"id: {event.sequence}\nevent: {event.type}\ndata: {json.dumps(EventSchema().dump(event))}\n\n"
