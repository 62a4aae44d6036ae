"""Pages of what people add: what they say of units, collections, links."""

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import flask
from flask import Response

from service.annotations.queries import annotate as write_annotation
from service.catalog.queries import get_unit_layer
from service.collections import queries as collections
from service.collections.replies import describe_collection
from service.context import caller, db, team_id
from service.errors import NotFound
from service.explorer import found
from service.explorer.pages import pages, render, see_other
from service.explorer.schemas import (
    AnnotationFormSchema,
    CollectedFormSchema,
    CollectionFormSchema,
    CollectSchema,
    ShareFormSchema,
)
from service.pagination import PageQuery, PageRequest
from service.sharing import queries as sharing
from service.sharing.making import make_share
from service.sharing.replies import describe_share

UNIT = "/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>"


@pages.post(f"{UNIT}/annotations")
@pages.requires("write")
@pages.arguments(AnnotationFormSchema, location="form")
def annotate(content: dict[str, Any], model: str, layer: str, unit: int) -> Response:
    """Write a label or a note on a unit."""
    row = get_unit_layer(db(), team_id(), model, layer, unit)
    write_annotation(db(), team_id(), row, unit, content, caller().name)
    return see_other(flask.url_for(".show_unit", model=model, layer=layer, unit=unit, _anchor="said"))


@pages.post(f"{UNIT}/collect")
@pages.requires("write")
@pages.arguments(CollectSchema, location="form")
def collect(form: dict[str, Any], model: str, layer: str, unit: int) -> Response:
    """Put a unit at the end of a collection, or into a new one."""
    place = collections.Place(get_unit_layer(db(), team_id(), model, layer, unit).id, unit, form["note"])
    if form["collection"] is None:
        made = collections.make_collection(db(), team_id(), form["name"], "", [place], caller().name)
        return _to_collection(made.id)
    collections.append_unit(db(), collections.get_collection(db(), team_id(), form["collection"]), place)
    return _to_collection(form["collection"])


@pages.get("/collections")
@pages.requires("read")
@pages.arguments(PageQuery, location="query")
def list_collections(page: PageRequest) -> str:
    """List the team's collections, newest first."""
    listed = collections.list_collections(db(), team_id(), page)
    shown = [describe_collection(*row) for row in listed.data]
    return render("collections.html", collections=shown, next_cursor=listed.next_cursor)


@pages.get("/collections/<uuid:collection_id>")
@pages.requires("read")
def show_collection(collection_id: UUID) -> str:
    """Show a collection: its units in their order, and what is noted of them."""
    collection = collections.get_collection(db(), team_id(), collection_id)
    units = found.show_collected(collections.units_of(db(), collection))
    return render("collection.html", collection=describe_collection(collection, len(units)), units=units)


@pages.post("/collections/<uuid:collection_id>")
@pages.requires("write")
@pages.arguments(CollectionFormSchema, location="form")
def change_collection(form: dict[str, Any], collection_id: UUID) -> Response:
    """Change a collection's name and note."""
    return _change(collection_id, form["version"], form["name"], form["note"], _named_units(collection_id))


@pages.post("/collections/<uuid:collection_id>/units/<int(max=1000):position>")
@pages.requires("write")
@pages.arguments(CollectedFormSchema, location="form")
def change_collected(form: dict[str, Any], collection_id: UUID, position: int) -> Response:
    """Change a unit's note and place in a collection, or take it out."""
    units = _named_units(collection_id)
    if position >= len(units):
        raise NotFound(f"the collection has {len(units)} units, no number {position} from 0")
    unit = units.pop(position)
    if not form["remove"]:
        units.insert(form["place"] - 1, unit | {"note": form["note"]})
    collection = collections.get_collection(db(), team_id(), collection_id)
    return _change(collection_id, form["version"], collection.name, collection.note, units)


def _named_units(collection_id: UUID) -> list[dict[str, Any]]:
    collection = collections.get_collection(db(), team_id(), collection_id)
    units = collections.units_of(db(), collection)
    return [{"model": unit.model, "layer": unit.layer, "unit": unit.unit, "note": unit.note} for unit in units]


def _change(collection_id: UUID, version: int, name: str, note: str, units: list[dict[str, Any]]) -> Response:
    collection = collections.get_collection(db(), team_id(), collection_id)
    places = collections.resolve(db(), team_id(), units)
    collections.change_collection(db(), collection, version, name, note, places)
    return _to_collection(collection_id)


def _to_collection(collection_id: UUID) -> Response:
    return see_other(flask.url_for(".show_collection", collection_id=collection_id))


@pages.get("/shares")
@pages.requires("read")
@pages.arguments(PageQuery, location="query")
def list_shares(page: PageRequest) -> str:
    """List the team's links, newest first."""
    listed = sharing.list_shares(db(), team_id(), page)
    shares = [describe_share(share) for share in listed.data]
    return render("shares.html", shares=shares, made=None, now=datetime.now(UTC), next_cursor=listed.next_cursor)


@pages.post("/shares")
@pages.requires("write")
@pages.arguments(ShareFormSchema, location="form")
def share(form: dict[str, Any]) -> Any:
    """Make a link that shows what is at an address of the API, and show it this once."""
    made = make_share(form["address"], _end_of(form["until"]))
    return render("shares.html", shares=[], made=made, next_cursor=None), 201


def _end_of(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.max, UTC)


@pages.post("/shares/<uuid:share_id>/revoke")
@pages.requires("write")
def revoke_share(share_id: UUID) -> Response:
    """Revoke a link."""
    sharing.revoke_share(db(), sharing.get_share(db(), team_id(), share_id))
    return see_other(flask.url_for(".list_shares"))
