"""The wire format of annotations."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.pagination import PageQuery

METHOD = "person"
"""What found a label that somebody wrote."""
MAX_NOTE = 10_000
NOTE = validate.Length(max=MAX_NOTE)
NAME = validate.Length(1, 256)


class NamedConceptSchema(Schema):
    """A concept as a person names it; no dataset needs to have it."""

    category = fields.String(required=True, validate=validate.Length(1, 64))
    concept = fields.String(required=True, validate=NAME)


class ContentSchema(Schema):
    """What is said of a unit: a label, a note or both."""

    label = fields.Nested(NamedConceptSchema, load_default=None, allow_none=True)
    note = fields.String(load_default="", validate=NOTE)

    @ma.post_load
    def make_content(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Turn the label into the columns of a version; refuse what says nothing."""
        if values["label"] is None and not values["note"].strip():
            raise ma.ValidationError("give a label, a note or both", "label")
        label = values["label"] or {"category": None, "concept": None}
        return {**label, "note": values["note"]}


class AnnotationsQuerySchema(PageQuery):
    """Which annotations are asked for."""

    model = fields.String(load_default=None, validate=NAME)
    layer = fields.String(load_default=None, validate=NAME)
    unit = fields.Integer(load_default=None, validate=validate.Range(0, 2**31 - 1))
    category = fields.String(load_default=None, validate=NAME)
    concept = fields.String(load_default=None, validate=NAME)
    author = fields.String(load_default=None, validate=NAME)


class WrittenLabelSchema(NamedConceptSchema):
    """A label that somebody wrote."""

    method = fields.String(required=True, metadata={"description": f"`{METHOD}`"})


class VersionSchema(Schema):
    """What was said at a time."""

    version = fields.Integer(required=True, metadata={"description": "counts from 1"})
    label = fields.Nested(WrittenLabelSchema, required=True, allow_none=True)
    note = fields.String(required=True)
    author = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    withdrawn = fields.Boolean(required=True, metadata={"description": "whether this version takes it all back"})


class AnnotationSchema(VersionSchema):
    """What somebody says of a unit, as its newest version has it."""

    id = fields.UUID(required=True)
    model = fields.String(required=True)
    layer = fields.String(required=True)
    unit = fields.Integer(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class AnnotationDetailSchema(AnnotationSchema):
    """The same with what was said before."""

    history = fields.List(
        fields.Nested(VersionSchema), required=True, metadata={"description": "the older versions, newest first"}
    )
