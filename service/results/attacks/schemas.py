"""The wire format of attacked images, and of what is known of an image."""

from marshmallow import fields, validate

from service.api import Schema
from service.pagination import PageQuery
from service.results.attacks.class_queries import MOST_SOURCES
from service.results.attacks.tables import OUTCOMES
from service.results.schemas import NAME, UnitSchema

_DISTANCE = "of the attacked image, pixels from 0 to 1; null unless the attack succeeded"


class AttacksQuerySchema(PageQuery):
    """Which attacked images are asked for."""

    model = fields.String(load_default=None, validate=NAME)
    source = fields.String(
        load_default=None, validate=NAME, metadata={"description": "what the network took the image for before"}
    )
    target = fields.String(
        load_default=None, validate=NAME, metadata={"description": "what the network was to take it for"}
    )
    outcome = fields.String(load_default=None, validate=validate.OneOf(OUTCOMES))
    job = fields.UUID(load_default=None, metadata={"description": "an attack"})


class AttackedImageSchema(Schema):
    """What an attack did to an image."""

    model = fields.String(required=True)
    job = fields.UUID(required=True)
    method = fields.String(required=True)
    position = fields.Integer(required=True, metadata={"description": "of the image in the attack with its target"})
    image = fields.String(required=True)
    digest = fields.String(required=True, metadata={"description": "sha256 of the image's file"})
    true = fields.String(required=True, metadata={"description": "the class that the dataset says"})
    source = fields.String(required=True, metadata={"description": "what the network takes the image for as it was"})
    target = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "what it was to take the attacked image for; null: for anything else"},
    )
    result = fields.String(
        required=True,
        metadata={"description": "what it takes the attacked image for; of one that was not changed the source"},
    )
    outcome = fields.String(
        required=True,
        validate=validate.OneOf(OUTCOMES),
        metadata={
            "description": "`already_target`: it took the image for the target as it was. `misclassified`: it did not "
            "take it for what it is, so that there was nothing to do."
        },
    )
    l2 = fields.Float(required=True, allow_none=True, metadata={"description": _DISTANCE})
    linf = fields.Float(required=True, allow_none=True, metadata={"description": _DISTANCE})
    restored_by = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(allow_none=True),
        required=True,
        allow_none=True,
        metadata={
            "description": "by layer the fewest of the units moved most that bring the prediction back when silenced, "
            "null where none of the sizes tried does; null unless the attack succeeded"
        },
    )
    transfers = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String(), validate=validate.Length(equal=2)),
        required=True,
        allow_none=True,
        metadata={"description": "what other models take the image for, before and after; null as restored_by"},
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "with `original`, `adversarial` and `picture` where these are kept"},
    )


class PredictionSchema(Schema):
    """What a model takes an image for."""

    model = fields.String(required=True)
    class_name = fields.String(data_key="class", required=True)


class TopUnitSchema(UnitSchema):
    """A unit that an image is among the top images of."""

    class Meta:  # noqa: D106
        exclude = ("match", "effect", "shift", "measured")

    rank = fields.Integer(required=True, metadata={"description": "1 where it is the image of the highest peak"})
    peak = fields.Float(required=True)


class ImageSchema(Schema):
    """What is known of an image."""

    digest = fields.String(required=True, metadata={"description": "sha256 of the image's file"})
    names = fields.List(fields.String(), required=True, metadata={"description": "that the datasets call it"})
    predictions = fields.List(
        fields.Nested(PredictionSchema), required=True, metadata={"description": "of the models that were attacked"}
    )
    attacks = fields.List(
        fields.Nested(AttackedImageSchema), required=True, metadata={"description": "on the image, newest first"}
    )
    top_units = fields.List(
        fields.Nested(TopUnitSchema),
        required=True,
        metadata={"description": "units that peak on it by their layers' newest dissections, lowest rank first"},
    )


class MeanSchema(Schema):
    """A mean over images."""

    images = fields.Integer(required=True)
    mean = fields.Float(required=True)
    low = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "with high the 99 % interval over images; null of a single image"},
    )
    high = fields.Float(required=True, allow_none=True)


class GroupSchema(MeanSchema):
    """Peak activations of a group of units, attacked minus original, in the mean over units and images."""

    absolute_mean = fields.Float(required=True, metadata={"description": "of how far each unit moved, up or down"})
    absolute_low = fields.Float(required=True, allow_none=True, metadata={"description": "as low, of absolute_mean"})
    absolute_high = fields.Float(required=True, allow_none=True)


class GroupsSchema(Schema):
    """The four units most important to what each image became, to what it was before, and all others."""

    target = fields.Nested(GroupSchema, required=True, allow_none=True)
    source = fields.Nested(GroupSchema, required=True, allow_none=True)
    others = fields.Nested(GroupSchema, required=True, allow_none=True)


class MostMovedSchema(MeanSchema):
    """Share of important units among the ten moved most, in the mean over images."""

    chance = fields.Float(required=True, metadata={"description": "the share among ten random units"})


class MoveSchema(Schema):
    """How an attack moved a unit, over the images on which it succeeded."""

    unit = fields.Integer(required=True)
    mean_peak_change = fields.Float(required=True)
    mean_peak_change_low = fields.Float(required=True, allow_none=True)
    mean_peak_change_high = fields.Float(required=True, allow_none=True)
    rank = fields.Integer(required=True, metadata={"description": "1 for the layer's unit moved most, up or down"})


class ClassAttackSchema(Schema):
    """An attack as a class saw it; groups and units are over all images that it fooled."""

    job = fields.UUID(required=True)
    method = fields.String(required=True)
    target = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "null for any other class, `least-likely` for each image's own"},
    )
    images = fields.Integer(required=True, metadata={"description": "that were tried"})
    succeeded = fields.Integer(required=True)
    success_rate = fields.Float(required=True)
    mean_l2 = fields.Float(
        required=True, allow_none=True, metadata={"description": "where it succeeded; null where it never did"}
    )
    groups = fields.Nested(
        GroupsSchema, required=True, allow_none=True, metadata={"description": "null without an ablation"}
    )
    most_moved = fields.Nested(MostMovedSchema, required=True, allow_none=True, metadata={"description": "as groups"})
    units = fields.List(
        fields.Nested(MoveSchema), required=True, metadata={"description": "those that explain the class"}
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ClassAttacksSchema(Schema):
    """The newest attacks that watched the layer, as a class saw them."""

    as_target = fields.Nested(
        ClassAttackSchema, required=True, allow_none=True, metadata={"description": "towards the class"}
    )
    as_source = fields.List(
        fields.Nested(ClassAttackSchema),
        required=True,
        metadata={
            "description": "with each other target, on images that were taken for the class, counted alone; at most "
            f"{MOST_SOURCES}, those that fooled most of them first"
        },
    )
