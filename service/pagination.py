"""Lists by keyset: a cursor holds the sort keys of the last row shown and a digest of the filters it was made for."""

import base64
import binascii
import hashlib
import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import fields, validate
from sqlalchemy.orm import Session

from service.errors import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR = 2048

SortKey = sa.ColumnElement[Any] | sa.orm.InstrumentedAttribute[Any]


@dataclass(frozen=True)
class PageRequest:
    """Which part of a list is asked for, and of which list."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What binds a cursor to the filters and the order of its list."""
        text = json.dumps(self.filters, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Page:
    """A part of a list; `next_cursor` is None on the last one."""

    data: Sequence[Any]
    next_cursor: str | None


class PageQuery(ma.Schema):
    """The query string of a list; its subclasses add the filters."""

    class Meta:  # noqa: D106
        unknown = ma.RAISE

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(min=1),
        metadata={"description": f"Items in a page; more than {MAX_LIMIT} are cut to {MAX_LIMIT}."},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "The `next_cursor` of the page before, with the same filters."},
    )

    @ma.post_load
    def make_request(self, values: dict[str, Any], **_: Any) -> PageRequest:
        """Turn the query string into a PageRequest whose filters are all that is not limit or cursor."""
        limit = min(values.pop("limit"), MAX_LIMIT)
        return PageRequest(limit, values.pop("cursor"), values)


def paginate(
    session: Session,
    statement: sa.Select[*tuple[Any, ...]],
    keys: Sequence[SortKey],
    page: PageRequest,
    *,
    descending: bool = False,
) -> Page:
    """One page of a statement's rows, sorted by `keys`, which are unique together, never null and all in one direction.

    A statement of one entity or column yields it itself, a wider one yields rows. Raise InvalidCursor for a cursor
    that is damaged or belongs to other filters.
    """
    rows = session.execute(cut(statement, keys, page, descending=descending)).all()
    shown = rows[: page.limit]
    next_cursor = _encode(page.digest, shown[-1][-len(keys) :]) if len(rows) > page.limit else None
    return Page([row[0] if len(row) == 1 + len(keys) else row for row in shown], next_cursor)


def cut(
    statement: sa.Select[*tuple[Any, ...]], keys: Sequence[SortKey], page: PageRequest, *, descending: bool = False
) -> sa.Select[*tuple[Any, ...]]:
    """As many of a statement's rows, from the page's cursor on, as tell what is on the page and whether more follows.

    The keys are columns, too: `sort_key_0`, `sort_key_1` ... Raise InvalidCursor as `paginate` does.
    """
    # as expressions: a subquery of columns would copy their foreign keys each time
    marks = [sa.type_coerce(key, key.type).label(f"sort_key_{i}") for i, key in enumerate(keys)]
    ordered = statement.add_columns(*marks).order_by(*(key.desc() if descending else key.asc() for key in keys))
    if page.cursor is not None:
        ordered = ordered.where(_beyond(keys, _decode(page.cursor, page.digest, keys), descending))
    return ordered.limit(page.limit + 1)


def merge(parts: Sequence[Page], keys: int, page: PageRequest, *, descending: bool = False) -> Page:
    """One page of several statements' rows, each paginated for the same request and by as many `keys`.

    So each statement finds its part by its own index, where a database would sort the whole of their union.
    """
    rows = sorted((row for part in parts for row in part.data), key=lambda row: row[-keys:], reverse=descending)
    shown = rows[: page.limit]
    more = len(rows) > page.limit or any(part.next_cursor for part in parts)
    return Page(shown, _encode(page.digest, shown[-1][-keys:]) if more else None)


def _beyond(keys: Sequence[SortKey], values: Sequence[Any], descending: bool) -> sa.ColumnElement[bool]:
    # one comparison of row values, so that one index over all keys finds the place
    position = sa.tuple_(*keys)
    last = sa.tuple_(*values, types=[key.type for key in keys])
    return position < last if descending else position > last


def _encode(digest: str, values: Sequence[Any]) -> str:
    text = json.dumps([digest, *values], default=_dump)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _dump(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _decode(cursor: str, digest: str, keys: Sequence[SortKey]) -> list[Any]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError("longer than any cursor")
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        bound, *values = json.loads(text)
        loaded = [_LOADERS[_python_type(key)](value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise InvalidCursor("the cursor is damaged; start again without one", pointer="query:cursor") from None
    if bound != digest:
        raise InvalidCursor("the cursor was made for other filters; start again without one", pointer="query:cursor")
    return loaded


def _python_type(key: SortKey) -> type:
    kind = key.type.impl_instance if isinstance(key.type, sa.TypeDecorator) else key.type
    return kind.python_type


# A cursor comes from outside: what no column of the type could hold must not reach the database.


def _load_text(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise ValueError("no text")
    value.encode()  # refuses lone surrogates
    return value


def _load_integer(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("no 64-bit integer")
    return value


def _load_float(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("no finite number")
    return float(value)


def _load_time(value: Any) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(UTC)


_LOADERS: dict[type, Callable[[Any], Any]] = {
    str: _load_text,
    int: _load_integer,
    float: _load_float,
    uuid.UUID: lambda value: uuid.UUID(_load_text(value)),
    datetime: _load_time,
}
