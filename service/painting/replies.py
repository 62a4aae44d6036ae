"""Paintings as the wire has them."""

import base64
from typing import Any

from service.artifacts.store import ArtifactStore
from service.painting.queries import PaintingRow

_PICTURES = ("edited", "unedited")
_FIELDS = ("id", "state", "document", "warnings", "result", "error", "created_at", "finished_at")


def describe(row: PaintingRow) -> dict[str, Any]:
    """A painting, for `PaintingSchema`, without its pictures."""
    painting = row.painting
    links = {"self": f"/v1/paintings/{painting.id}", "model": f"/v1/models/{row.model}"}
    pictures = {name: f"/v1/artifacts/{digest}" for name, digest in _digests(row).items()}
    return {name: getattr(painting, name) for name in _FIELDS} | {
        "model": row.model,
        "pictures": None,
        "links": links | pictures,
    }


def describe_inline(row: PaintingRow, store: ArtifactStore) -> dict[str, Any]:
    """The same with its pictures as data URLs."""
    pictures = {name: _data_url(store.path(digest).read_bytes()) for name, digest in _digests(row).items()}
    return describe(row) | {"pictures": pictures}


def _digests(row: PaintingRow) -> dict[str, str]:
    """The digests of the pictures that are there."""
    return {name: digest for name in _PICTURES if (digest := getattr(row.painting, name)) is not None}


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
