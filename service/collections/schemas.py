"""The wire format of collections."""

from marshmallow import fields, validate

from service.api import Schema
from service.collections.queries import MAX_UNITS
from service.results.schemas import NAME, UnitSchema

NOTE = validate.Length(max=10_000)
LONGEST_NAME = 128


class NamedUnitSchema(Schema):
    """A unit by its names, and what is to be said of it."""

    model = fields.String(required=True, validate=NAME)
    layer = fields.String(required=True, validate=NAME)
    unit = fields.Integer(required=True, strict=True, validate=validate.Range(0, 2**31 - 1))
    note = fields.String(load_default="", validate=NOTE)


class NewCollectionSchema(Schema):
    """A collection to be made."""

    name = fields.String(required=True, validate=validate.Length(1, LONGEST_NAME))
    note = fields.String(load_default="", validate=NOTE)
    units = fields.List(
        fields.Nested(NamedUnitSchema),
        load_default=[],
        validate=validate.Length(max=MAX_UNITS),
        metadata={"description": "in their order"},
    )


class ChangedCollectionSchema(NewCollectionSchema):
    """A collection as it shall be from now on."""

    version = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "of what this is a change of"},
    )


class CollectionSchema(Schema):
    """A collection of units."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    note = fields.String(required=True)
    author = fields.String(required=True)
    version = fields.Integer(required=True, metadata={"description": "grows with every change"})
    size = fields.Integer(required=True, metadata={"description": "the number of its units"})
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class CollectedUnitSchema(UnitSchema):
    """A unit in a collection, as its newest dissection saw it."""

    class Meta:  # noqa: D106
        exclude = ("match", "effect", "shift", "measured")

    note = fields.String(required=True)


class CollectionDetailSchema(CollectionSchema):
    """A collection with its units in their order."""

    units = fields.List(fields.Nested(CollectedUnitSchema), required=True)
