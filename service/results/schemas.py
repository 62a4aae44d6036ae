"""The wire format of units and of what they detect."""

from marshmallow import fields, validate

from service.api import Schema
from service.pagination import PageQuery
from service.results.search_queries import ANY_METHOD, SORTS
from service.results.tables import IMPORTED_METHODS, OWN_METHOD

NAME = validate.Length(1, 256)


def _score(description: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": description})


class UnitsQuerySchema(PageQuery):
    """Which units are asked for."""

    model = fields.String(load_default=None, validate=NAME)
    layer = fields.String(load_default=None, validate=NAME)
    concept = fields.String(load_default=None, validate=NAME, metadata={"description": "in any category"})
    category = fields.String(load_default=None, validate=NAME)
    job = fields.UUID(
        load_default=None,
        metadata={"description": "a dissection or an import; without it the newest of each layer answers"},
    )
    method = fields.String(
        load_default=OWN_METHOD,
        validate=validate.OneOf([OWN_METHOD, *IMPORTED_METHODS, ANY_METHOD]),
        metadata={"description": "what found the labels: a dissection here, or the tool whose results were imported"},
    )
    min_iou = fields.Float(load_default=None, validate=validate.Range(0, 1))
    detectors = fields.Boolean(
        load_default=False, metadata={"description": "only units whose label, the concept if one is named, is detected"}
    )
    sort = fields.String(
        load_default="-iou", validate=validate.OneOf([f"{sign}{name}" for name in SORTS for sign in ("", "-")])
    )


class UnitQuerySchema(Schema):
    """Which dissection of a unit is asked for."""

    job = fields.UUID(load_default=None, metadata={"description": "a dissection, or an import, instead of the newest"})


class ConceptsQuerySchema(PageQuery):
    """Which concepts are asked for."""

    category = fields.String(load_default=None, validate=NAME)
    q = fields.String(load_default=None, validate=NAME, metadata={"description": "a part of the name"})


class MatchSchema(Schema):
    """A concept and how well a unit fits it."""

    category = fields.String(required=True)
    concept = fields.String(required=True)
    iou = fields.Float(
        required=True, allow_none=True, metadata={"description": "null by a method that measures similarity"}
    )


class LabelSchema(MatchSchema):
    """A unit's best concept."""

    detector = fields.Boolean(required=True)


class FoundLabelSchema(LabelSchema):
    """A unit's best concept, and what found it."""

    method = fields.String(required=True, metadata={"description": "`dissection`, or the tool that it comes from"})
    similarity = _score("of unit and concept, by a method that measures no IoU")


class StoredLabelSchema(MatchSchema):
    """One of the concepts that a unit fits best."""

    rank = fields.Integer(required=True, metadata={"description": "1 for the label"})
    intersection = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "grid cells of both unit and concept, or what else the method counts"},
    )
    union = fields.Integer(required=True, allow_none=True, metadata={"description": "of either"})
    iou_low = _score("with iou_high the 95 % bootstrap interval over images; of the label alone")
    iou_high = _score("see iou_low")
    activated_share = _score("share of the unit's grid cells that carry the concept")
    average_precision = _score("of the unit's peak as a score for the concept's presence in the image")
    auroc = _score("of the same")
    equal_error_threshold = _score("peak above which the concept is said to be there, with equal error rates")
    balanced_accuracy = _score("of the unit as a classifier of the concept's presence at that threshold")
    p_value = _score("of the IoU against masks shuffled among images; with the control `permutation`")
    p_value_corrected = _score("the same, corrected over all units and concepts of the layer")


class HistogramSchema(Schema):
    """Peaks of a unit over the images, split by whether they show its label's concept."""

    edges = fields.List(fields.Float(), required=True, metadata={"description": "of the bins, one more than counts"})
    shown = fields.List(fields.Integer(), data_key="with", required=True)
    hidden = fields.List(fields.Integer(), data_key="without", required=True)


class TopImageSchema(Schema):
    """An image on which a unit peaks."""

    image = fields.String(required=True)
    digest = fields.String(required=True)
    peak = fields.Float(required=True)


class HistorySchema(Schema):
    """A unit in one of the dissections of its layer."""

    job = fields.UUID(required=True)
    current = fields.Boolean(required=True)
    threshold = fields.Float(required=True, allow_none=True)
    label = fields.Nested(FoundLabelSchema, required=True, allow_none=True)


class ImportedSchema(Schema):
    """What another tool found of a unit."""

    job = fields.UUID(required=True)
    label = fields.Nested(FoundLabelSchema, required=True, allow_none=True)


class UnitSchema(Schema):
    """A unit of a layer of a model."""

    model = fields.String(required=True)
    layer = fields.String(required=True)
    unit = fields.Integer(required=True)
    threshold = fields.Float(required=True, allow_none=True)
    label = fields.Nested(FoundLabelSchema, required=True, allow_none=True)
    match = fields.Nested(MatchSchema, allow_none=True, metadata={"description": "the concept that was asked for"})
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class UnitDetailSchema(UnitSchema):
    """All that a dissection found of a unit."""

    class Meta:  # noqa: D106
        exclude = ("match",)

    active = fields.Integer(
        required=True, allow_none=True, metadata={"description": "grid cells above the threshold, over all images"}
    )
    peak = fields.Float(required=True, allow_none=True)
    labels = fields.List(fields.Nested(StoredLabelSchema), required=True)
    histogram = fields.Nested(HistogramSchema, required=True, allow_none=True)
    top_images = fields.List(fields.Nested(TopImageSchema), required=True)
    history = fields.List(fields.Nested(HistorySchema), required=True)
    imported = fields.List(
        fields.Nested(ImportedSchema),
        required=True,
        metadata={"description": "the newest import of each tool's results"},
    )


class ConceptSchema(Schema):
    """A concept with the numbers of units that it labels and of those of them that are its detectors."""

    category = fields.String(required=True)
    name = fields.String(required=True)
    units = fields.Integer(required=True)
    detectors = fields.Integer(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
