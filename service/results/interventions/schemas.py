"""The wire format of what interventions did."""

from marshmallow import fields, validate

from service.api import Schema
from service.pagination import PageQuery
from service.results.interventions.tables import EACH_CELL, EVERYWHERE, INSERT, MASK, ORDERS, REMOVE
from service.results.schemas import NAME

_RANDOM = "by random sets of the same size, null where none were drawn"


class InterventionsQuerySchema(PageQuery):
    """Which changes are asked for."""

    model = fields.String(load_default=None, validate=NAME)
    layer = fields.String(load_default=None, validate=NAME)
    target = fields.String(
        load_default=None, validate=NAME, metadata={"description": "the concept that units were changed for"}
    )
    concept = fields.String(
        load_default=None, validate=NAME, metadata={"description": "the concept whose pixels changed; null takes all"}
    )
    category = fields.String(load_default=None, validate=NAME, metadata={"description": "of that concept"})
    action = fields.String(load_default=None, validate=validate.OneOf([REMOVE, INSERT]))
    order = fields.String(load_default=None, validate=validate.OneOf(ORDERS))
    size = fields.Integer(load_default=None, validate=validate.Range(1, 2**31 - 1))
    job = fields.UUID(load_default=None, metadata={"description": "an intervention"})


class TargetSchema(Schema):
    """A concept."""

    category = fields.String(required=True)
    concept = fields.String(required=True)


class RandomChangeSchema(Schema):
    """What random sets of units did to the concept."""

    change = fields.Float(required=True, metadata={"description": "the mean over the sets"})
    change_low = fields.Float(required=True, metadata={"description": "with change_high the range of 90 % of them"})
    change_high = fields.Float(required=True)


class PixelChangeSchema(Schema):
    """What changing a set of units did to the pixels of a concept."""

    model = fields.String(required=True)
    layer = fields.String(required=True)
    job = fields.UUID(required=True)
    action = fields.String(required=True, validate=validate.OneOf([REMOVE, INSERT]))
    where = fields.String(required=True, validate=validate.OneOf([EVERYWHERE, MASK, EACH_CELL]))
    target = fields.Nested(TargetSchema, required=True, allow_none=True)
    order = fields.String(
        required=True,
        validate=validate.OneOf(ORDERS),
        metadata={
            "description": "which units are taken first: as they were listed, by `iou` with the target, by the "
            "`effect` of each alone on other latents, or step by step the one that takes most away (`greedy`)"
        },
    )
    size = fields.Integer(required=True, metadata={"description": "the first so many units of the order"})
    category = fields.String(required=True)
    concept = fields.String(required=True)
    pictures = fields.Integer(required=True, metadata={"description": "that show the concept untouched"})
    pixels_before = fields.Integer(
        required=True, metadata={"description": "of the untouched pictures; at each cell, once for every cell"}
    )
    pixels_after = fields.Integer(required=True)
    change = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "relative to the pixels before; null where no untouched picture shows the concept"},
    )
    change_low = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "with change_high the 99 % interval over pictures; null where too few show the concept"
        },
    )
    change_high = fields.Float(required=True, allow_none=True)
    random = fields.Nested(RandomChangeSchema, required=True, allow_none=True, metadata={"description": _RANDOM})
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
