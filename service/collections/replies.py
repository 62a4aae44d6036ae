"""Collections as the wire has them."""

from collections.abc import Sequence
from typing import Any

from service.collections.queries import Collected
from service.collections.tables import Collection
from service.results.replies import describe_unit

_SAME = ("id", "name", "note", "author", "version", "created_at", "updated_at")


def describe_collection(collection: Collection, size: int) -> dict[str, Any]:
    """A collection, for `CollectionSchema`."""
    links = {"self": f"/v1/collections/{collection.id}"}
    return {**{name: getattr(collection, name) for name in _SAME}, "size": size, "links": links}


def describe_collected(collection: Collection, units: Sequence[Collected]) -> dict[str, Any]:
    """A collection with its units, for `CollectionDetailSchema`."""
    described = [describe_unit(unit, unit.found) | {"note": unit.note} for unit in units]
    return describe_collection(collection, len(units)) | {"units": described}
