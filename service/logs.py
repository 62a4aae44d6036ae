"""Log lines as JSON, each with the ids of the request, job, shard or delivery that it is about."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

_noted: ContextVar[Mapping[str, object]] = ContextVar("noted", default=MappingProxyType({}))


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message, what was noted before and what came as `extra={"fields": ...}`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_noted.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    """Let the whole process write JSON lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # it speaks at every readiness check


def note(**fields: object) -> None:
    """Add fields to all further lines of the request, or of whatever else `logged_with` has begun."""
    _noted.set({**_noted.get(), **fields})


def noted(name: str) -> object:
    """What was noted under a name, None where nothing was."""
    return _noted.get().get(name)


def forget() -> None:
    """Forget what was noted."""
    _noted.set({})


@contextmanager
def logged_with(**fields: object) -> Iterator[None]:
    """Add fields to all lines of this thread while the context lasts."""
    before = _noted.set({**_noted.get(), **fields})
    try:
        yield
    finally:
        _noted.reset(before)
