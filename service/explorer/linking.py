"""Addresses in pages: below those of a link where somebody follows one, and only where they may go."""

from typing import Any

import flask
from flask import g, request
from markupsafe import Markup

from service.sharing.addresses import TOKEN
from service.sharing.doors import KINDS
from service.sharing.subjects import Subject, shows_address
from service.sharing.tables import Share


def shared() -> bool:
    """Whether the page is looked at by a link."""
    return TOKEN in request.environ


def under(address: str) -> str:
    """Where an address of this service is found from here."""
    return address if address.startswith(request.script_root) else request.script_root + address


def href(place: str, /, **values: Any) -> Markup:
    """The attribute that leads to a view of pages, or to an address; nothing where a link to a thing does not lead."""
    address = under(place) if place.startswith("/") else flask.url_for(place, **values)
    return Markup(' href="{}"').format(address) if _leads(address) else Markup()


def _leads(address: str) -> bool:
    if not shared():
        return True
    share: Share | None = g.caller.share if "caller" in g else None  # no such link
    return share is not None and shows_address(_subject(share), address.removeprefix(request.script_root))


def page_of(share: Share) -> str:
    """The page of what a link shows."""
    door = KINDS[share.kind].pages[0]
    values: dict[str, Any] = {**door.values(share.subject)}
    return flask.url_for(door.view, **values)


def _subject(share: Share) -> Subject:
    return Subject(share.kind, share.subject)
