"""Units that somebody put together: made, read, changed in whole; always within one team."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.catalog.queries import get_unit_layer
from service.catalog.tables import Layer, Model
from service.collections.tables import CollectedUnit, Collection
from service.database import now
from service.errors import Conflict, Invalid, NotFound
from service.pagination import Page, PageRequest, paginate
from service.results.queries import FoundUnit, answering, find_units
from service.results.tables import LayerDissection, Unit

MAX_UNITS = 1000
"""In one collection."""


class Collected(NamedTuple):
    """A unit in a collection, by its names, and as its newest dissection saw it if there is one."""

    model: str
    layer: str
    unit: int
    note: str
    found: FoundUnit | None


class ListedCollection(NamedTuple):
    """A collection and the number of its units."""

    collection: Collection
    size: int


class Place(NamedTuple):
    """A unit to be put into a collection."""

    layer_id: int
    unit: int
    note: str


def list_collections(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's collections, newest first, each as a ListedCollection."""
    size = sa.select(sa.func.count()).where(CollectedUnit.collection_id == Collection.id).scalar_subquery()
    statement = sa.select(Collection, size).where(Collection.team_id == team_id)
    found = paginate(session, statement, [Collection.id], page, descending=True)
    return Page([ListedCollection(*row[:2]) for row in found.data], found.next_cursor)


def get_collection(session: Session, team_id: uuid.UUID, collection_id: uuid.UUID) -> Collection:
    """The team's collection; raise NotFound where it has none of this id."""
    statement = sa.select(Collection).where(Collection.team_id == team_id, Collection.id == collection_id)
    found = session.scalar(statement)
    if found is None:
        raise NotFound(f"there is no collection {collection_id} here; GET /v1/collections lists the team's")
    return found


def lock_collection(session: Session, collection: Collection) -> None:
    """Lock a collection's row until the transaction ends, and read what others have changed meanwhile."""
    try:
        session.refresh(collection, with_for_update=True)
    except sa.exc.InvalidRequestError:
        raise NotFound(f"the collection {collection.id} was deleted just now") from None


def units_of(session: Session, collection: Collection) -> list[Collected]:
    """A collection's units in its order."""
    statement = (
        sa.select(Model.name, Layer.name, CollectedUnit.unit, CollectedUnit.note, CollectedUnit.layer_id)
        .join(Layer, Layer.id == CollectedUnit.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(CollectedUnit.collection_id == collection.id)
        .order_by(CollectedUnit.position)
    )
    rows = session.execute(statement).all()
    pairs = sa.tuple_(LayerDissection.layer_id, Unit.index).in_([(row[4], row[2]) for row in rows])
    newest = find_units(session, collection.team_id, answering(None), pairs) if rows else []
    found = {(unit.model, unit.layer, unit.unit): unit for unit in newest}
    return [Collected(*row[:4], found.get((row[0], row[1], row[2]))) for row in rows]


def resolve(session: Session, team_id: uuid.UUID, wanted: Sequence[Mapping[str, Any]]) -> list[Place]:
    """The units that are named; raise Invalid that points at one that the team has not, or that is there twice."""
    layers = _layers_named(session, team_id, wanted)
    places: list[Place] = []
    seen: set[tuple[int, int]] = set()
    for index, named in enumerate(wanted):
        layer = layers.get((named["model"], named["layer"]))
        if layer is None or named["unit"] >= layer.units:
            raise _no_unit(session, team_id, named, index)
        if (layer.id, named["unit"]) in seen:
            raise Invalid("the unit is in the list already", f"/units/{index}")
        seen.add((layer.id, named["unit"]))
        places.append(Place(layer.id, named["unit"], named["note"]))
    return places


def _layers_named(
    session: Session, team_id: uuid.UUID, wanted: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], Layer]:
    names = {(named["model"], named["layer"]) for named in wanted}
    if not names:
        return {}
    statement = sa.select(Model.name, Layer).join(Model, Model.id == Layer.model_id).where(Model.team_id == team_id)
    rows = session.execute(statement.where(sa.tuple_(Model.name, Layer.name).in_(names)))
    return {(model, layer.name): layer for model, layer in rows}


def _no_unit(session: Session, team_id: uuid.UUID, named: Mapping[str, Any], index: int) -> Invalid:
    try:
        get_unit_layer(session, team_id, named["model"], named["layer"], named["unit"])
    except NotFound as error:
        return Invalid(error.detail, f"/units/{index}")
    raise AssertionError("a unit that is there was found before")


def make_collection(
    session: Session, team_id: uuid.UUID, name: str, note: str, places: Sequence[Place], author: str
) -> Collection:
    """Write a collection; raise Conflict for a name that another one has."""
    time = now(session)
    collection = Collection(
        team_id=team_id, name=name, note=note, author=author, version=1, created_at=time, updated_at=time
    )
    session.add(collection)
    _flush(session, name)
    _write_units(session, collection, places)
    return collection


def change_collection(
    session: Session, collection: Collection, version: int, name: str, note: str, places: Sequence[Place]
) -> None:
    """Write a collection anew; raise Conflict where it is not at this version, or for a name that another one has."""
    lock_collection(session, collection)
    if collection.version != version:
        raise Conflict(f"the collection is at version {collection.version}; look at it and change that", "/version")
    _raise_version(session, collection)  # asks the time, which would flush a name that is taken
    collection.name, collection.note = name, note
    _flush(session, name)
    _remove_units(session, collection)
    _write_units(session, collection, places)


def append_unit(session: Session, collection: Collection, place: Place) -> None:
    """Put a unit at the end of a collection; raise Conflict where it is in it already, or nothing more fits."""
    lock_collection(session, collection)
    statement = sa.select(CollectedUnit).where(CollectedUnit.collection_id == collection.id)
    units = session.scalars(statement.order_by(CollectedUnit.position)).all()
    if any((unit.layer_id, unit.unit) == (place.layer_id, place.unit) for unit in units):
        raise Conflict("the unit is in the collection already")
    if len(units) >= MAX_UNITS:
        raise Conflict(f"the collection has {MAX_UNITS} units, the most that one may have")
    _raise_version(session, collection)
    session.add(CollectedUnit(collection_id=collection.id, position=len(units), **place._asdict()))


def delete_collection(session: Session, collection: Collection) -> None:
    """Remove a collection; its units stay what they are."""
    lock_collection(session, collection)
    _remove_units(session, collection)
    session.delete(collection)


def _raise_version(session: Session, collection: Collection) -> None:
    collection.version, collection.updated_at = collection.version + 1, now(session)


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"another collection is named {name!r} already", "/name") from None


def _remove_units(session: Session, collection: Collection) -> None:
    session.execute(sa.delete(CollectedUnit).where(CollectedUnit.collection_id == collection.id))


def _write_units(session: Session, collection: Collection, places: Sequence[Place]) -> None:
    rows = [{"collection_id": collection.id, "position": i, **place._asdict()} for i, place in enumerate(places)]
    if rows:
        session.execute(sa.insert(CollectedUnit), rows)
