"""The request for an attack."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.jobs.fields import Distinct, whole
from service.jobs.requests.submission import MAX_LAYERS, SubmissionSchema

NAME = validate.Length(1, 256)
MAX_TARGETS = 1000
MAX_TRANSFERS = 16
MAX_SETTINGS = 32


class OneOrMore(fields.Field[Any]):
    """A name, or a list of different ones."""

    def __init__(self, least: int, most: int, *, metadata: dict[str, Any], **options: Any) -> None:
        self._name = fields.String(validate=NAME)
        self._list = fields.List(self._name, validate=[validate.Length(least, most), Distinct()])
        name = {"type": "string", "minLength": 1, "maxLength": 256}
        several = {"type": "array", "items": name, "minItems": least, "maxItems": most, "uniqueItems": True}
        nothing = [{"type": "null"}] if options.get("allow_none") else []
        super().__init__(metadata=metadata | {"anyOf": [name, several, *nothing]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return (self._list if isinstance(value, list) else self._name).deserialize(value, attr, data, **kwargs)


class AttackRequestSchema(SubmissionSchema):
    """An attack on a classifier: what fools it, and which units the attack moves."""

    kind = fields.String(required=True, validate=validate.Equal("attack"))
    dataset = fields.String(required=True, validate=validate.Length(1, 128))
    layer = OneOrMore(
        0,
        MAX_LAYERS,
        load_default=list,
        metadata={"description": "A layer, or a list of them, whose units are watched."},
    )
    method = fields.String(
        load_default="carlini-wagner-l2",
        validate=whole("[a-z0-9][a-z0-9-]{0,63}", "a method's name is lower-case letters, digits and '-'"),
        metadata={
            "description": "`carlini-wagner-l2`, `pgd-linf`, `pgd-l2`, `fgsm`, `deepfool-l2`, or another package's."
        },
    )
    preset = fields.String(
        load_default=None,
        allow_none=True,
        validate=NAME,
        metadata={"description": "Settings by one name: `pnas2020` and `carlini2017` of `carlini-wagner-l2`."},
    )
    settings = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)),
        values=fields.Raw(allow_none=True, metadata={"anyOf": [{"type": "number"}, {"type": "boolean"}]}),
        load_default=dict,
        validate=validate.Length(max=MAX_SETTINGS),
        metadata={"description": "The method's own, as `steps` and `epsilon`; they win over the preset."},
    )
    target = OneOrMore(
        1,
        MAX_TARGETS,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The class that the network shall say, or several, each a target of its own; `least-likely` "
            "is each image's own; null is any other class."
        },
    )
    images = fields.String(
        load_default="eligible",
        validate=validate.OneOf(["eligible", "all"]),
        metadata={
            "description": "`eligible`: those whose true and predicted class both differ from the target (Bau et al.), "
            "without a target those that are classified right. `all`: every image, with an outcome that tells."
        },
    )
    max_images = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "For each target the first so many, in the dataset's order; null takes all."},
    )
    ablation = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "Whose importance groups the units; null takes the newest ablation of each layer."},
    )
    transfer = fields.List(
        fields.String(validate=validate.Length(1, 128)),
        load_default=list,
        validate=[validate.Length(max=MAX_TRANSFERS), Distinct()],
        metadata={"description": "Other classifiers that the attacked images are shown to."},
    )
    keep = fields.Integer(
        strict=True,
        load_default=20,
        validate=validate.Range(0, 100_000),
        metadata={"description": "Of how many images of each target the attacked image and its picture are kept."},
    )

    @ma.validates("settings")
    def check_settings(self, settings: dict[str, Any], **_: Any) -> None:
        """Refuse settings that are neither numbers nor true or false."""
        for name, value in settings.items():
            if not isinstance(value, bool | int | float):
                raise ma.ValidationError({name: [f"{value!r} is neither a number nor true or false"]})
