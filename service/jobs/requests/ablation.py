"""The request for an ablation."""

from marshmallow import fields, validate

from service.jobs.ablation import SIZES
from service.jobs.fields import AllOr
from service.jobs.requests.submission import SubmissionSchema


class AblationRequestSchema(SubmissionSchema):
    """An ablation: how much each class loses when units of a layer are silenced; the defaults are the paper's."""

    kind = fields.String(required=True, validate=validate.Equal("ablation"))
    dataset = fields.String(
        required=True,
        validate=validate.Length(1, 128),
        metadata={"description": "What the effects are evaluated on; its images belong to classes of the model."},
    )
    ranking_dataset = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 128),
        metadata={
            "description": "What units are ranked on; it shares no image with `dataset`. null splits `dataset`: of "
            "each class the first, third, fifth ... image ranks, the others evaluate."
        },
    )
    layer = fields.String(required=True, validate=validate.Length(1, 256))
    units = AllOr(
        fields.Integer(strict=True, validate=validate.Range(0, 2**31 - 1)),
        load_default="all",
        metadata={"description": "The units to silence, each alone and in sets; `all` or a list of them."},
    )
    classes = AllOr(
        fields.String(validate=validate.Length(1, 256)),
        load_default="all",
        metadata={"description": "The classes for which sets of units are removed; `all` or a list of names."},
    )
    sizes = AllOr(
        fields.Integer(strict=True, validate=validate.Range(1, 2**31 - 1)),
        load_default=None,
        allow_none=True,
        metadata={
            "description": "How many units a set has: a list, or `all` for the whole curve. null takes those of "
            f"{', '.join(map(str, SIZES))} that are below the number of units."
        },
    )
    mode = fields.String(
        load_default="zero",
        validate=validate.OneOf(["zero", "mean"]),
        metadata={"description": "What a silenced unit's map becomes: 0, or its mean over the ranking images."},
    )
    rank_by = fields.String(
        load_default="balanced_accuracy",
        validate=validate.OneOf(["balanced_accuracy", "log_probability"]),
        metadata={
            "description": "What a class's units are ranked by: the balanced accuracy left, ties by log-probability; "
            "or the class's mean log-probability alone, which is steadier on few images."
        },
    )
    max_images = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(2, 2**31 - 1),
        metadata={"description": "Use at most this many images of each dataset, evenly strided; null uses all."},
    )
    dissection = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "A dissection of the layer, whose IoUs importance is compared with; null takes the newest, "
            "if there is one."
        },
    )
