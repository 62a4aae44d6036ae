"""The request for an intervention."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.catalog.schemas import Real
from service.jobs.fields import Distinct, Segmentation
from service.jobs.latents import EVALUATING, RANKING, LatentsSchema
from service.jobs.requests.attack import OneOrMore
from service.jobs.requests.submission import MAX_LAYERS, SubmissionSchema
from service.painting.masks import MaskField
from service.painting.schemas import ConceptField
from service.results.interventions.tables import EACH_CELL, EVERYWHERE, INSERT, REMOVE

MAX_UNITS = 4096
MAX_SIZES = 64
MAX_DRAWS = 100
TOP = 20
"""Units of a concept that are changed, in the paper."""


def _document(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The JSON Schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class BestUnitsSchema(Schema):
    """The units of a layer that fit a concept best."""

    concept = ConceptField(required=True)
    top = fields.Integer(strict=True, load_default=TOP, validate=validate.Range(1, MAX_UNITS))
    job = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "The dissection that found them; null takes the newest of each layer."},
    )


class UnitsField(fields.Field[Any]):
    """A list of units, or a concept whose best ones are taken."""

    def __init__(self, **options: Any) -> None:
        unit = fields.Integer(strict=True, validate=validate.Range(0, 2**31 - 1))
        self._list = fields.List(unit, validate=[validate.Length(1, MAX_UNITS), Distinct()])
        listed = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True}
        best = _document({"concept": {}, "top": {"type": "integer", "minimum": 1}, "job": {}}, ["concept"])
        super().__init__(metadata={"anyOf": [listed, best]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            return self._list.deserialize(value, attr, data, **kwargs)
        if not isinstance(value, dict):
            raise ma.ValidationError('give a list of units, or {"concept": ..., "top": 20}')
        return BestUnitsSchema().load(value)


class QuantileSchema(Schema):
    """The level of a unit that so many of its values, over all latents and positions, do not exceed."""

    quantile = Real(required=True, validate=validate.Range(0, 1))


class ValueField(fields.Field[Any]):
    """What an inserted unit becomes: a number, or a quantile of its own."""

    def __init__(self, **options: Any) -> None:
        description = "Of an insertion: what each unit becomes; null takes each unit's own 0.995 quantile."
        number, nothing = {"type": "number"}, {"type": "null"}
        quantile = _document({"quantile": {"type": "number", "minimum": 0, "maximum": 1}}, ["quantile"])
        super().__init__(metadata={"description": description, "anyOf": [number, quantile, nothing]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            return QuantileSchema().load(value)
        return Real().deserialize(value, attr, data, **kwargs)


class MaskedSchema(Schema):
    """A part of the picture."""

    mask = MaskField(required=True)


class WhereField(fields.Field[Any]):
    """Where units are changed."""

    def __init__(self, **options: Any) -> None:
        description = "`everywhere`, in the cells that a `mask` over the picture touches, or at `each-cell` in turn."
        words, masked = {"enum": [EVERYWHERE, EACH_CELL]}, _document({"mask": {}}, ["mask"])
        super().__init__(metadata={"description": description, "anyOf": [words, masked]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value in (EVERYWHERE, EACH_CELL):
            return value
        if not isinstance(value, dict):
            raise ma.ValidationError(f'give "{EVERYWHERE}", "{EACH_CELL}" or {{"mask": ...}}')
        return MaskedSchema().load(value)


class RankingSchema(Schema):
    """How units are ranked by what each alone takes away."""

    candidates = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MAX_UNITS),
        metadata={"description": "Units of the concept that are tried; null tries those that are changed."},
    )
    latents = fields.Nested(
        LatentsSchema,
        load_default=lambda: dict(RANKING),
        metadata={"description": f"They share none with those that evaluate; {RANKING} unless told."},
    )
    share = Real(
        load_default=0.5,
        validate=validate.Range(0, 1, min_inclusive=False),
        metadata={
            "description": "The smallest set is searched that takes away this share of the concept's pixels: step by "
            "step the unit that takes away most beside those before.",
            "exclusiveMinimum": 0,
        },
    )


class FeaturesSchema(Schema):
    """A layer of a classifier, whose mean activations are the features of a picture."""

    model = fields.String(required=True, validate=validate.Length(1, 128))
    layer = fields.String(required=True, validate=validate.Length(1, 256))


class InterventionRequestSchema(SubmissionSchema):
    """An intervention: what a generator draws when some of its units are removed or inserted."""

    kind = fields.String(required=True, validate=validate.Equal("intervention"))
    layer = OneOrMore(
        1,
        MAX_LAYERS,
        required=True,
        metadata={"description": "A layer, or several, each changed by itself, to compare its units of a concept."},
    )
    latents = fields.Nested(
        LatentsSchema,
        load_default=lambda: dict(EVALUATING),
        metadata={"description": f"They share none with those that chose the units; {EVALUATING} unless told."},
    )
    segmentation = Segmentation(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "`colors`, `model:<name of a segmenter>` or several: what the pictures are searched for. "
            "null takes that of the dissection which chose the units, halves included; without one `colors`.",
        },
    )
    halves = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "Label the top, bottom, left and right half of each object as a part, too."},
    )
    grid = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(4, 512),
        metadata={
            "description": "Side of the grid that pixels are counted on; null: that of the picture, at most 256."
        },
    )
    units = UnitsField(required=True)
    target = ConceptField(
        "The concept that the units are changed for; null takes that of `units`, if any.",
        load_default=None,
        allow_none=True,
    )
    action = fields.String(
        load_default=REMOVE,
        validate=validate.OneOf([REMOVE, INSERT]),
        metadata={"description": "`remove`: units become 0."},
    )
    value = ValueField(load_default=None, allow_none=True)
    where = WhereField(load_default=EVERYWHERE)
    sizes = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, MAX_UNITS)),
        load_default=None,
        allow_none=True,
        validate=[validate.Length(1, MAX_SIZES), Distinct()],
        metadata={"description": "How many of the units are changed together. null takes a few; at each cell, all."},
    )
    random = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_DRAWS),
        metadata={"description": "Random sets of each size, for comparison; null draws 5, at each cell none."},
    )
    ranking = fields.Nested(RankingSchema, load_default=None, allow_none=True)
    realism = fields.Nested(
        FeaturesSchema,
        load_default=None,
        allow_none=True,
        metadata={"description": "What realism is told by; null takes the pictures' colours, shrunken to 8 x 8."},
    )
    keep = fields.Integer(
        strict=True,
        load_default=20,
        validate=validate.Range(0, 1000),
        metadata={"description": "Pictures that are kept before and after: the first that show what is removed."},
    )
