"""The wire format of comparisons and assertions."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.catalog.schemas import Real
from service.pagination import PageQuery
from service.results.comparing.assertions import BOUNDS, FIGURES
from service.results.comparing.queries import CHANGES
from service.results.schemas import NAME, LabelSchema

MAX_ASSERTIONS = 100
COUNT = validate.Range(0, 2**31 - 1)
CHANGE_WORDS = (
    "`gained`: no detector in a, one in b; `lost`: the other way round; `changed`: another concept in b, "
    "a detector in both or in neither"
)


class Layers:
    """The fields that choose which layers are compared."""

    layer_a = fields.String(
        load_default=None,
        validate=NAME,
        metadata={"description": "of a; without it the layers of one name in both, or the only ones"},
    )
    layer_b = fields.String(load_default=None, validate=NAME, metadata={"description": "of b"})


class LayersQuerySchema(Layers, Schema):
    """Which layers are compared."""


class ChangesQuerySchema(Layers, PageQuery):
    """Which changed units are asked for."""

    change = fields.String(load_default=None, validate=validate.OneOf(CHANGES), metadata={"description": CHANGE_WORDS})


class DifferenceSchema(Schema):
    """Something that the two jobs were asked differently."""

    name = fields.String(required=True, metadata={"description": "`model`, `dataset` or a param"})
    a = fields.Raw(required=True, allow_none=True)
    b = fields.Raw(required=True, allow_none=True)


class LayerFiguresSchema(Schema):
    """A layer's figures, as the job's summary has them."""

    layer = fields.String(required=True)
    units = fields.Integer(required=True)
    dead_units = fields.Integer(required=True)
    detectors = fields.Integer(required=True)
    mean_best_iou = fields.Float(required=True)
    distinct = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "concepts with a detector, by category"},
    )


class ConceptNameSchema(Schema):
    """A concept."""

    category = fields.String(required=True)
    concept = fields.String(required=True)


class ConceptFiguresSchema(Schema):
    """What a layer has of a concept."""

    units = fields.Integer(required=True, metadata={"description": "units that it labels"})
    detectors = fields.Integer(required=True)
    best_iou = fields.Float(
        required=True, allow_none=True, metadata={"description": "of any unit with it; null where no unit meets it"}
    )


class ComparedConceptSchema(ConceptNameSchema):
    """A concept in both layers."""

    a = fields.Nested(ConceptFiguresSchema, required=True)
    b = fields.Nested(ConceptFiguresSchema, required=True)


class ChangesSchema(Schema):
    """What became of the units' labels."""

    gained = fields.Integer(required=True, metadata={"description": "no detector in a, one in b"})
    lost = fields.Integer(required=True, metadata={"description": "a detector in a, none in b"})
    changed = fields.Integer(
        required=True, metadata={"description": "another concept in b, a detector in both or in neither"}
    )
    mean_iou_difference = fields.Float(required=True, metadata={"description": "of the labels' IoUs, without sign"})
    max_iou_difference = fields.Float(required=True)


class ComparedLayersSchema(Schema):
    """Two layers side by side."""

    a = fields.Nested(LayerFiguresSchema, required=True)
    b = fields.Nested(LayerFiguresSchema, required=True)
    concepts_gained = fields.List(
        fields.Nested(ConceptNameSchema), required=True, metadata={"description": "detected in b only"}
    )
    concepts_lost = fields.List(
        fields.Nested(ConceptNameSchema), required=True, metadata={"description": "detected in a only"}
    )
    concepts = fields.List(
        fields.Nested(ComparedConceptSchema), required=True, metadata={"description": "all that label a unit in either"}
    )
    by_unit = fields.Nested(
        ChangesSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null unless both are the same layer of one architecture"},
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class DiffSchema(Schema):
    """Two dissections side by side."""

    a = fields.UUID(required=True)
    b = fields.UUID(required=True)
    differences = fields.List(
        fields.Nested(DifferenceSchema), required=True, metadata={"description": "in what was asked for"}
    )
    layers = fields.List(fields.Nested(ComparedLayersSchema), required=True)
    only_in_a = fields.List(fields.String(), required=True, metadata={"description": "layers without a counterpart"})
    only_in_b = fields.List(fields.String(), required=True)


class UnitChangeSchema(Schema):
    """A unit whose label is another one in b."""

    layer = fields.String(required=True)
    unit = fields.Integer(required=True)
    change = fields.String(required=True, validate=validate.OneOf(CHANGES), metadata={"description": CHANGE_WORDS})
    a = fields.Nested(LabelSchema, required=True, allow_none=True)
    b = fields.Nested(LabelSchema, required=True, allow_none=True)
    iou_difference = fields.Float(required=True, metadata={"description": "b less a, 0 for no label"})


class NoLessThanSchema(Schema):
    """The same figure of another dissection, and how much less will do."""

    job = fields.UUID(required=True)
    layer = fields.String(allow_none=True, validate=NAME, metadata={"description": "null for one of the same name"})
    minus_percent = Real(load_default=0.0, validate=validate.Range(0, 100))


class NoMoreThanSchema(Schema):
    """The same figure of another dissection, and how much more will do."""

    job = fields.UUID(required=True)
    layer = fields.String(allow_none=True, validate=NAME, metadata={"description": "null for one of the same name"})
    plus_percent = Real(load_default=0.0, validate=validate.Range(0, 1_000_000))


class AssertionSchema(Schema):
    """What a figure of a layer shall be; of the four bounds one is given."""

    figure = fields.String(required=True, validate=validate.OneOf(FIGURES))
    layer = fields.String(required=True, validate=NAME)
    category = fields.String(
        allow_none=True, validate=NAME, metadata={"description": "count only `detectors` or `distinct` concepts of it"}
    )
    concept = fields.String(allow_none=True, validate=NAME, metadata={"description": "count only its `detectors`"})
    at_least = Real(validate=COUNT)
    at_most = Real(validate=COUNT)
    no_less_than = fields.Nested(NoLessThanSchema)
    no_more_than = fields.Nested(NoMoreThanSchema)

    @ma.validates_schema
    def check_bound(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse none and several."""
        given = [bound for bound in BOUNDS if bound in data]
        if len(given) != 1:
            raise ma.ValidationError(f"give exactly one of {', '.join(BOUNDS)}")

    @ma.validates_schema
    def check_filters(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse to count a part of what has no parts."""
        for name, figures in (("category", ("detectors", "distinct")), ("concept", ("detectors",))):
            if data.get(name) is not None and data["figure"] not in figures:
                detail = f"only {' and '.join(figures)} can be counted by {name}, not {data['figure']}"
                raise ma.ValidationError(detail, name)


class AssertionsSchema(Schema):
    """What is asserted of a dissection."""

    assertions = fields.List(fields.Nested(AssertionSchema), required=True, validate=validate.Length(1, MAX_ASSERTIONS))


class JudgedSchema(AssertionSchema):
    """An assertion, and whether it holds."""

    passed = fields.Boolean(required=True)
    actual = fields.Float(required=True)
    expected = fields.Float(required=True)
    detail = fields.String(required=True, metadata={"description": "both figures in words"})


class VerdictSchema(Schema):
    """Whether all assertions hold, and each of them."""

    passed = fields.Boolean(required=True)
    assertions = fields.List(fields.Nested(JudgedSchema), required=True)
