"""The wire format of what a class is told apart by."""

from marshmallow import fields, validate

from service.api import Schema
from service.results.attacks.schemas import ClassAttacksSchema
from service.results.effects.explanation import NATURES, SIZES
from service.results.schemas import NAME, UnitSchema

MOST_UNITS = 50
"""Of each class an ablation keeps as many."""


def _figure(description: str, *, none: bool = False) -> fields.Float:
    return fields.Float(required=True, allow_none=none, metadata={"description": description})


class ExplanationQuerySchema(Schema):
    """Which ablation explains the class, and by how many units."""

    model = fields.String(
        load_default=None, validate=NAME, metadata={"description": "needed where several models have the class"}
    )
    layer = fields.String(
        load_default=None, validate=NAME, metadata={"description": "needed where several layers were ablated"}
    )
    job = fields.UUID(load_default=None, metadata={"description": "an ablation, instead of the newest of the layer"})
    units = fields.Integer(
        load_default=10,
        validate=validate.Range(1, MOST_UNITS),
        metadata={"description": "how many of the most important units are shown"},
    )


class UntouchedSchema(Schema):
    """The class's figures in the whole network, on the evaluation images."""

    recall = fields.Float(required=True)
    true_negative_rate = fields.Float(required=True)
    balanced_accuracy = _figure("from the argmax over all classes, one class against the rest")
    all_class_accuracy = _figure("mean recall; null where no sets of units were removed for the class", none=True)
    auroc = _figure("of the margin of the class's logit over the highest other one")
    rechosen_balanced_accuracy = _figure(
        "at the margin chosen on the ranking images; null where no sets were removed", none=True
    )


class RemovedSchema(Schema):
    """The class without a set of units, on the evaluation images."""

    balanced_accuracy = _figure("from the argmax")
    change = _figure("of it, removed minus untouched")
    change_low = _figure("lower end of its 95 % interval; null where the class has a single image", none=True)
    change_high = _figure("upper end", none=True)
    all_class_accuracy = fields.Float(required=True)
    auroc = _figure("whatever the threshold")
    rechosen_balanced_accuracy = _figure("at the margin chosen on the ranking images, without the units, too")
    rechosen_change = _figure("of it, removed minus untouched")


class BandSchema(Schema):
    """A figure over random sets: its mean, and the band that holds 90 % of them."""

    mean = fields.Float(required=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)


class RandomSchema(Schema):
    """The class without random sets of units of the same size."""

    balanced_accuracy = fields.Nested(BandSchema, required=True)
    all_class_accuracy = fields.Nested(BandSchema, required=True)
    auroc = fields.Nested(BandSchema, required=True)
    rechosen_balanced_accuracy = fields.Nested(BandSchema, required=True)


class RemovingSchema(Schema):
    """What removing sets of one size does to the class."""

    size = fields.Integer(required=True, metadata={"description": "of those that were removed, the nearest"})
    most = fields.Nested(RemovedSchema, required=True, metadata={"description": "the most important units"})
    least = fields.Nested(RemovedSchema, required=True, metadata={"description": "the least important units"})
    all_but = fields.Nested(RemovedSchema, required=True, metadata={"description": "all but the most important"})
    random = fields.Nested(RandomSchema, required=True)
    nature = fields.String(
        required=True,
        validate=validate.OneOf(NATURES),
        metadata={
            "description": "of the drop without the most important units: `shift` of the score, which another "
            "threshold makes good, `loss`, which none does, or `both`; `none` where there is no drop beyond chance"
        },
    )
    verdict = fields.String(required=True, metadata={"description": "the same in words"})


class GatheredSchema(Schema):
    """A concept that labels units among those shown."""

    category = fields.String(required=True)
    concept = fields.String(required=True)
    units = fields.Integer(required=True)
    detectors = fields.Integer(required=True)
    accuracy_change = _figure("of the class, summed over the units, each removed alone")


class ExplanationSchema(Schema):
    """What a class is told apart by, in one layer."""

    model = fields.String(required=True)
    layer = fields.String(required=True)
    class_name = fields.String(data_key="class", required=True)
    images = fields.Integer(required=True, metadata={"description": "of the class, among the evaluation images"})
    untouched = fields.Nested(UntouchedSchema, required=True)
    important_units = fields.Integer(
        required=True, metadata={"description": "units whose removal lowers the balanced accuracy beyond chance"}
    )
    units = fields.List(
        fields.Nested(UnitSchema), required=True, metadata={"description": "those that damage the class most"}
    )
    concepts = fields.List(
        fields.Nested(GatheredSchema), required=True, metadata={"description": "their labels, most damage first"}
    )
    removing = fields.Dict(
        keys=fields.String(validate=validate.OneOf([str(size) for size in SIZES])),
        values=fields.Nested(RemovingSchema),
        required=True,
        metadata={"description": "by the number of units that one would remove; empty where no sets were removed"},
    )
    nature = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*NATURES, None]),
        metadata={"description": "that of the largest set; null where no sets were removed"},
    )
    verdict = fields.String(required=True)
    attacks = fields.Nested(ClassAttacksSchema, required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
