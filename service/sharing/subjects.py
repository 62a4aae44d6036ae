"""What is shared, read from its address and written as one."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from service.errors import Invalid
from service.sharing.doors import KINDS, Door, Fields, Kind, opens, single

POINTER = "/address"
_ADDRESS = re.compile(r"/(?!/)")
"""What begins with two slashes names another host."""
FORMS = (
    "what can be shared are a unit, a layer (/v1/units?model=...&layer=...), a job, a class's explanation, "
    "a comparison, a painting and a collection, by the address that GET shows them at"
)


class Subject(NamedTuple):
    """A thing that can be shared, and its fields."""

    kind: str
    fields: Fields


def read_address(address: str) -> Subject:
    """What an address of this service shows; raise Invalid where that cannot be shared."""
    # a name that holds a null character must not reach the database
    parts = None if not _ADDRESS.match(address) or "%00" in address else urlsplit(address)
    query = None if parts is None else single(parse_qs(parts.query, keep_blank_values=True))
    if parts is None or query is None:
        raise Invalid(f"{address!r} is no address of this service that can be shared; {FORMS}", POINTER)
    view, path = _match(unquote(parts.path))
    for name, kind in KINDS.items():
        for door in (door for door in kind.doors if door.view == view):
            if (fields := _read(kind, door, path, query)) is not None:
                return Subject(name, fields)
    raise Invalid(f"{address!r} shows nothing that can be shared; {FORMS}", POINTER)


def _match(path: str) -> tuple[str, Mapping[str, Any]]:
    try:
        view, arguments = current_app.url_map.bind("").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        raise Invalid(f"nothing is at {path!r}; {FORMS}", POINTER) from None
    return view, arguments


def _read(kind: Kind, door: Door, path: Mapping[str, Any], query: Mapping[str, str]) -> Fields | None:
    """The fields, None where the address leaves out what a thing of this kind needs or says what is no part of it."""
    named = {of: str(path[name]) for name, of in door.path.items()}
    named |= {of: query[name] for name, of in door.query.items() if name in query}
    named |= {name: query[name] for name in door.within if name in query}
    known = {*door.query, *door.within, *door.free}
    if not query.keys() <= known or not named.keys() >= {*kind.needed}:
        return None
    return {name: named.get(name) for name in kind.fields}


def address_of(subject: Subject) -> str:
    """Where the thing is shown, without what belongs to a page of it."""
    door = KINDS[subject.kind].doors[0]
    return current_app.url_map.bind("").build(door.view, door.values(subject.fields))


def shows_address(subject: Subject, address: str) -> bool:
    """Whether a link to the thing opens an address of this service."""
    parts = urlsplit(address)
    view, path = _match(unquote(parts.path))
    return opens(*subject, view, path, parse_qs(parts.query, keep_blank_values=True))
