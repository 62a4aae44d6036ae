"""The wire format of paintings."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.catalog.schemas import OutputSchema, Real
from service.jobs.fields import Distinct, Segmentation
from service.pagination import PageQuery
from service.painting.masks import MaskField
from service.painting.tables import PAINTING_STATES

MAX_STROKES = 64
MAX_UNITS = 4096
MAX_LATENT = 2**14
MAX_INDEX = 10**6 - 1
DRAW, ERASE = "draw", "erase"
TOP = 20
"""Units that a stroke takes of a concept (Bau et al., PNAS 2020)."""


class ConceptField(fields.Field[dict[str, str | None]]):
    """A concept by its name, or by category and name; read as {"category", "name"}, without a category as None."""

    def __init__(self, description: str = "A name, or a category and a name.", **options: Any) -> None:
        name = {"type": "string", "minLength": 1, "maxLength": 256}
        both = {
            "type": "object",
            "properties": {"category": {"type": "string", "minLength": 1}, "name": name},
            "required": ["category", "name"],
            "additionalProperties": False,
        }
        forms = [name, both, *([{"type": "null"}] if options.get("allow_none") else [])]
        super().__init__(metadata={"description": description, "anyOf": forms}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str | None]:
        if isinstance(value, str) and 1 <= len(value) <= 256:
            return {"category": None, "name": value}
        if not isinstance(value, dict):
            raise ma.ValidationError('neither a name nor {"category": ..., "name": ...}')
        named: dict[str, str | None] = OutputSchema().load(value)
        return named


class LatentSchema(Schema):
    """What a picture is drawn from: one of a seed's latents, or a vector."""

    seed = fields.Integer(strict=True, validate=validate.Range(0, 2**32 - 1))
    index = fields.Integer(strict=True, validate=validate.Range(0, MAX_INDEX))
    vector = fields.List(Real(), validate=validate.Length(1, MAX_LATENT))

    @ma.validates_schema
    def check_form(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse what is neither."""
        if data.keys() not in ({"seed", "index"}, {"vector"}):
            raise ma.ValidationError('give {"seed": ..., "index": ...} or {"vector": [...]}')


class StrokeSchema(Schema):
    """One stroke: which units, what becomes of them, and where."""

    concept = ConceptField(load_default=None, allow_none=True)
    top = fields.Integer(
        strict=True,
        validate=validate.Range(1, MAX_UNITS),
        metadata={"description": f"How many of the concept's best units by IoU; {TOP} unless told."},
    )
    units = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, 2**31 - 1)),
        validate=[validate.Length(max=MAX_UNITS), Distinct()],
        metadata={"description": "These units instead of a concept's best; the concept then only says what is meant."},
    )
    values = fields.List(
        Real(),
        allow_none=True,
        validate=validate.Length(max=MAX_UNITS),
        metadata={"description": "What each of the units is drawn as; null: as the 0.99 quantile of its activation."},
    )
    action = fields.String(required=True, validate=validate.OneOf([DRAW, ERASE]))
    mask = MaskField(required=True)
    strength = Real(
        load_default=1.0,
        validate=validate.Range(0, 1),
        metadata={"description": "0 leaves the units as they are, 1 sets them."},
    )

    @ma.validates_schema
    def check_units(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a stroke of nothing, one that says twice which units, and values that do not belong to the units."""
        if data["concept"] is None and "units" not in data:
            raise ma.ValidationError("name a concept or units")
        if "top" in data and "units" in data:
            raise ma.ValidationError("`top` counts the best units of a concept, and the units are named", "top")
        values = data.get("values")
        if values is not None and (data["action"] == ERASE or len(values) != len(data.get("units", []))):
            raise ma.ValidationError("one value is needed for each of the named units, and none to erase", "values")


class PaintingRequestSchema(Schema):
    """Strokes over one picture of a generator. The `document` of a painting is such a request and paints it again."""

    latent = fields.Nested(LatentSchema, required=True)
    layer = fields.String(required=True, validate=validate.Length(1, 256))
    strokes = fields.List(
        fields.Nested(StrokeSchema),
        required=True,
        validate=validate.Length(max=MAX_STROKES),
        metadata={"description": "In their order, each over what the earlier ones left."},
    )
    segmentation = Segmentation(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "`colors`, `model:<name of a segmenter>` or a list of them: what the pictures are searched "
            "for. null takes that of the dissection, without one `colors`.",
        },
    )
    dissection = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "Job that found the concepts' units; null takes the layer's newest."},
    )


class InlineSchema(Schema):
    """Whether the answer brings the pictures along."""

    inline = fields.Boolean(
        load_default=False,
        truthy={"true", "1"},
        falsy={"false", "0"},
        metadata={"description": "Give `pictures` as data URLs."},
    )


class PaintingsQuerySchema(PageQuery):
    """Which paintings are asked for."""

    model = fields.String(load_default=None, validate=validate.Length(1, 128))


class CountSchema(Schema):
    """Pixels that show a concept."""

    before = fields.Integer(required=True)
    after = fields.Integer(required=True)


class ChangeSchema(OutputSchema):
    """A concept's pixels inside and outside of the strokes' masks."""

    inside = fields.Nested(CountSchema, required=True)
    outside = fields.Nested(CountSchema, required=True)


class StrokeResultSchema(Schema):
    """What a stroke touched."""

    units = fields.Integer(required=True)
    cells = fields.Integer(required=True, metadata={"description": "of the layer's map that it touched"})
    of = fields.Integer(required=True, metadata={"description": "cells that the map has"})


class ResultSchema(Schema):
    """What strokes did."""

    grid = fields.Integer(required=True, metadata={"description": "side of the grid that pixels are counted on"})
    concepts = fields.List(
        fields.Nested(ChangeSchema),
        required=True,
        metadata={"description": "all that either picture shows, most changed first"},
    )
    strokes = fields.List(fields.Nested(StrokeResultSchema), required=True)


class PaintingSchema(Schema):
    """Strokes over a picture, and what they did."""

    id = fields.UUID(required=True)
    model = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(PAINTING_STATES))
    document = fields.Dict(
        required=True,
        metadata={"description": "the request with units, values and masks spelt out; it paints the same"},
    )
    warnings = fields.List(fields.String(), required=True)
    result = fields.Nested(ResultSchema, required=True, allow_none=True)
    pictures = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "`edited` and `unedited` as data URLs of PNG; null unless `inline` asks for them"},
    )
    error = fields.Dict(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "with `edited` and `unedited`, PNG, once painted"},
    )
