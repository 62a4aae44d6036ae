"""Units that somebody put together."""

from typing import Any
from uuid import UUID

from flask import Response

from service.api import Blueprint
from service.catalog.queries import get_unit_layer
from service.collections import queries
from service.collections.replies import describe_collected, describe_collection
from service.collections.schemas import (
    ChangedCollectionSchema,
    CollectionDetailSchema,
    CollectionSchema,
    NamedUnitSchema,
    NewCollectionSchema,
)
from service.collections.tables import Collection
from service.context import caller, db, team_id
from service.pagination import Page, PageRequest

blueprint = Blueprint("collections", "Units that somebody put together, with notes and in an order.")


@blueprint.get("/collections")
@blueprint.requires("read")
@blueprint.paginated(CollectionSchema)
def list_all(page: PageRequest) -> Page:
    """List the team's collections, newest first."""
    found = queries.list_collections(db(), team_id(), page)
    return Page([describe_collection(*listed) for listed in found.data], found.next_cursor)


@blueprint.post("/collections")
@blueprint.requires("write")
@blueprint.arguments(NewCollectionSchema)
@blueprint.response(201, CollectionDetailSchema)
def make(body: dict[str, Any]) -> Any:
    """Make a collection."""
    places = queries.resolve(db(), team_id(), body["units"])
    made = queries.make_collection(db(), team_id(), body["name"], body["note"], places, caller().name)
    return _describe(made), 201, {"Location": f"/v1/collections/{made.id}"}


@blueprint.get("/collections/<uuid:collection_id>")
@blueprint.requires("read")
@blueprint.response(200, CollectionDetailSchema)
def get_one(collection_id: UUID) -> dict[str, Any]:
    """Retrieve a collection with its units, each as its newest dissection saw it."""
    return _describe(queries.get_collection(db(), team_id(), collection_id))


@blueprint.put("/collections/<uuid:collection_id>")
@blueprint.requires("write")
@blueprint.arguments(ChangedCollectionSchema)
@blueprint.response(200, CollectionDetailSchema)
def change(body: dict[str, Any], collection_id: UUID) -> dict[str, Any]:
    """Change a collection: its name, its note, and its units with theirs, in the order given."""
    collection = queries.get_collection(db(), team_id(), collection_id)
    places = queries.resolve(db(), team_id(), body["units"])
    queries.change_collection(db(), collection, body["version"], body["name"], body["note"], places)
    return _describe(collection)


@blueprint.post("/collections/<uuid:collection_id>/units")
@blueprint.requires("write")
@blueprint.arguments(NamedUnitSchema)
@blueprint.response(200, CollectionDetailSchema)
def append(body: dict[str, Any], collection_id: UUID) -> dict[str, Any]:
    """Put a unit at the end of a collection."""
    collection = queries.get_collection(db(), team_id(), collection_id)
    layer = get_unit_layer(db(), team_id(), body["model"], body["layer"], body["unit"])
    queries.append_unit(db(), collection, queries.Place(layer.id, body["unit"], body["note"]))
    return _describe(collection)


@blueprint.delete("/collections/<uuid:collection_id>")
@blueprint.requires("write")
@blueprint.response(204)
def delete(collection_id: UUID) -> Response:
    """Delete a collection; its units stay what they are."""
    queries.delete_collection(db(), queries.get_collection(db(), team_id(), collection_id))
    return Response(status=204)


def _describe(collection: Collection) -> dict[str, Any]:
    return describe_collected(collection, queries.units_of(db(), collection))
