"""What people say of units."""

from typing import Any
from uuid import UUID

from service.annotations import queries
from service.annotations.replies import describe_annotation
from service.annotations.schemas import AnnotationDetailSchema, AnnotationSchema, AnnotationsQuerySchema, ContentSchema
from service.api import Blueprint
from service.catalog.queries import get_unit_layer
from service.context import caller, db, team_id
from service.pagination import Page, PageRequest

blueprint = Blueprint("annotations", "What people say of units, beside what was measured of them.")


@blueprint.post("/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>/annotations")
@blueprint.requires("write")
@blueprint.arguments(ContentSchema)
@blueprint.response(201, AnnotationDetailSchema)
def annotate(content: dict[str, Any], model: str, layer: str, unit: int) -> Any:
    """Write a label or a note on a unit."""
    row = get_unit_layer(db(), team_id(), model, layer, unit)
    annotation_id = queries.annotate(db(), team_id(), row, unit, content, caller().name)
    described = _describe(annotation_id)
    return described, 201, {"Location": described["links"]["self"]}


@blueprint.get("/annotations")
@blueprint.requires("read")
@blueprint.paginated(AnnotationSchema, AnnotationsQuerySchema)
def list_all(page: PageRequest) -> Page:
    """List the team's annotations, newest first."""
    found = queries.list_annotations(db(), team_id(), page)
    return Page([describe_annotation(annotated) for annotated in found.data], found.next_cursor)


@blueprint.get("/annotations/<uuid:annotation_id>")
@blueprint.requires("read")
@blueprint.response(200, AnnotationDetailSchema)
def get_one(annotation_id: UUID) -> dict[str, Any]:
    """Retrieve an annotation with all that it said before."""
    return _describe(annotation_id)


@blueprint.put("/annotations/<uuid:annotation_id>")
@blueprint.requires("write")
@blueprint.arguments(ContentSchema)
@blueprint.response(200, AnnotationDetailSchema)
def revise(content: dict[str, Any], annotation_id: UUID) -> dict[str, Any]:
    """Say it otherwise; what it said before is kept."""
    newest = queries.get_annotation_to_change(db(), team_id(), annotation_id)
    queries.revise(db(), newest, content, caller().name)
    return _describe(annotation_id)


@blueprint.delete("/annotations/<uuid:annotation_id>")
@blueprint.requires("write")
@blueprint.response(200, AnnotationDetailSchema)
def withdraw(annotation_id: UUID) -> dict[str, Any]:
    """Take it back: the unit no longer shows it, and what it said is kept."""
    queries.withdraw(db(), queries.get_annotation_to_change(db(), team_id(), annotation_id), caller().name)
    return _describe(annotation_id)


def _describe(annotation_id: UUID) -> dict[str, Any]:
    return describe_annotation(queries.get_annotation(db(), team_id(), annotation_id))
