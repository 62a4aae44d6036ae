"""The wire format of units and of what they detect."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.annotations.schemas import AnnotationDetailSchema
from service.api import Schema
from service.pagination import PageQuery, PageRequest
from service.results.effects.search_queries import EFFECT_SORTS
from service.results.search_queries import ANY_METHOD, SORTS
from service.results.tables import IMPORTED_METHODS, OWN_METHOD

NAME = validate.Length(1, 256)
_LOW = "lower end of the 95 % interval; null where the class has a single image"
_HIGH = "upper end"


def _score(description: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": description})


class UnitsQuerySchema(PageQuery):
    """Which units are asked for."""

    model = fields.String(load_default=None, validate=NAME)
    layer = fields.String(load_default=None, validate=NAME)
    concept = fields.String(load_default=None, validate=NAME, metadata={"description": "in any category"})
    category = fields.String(load_default=None, validate=NAME)
    class_name = fields.String(
        data_key="class",
        load_default=None,
        validate=NAME,
        metadata={"description": "units with an effect on this class of any model, most damaging first"},
    )
    job = fields.UUID(
        load_default=None,
        metadata={
            "description": "a dissection or an import, or with a class an ablation; without it the newest of each "
            "layer answer"
        },
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
        load_default=None,
        validate=validate.OneOf([f"{sign}{name}" for name in {**SORTS, **EFFECT_SORTS} for sign in ("", "-")]),
        metadata={"description": "`effect`, the rank of the damage, where a class is named, else `-iou`"},
    )

    @ma.validates_schema
    def check_class(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse what makes no sense without a class, or with one."""
        sort = (values["sort"] or "").removeprefix("-")
        if values["class_name"] is None and sort in EFFECT_SORTS.keys() - SORTS.keys():
            raise ma.ValidationError(f"an {sort} is one on a class; name it, as in class=beach", "sort")
        if values["class_name"] is not None and values["method"] == ANY_METHOD:
            raise ma.ValidationError("a unit's effect stands beside one label; name the method that found it", "method")

    @ma.post_load
    def make_request(self, values: dict[str, Any], **_: Any) -> PageRequest:
        """Turn the query string into a PageRequest, sorted by what was asked for."""
        values["sort"] = values["sort"] or ("-iou" if values["class_name"] is None else "effect")
        request: PageRequest = super().make_request(values)
        return request


class UnitQuerySchema(Schema):
    """Which job's view of a unit is asked for."""

    job = fields.UUID(
        load_default=None, metadata={"description": "a dissection, an import or an ablation, instead of the newest"}
    )


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


class EffectSchema(Schema):
    """What removing a unit does to a class; changes are removed minus untouched, on the evaluation images."""

    class_name = fields.String(data_key="class", required=True)
    rank = fields.Integer(
        required=True, metadata={"description": "1 for the unit that damages the class most, on the ranking images"}
    )
    accuracy_change = fields.Float(required=True, metadata={"description": "of the class's balanced accuracy"})
    accuracy_change_low = _score(_LOW)
    accuracy_change_high = _score(_HIGH)
    uncertain = fields.Boolean(required=True, metadata={"description": "the interval holds 0, or there is none"})
    recall_change = fields.Float(required=True)
    log_probability_change = fields.Float(required=True)
    p_value_corrected = fields.Float(required=True)
    coactivation = _score("correlation of the unit's peak with the class's probability; null where either is constant")


class StoredEffectSchema(EffectSchema):
    """The same with all that an ablation keeps of the pair."""

    class_rank = fields.Integer(
        required=True, metadata={"description": "1 for the class that the unit damages most, on the ranking images"}
    )
    ranking_change = fields.Float(required=True, metadata={"description": "of the balanced accuracy there"})
    ranking_log_probability_change = fields.Float(required=True)
    recall_change_low = _score(_LOW)
    recall_change_high = _score(_HIGH)
    true_negative_rate_change = fields.Float(required=True)
    true_negative_rate_change_low = _score(_LOW)
    true_negative_rate_change_high = _score(_HIGH)
    p_value = fields.Float(required=True, metadata={"description": "of accuracy_change, exact and paired"})


class ShiftSchema(Schema):
    """How the newest attack with a target moved a unit, over the images on which it succeeded."""

    attack = fields.UUID(required=True, metadata={"description": "the job"})
    target = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "null for any other class, `least-likely` for each image's own"},
    )
    mean_peak_change = fields.Float(
        required=True, metadata={"description": "of the unit's peak activation, attacked minus original"}
    )
    mean_peak_change_low = _score("lower end of the 99 % interval over images; null of a single image")
    mean_peak_change_high = _score("upper end")
    rank = fields.Integer(required=True, metadata={"description": "1 for the layer's unit moved most, up or down"})


class MeasuredSchema(Schema):
    """What removing the unit alone did to the pixels of the concept that was asked for, in a generator's pictures."""

    intervention = fields.UUID(required=True, metadata={"description": "the job, the newest that measured it"})
    change = _score("relative to the untouched pictures; null where none of them shows the concept")
    change_low = _score("lower end of the 99 % interval over pictures; null where too few show the concept")
    change_high = _score("upper end")
    rank = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "1 for the unit that takes most away on other latents; null where none were ranked"},
    )


class UnitSchema(Schema):
    """A unit of a layer of a model."""

    model = fields.String(required=True)
    layer = fields.String(required=True)
    unit = fields.Integer(required=True)
    threshold = fields.Float(required=True, allow_none=True)
    label = fields.Nested(FoundLabelSchema, required=True, allow_none=True)
    match = fields.Nested(MatchSchema, allow_none=True, metadata={"description": "the concept that was asked for"})
    effect = fields.Nested(EffectSchema, metadata={"description": "on the class that was asked for"})
    shift = fields.Nested(
        ShiftSchema, metadata={"description": "by an attack whose target is that class, where one watched the layer"}
    )
    measured = fields.Nested(
        MeasuredSchema,
        metadata={"description": "of the concept asked for, where an intervention removed the unit"},
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class UnitDetailSchema(UnitSchema):
    """All that was found of a unit."""

    class Meta:  # noqa: D106
        exclude = ("match", "effect", "shift", "measured")

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
    importance = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "classes that have the unit among their four most damaging; null if never ablated"},
    )
    accuracy_change = _score("of the all-class accuracy, when the unit is removed; null if never ablated")
    accuracy_change_low = _score(_LOW)
    accuracy_change_high = _score(_HIGH)
    effects = fields.List(
        fields.Nested(StoredEffectSchema),
        required=True,
        metadata={"description": "on the classes that are kept of it, most damaged first"},
    )
    attacks = fields.List(
        fields.Nested(ShiftSchema),
        required=True,
        metadata={"description": "the newest attack with each target that watched it, what moved it most first"},
    )
    annotations = fields.List(
        fields.Nested(AnnotationDetailSchema), required=True, metadata={"description": "what people say of it"}
    )


class ConceptSchema(Schema):
    """A concept with the numbers of units that it labels and of those of them that are its detectors."""

    category = fields.String(required=True)
    name = fields.String(required=True)
    units = fields.Integer(required=True)
    detectors = fields.Integer(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
