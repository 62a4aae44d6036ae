"""One log line for each request, and the request's id on every other line that it writes."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from service import logs

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def init_app(app: Flask) -> None:
    """Name and log every request of the app."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    g.started = time.perf_counter()
    logs.forget()
    logs.note(request_id=g.request_id)
    if (job_id := (request.view_args or {}).get("job_id")) is not None:
        logs.note(job_id=job_id)


def _end(reply: Response) -> Response:
    reply.headers["X-Request-Id"] = g.request_id
    fields = {
        "method": request.method,
        "path": request.path,
        "status": reply.status_code,
        "milliseconds": round(1000 * (time.perf_counter() - g.started), 1),
        "team_id": g.caller.team_id if "caller" in g else None,
    }
    log.info("request", extra={"fields": fields})
    return reply


def _forget(_error: BaseException | None) -> None:
    logs.forget()
