"""Annotations as the wire has them."""

from typing import Any
from urllib.parse import quote

from service.annotations.queries import Annotated
from service.annotations.schemas import METHOD
from service.annotations.tables import Annotation


def describe_annotation(annotated: Annotated) -> dict[str, Any]:
    """An annotation's newest version with those before it, for `AnnotationDetailSchema`."""
    newest, *older = annotated.versions
    layer = f"/v1/models/{quote(annotated.model, safe='')}/layers/{quote(annotated.layer, safe='')}"
    return {
        "id": newest.id,
        "model": annotated.model,
        "layer": annotated.layer,
        "unit": newest.unit,
        **_describe_version(newest),
        "history": [_describe_version(version) for version in older],
        "links": {"self": f"/v1/annotations/{newest.id}", "unit": f"{layer}/units/{newest.unit}"},
    }


def _describe_version(version: Annotation) -> dict[str, Any]:
    label = {"category": version.category, "concept": version.concept, "method": METHOD}
    same = ("version", "note", "author", "created_at", "withdrawn")
    return {
        **{name: getattr(version, name) for name in same},
        "label": None if version.concept is None else label,
    }
