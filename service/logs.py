"""One JSON line for each request and each message, tied together by the request's id."""

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message, the request's id and what came as `extra={"fields": ...}`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if has_request_context():
            line["request_id"] = g.get("request_id")
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    """Let the whole process write JSON lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # it speaks at every readiness check


def init_app(app: Flask) -> None:
    """Name and log every request of the app."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    g.started = time.perf_counter()


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
