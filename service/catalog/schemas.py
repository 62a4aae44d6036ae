"""The wire format of models and datasets."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from service.api import Schema
from service.artifacts.store import DIGEST
from service.pagination import PageQuery

NAME = validate.Regexp(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z",
    error="a name is 1 to 128 letters, digits, '.', '_' and '-', and begins with a letter or a digit",
)
SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(:[A-Za-z0-9][A-Za-z0-9._-]{0,127})?")
"""Which sources there are, and what they have, the workers know."""
GENERATOR = "generator"
MODEL_KINDS = ("classifier", "segmenter", GENERATOR)
LATENT_FIELDS = ("latent", "range")
"""Fields of a generator's input, and of no other's."""
FOREIGN = {"classifier": ("concepts",), "segmenter": ("classes",), GENERATOR: ("classes", "concepts")}
"""What models of a kind have not."""
FORMAT = validate.Regexp(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z",
    error="a format is 1 to 32 letters, digits, '.', '_' and '-', as 'masks' and 'pascal-voc'",
)
"""Which formats there are the workers know."""
MAX_SIDE = 4096
"""Longest side, in pixels, that a model's input may have."""
MAX_LATENT = 2**14
"""Values that a latent may have."""
MAX_CLASSES = 100_000


def check_source(source: str) -> None:
    """Refuse what has not the form of a source."""
    if not SOURCE.fullmatch(source):
        raise ValidationError("not of the form '<source>' or '<source>:<name>', as 'exported' and 'torchvision:vgg16'")


def check_digest(digest: str) -> None:
    """Refuse what is not a sha256 as artifacts are named by."""
    if not DIGEST.fullmatch(digest):
        raise ValidationError("not a sha256 in lower-case hexadecimal digits")


def check_printable(text: str) -> None:
    """Refuse a name with characters that cannot be shown."""
    if not text.isprintable():
        raise ValidationError("has characters that cannot be shown")


def check_latent(shape: list[int]) -> None:
    """Refuse what is no shape of a latent."""
    if len(shape) == 2 or shape[1:] not in ([], [1, 1]):
        raise ValidationError("not of the form [d] or [d, 1, 1]")


def check_range(ends: list[float]) -> None:
    """Refuse a range that is empty or the wrong way round."""
    if len(ends) == 2 and not ends[0] < ends[1]:
        raise ValidationError("not the values that become 0 and 255, the lower one first")


def check_distinct(concepts: list[dict[str, str] | None]) -> None:
    """Refuse a concept that two outputs stand for, and outputs that stand for none at all."""
    first: dict[tuple[str, str], int] = {}
    for index, concept in enumerate(concepts):
        if concept and (known := first.setdefault((concept["category"], concept["name"]), index)) != index:
            problem = f"output {known} stands for {concept['name']!r} already"
            raise ValidationError({"concepts": {index: [problem]}})
    if not first:
        raise ValidationError("no output stands for a concept", "concepts")


class Real(fields.Float):
    """A finite number; text that looks like one is refused."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return float(super()._validated(value))


class Size(fields.Field[Any]):
    """A side or a pair [height, width], in pixels."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | list[int]:
        sides = value if isinstance(value, list) and len(value) == 2 else [value]
        if not all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
            raise ValidationError(f"neither a side nor a pair [height, width] of 1 to {MAX_SIDE} pixels")
        size: int | list[int] = value
        return size


class ExactlyOne(Schema):
    """An object of which exactly one field is given."""

    @validates_schema
    def check_count(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse none and several."""
        if len(data) != 1:
            raise ValidationError(f"exactly one of {', '.join(self.fields)} must be given")


class WeightsSchema(Schema):
    """Where a model's weights come from; {} takes those that the source ships."""

    artifact = fields.String(validate=check_digest, metadata={"description": "sha256 of an uploaded artifact"})
    pretrained = fields.String(validate=validate.Length(1, 128), metadata={"description": "e.g. IMAGENET1K_V1"})
    seed = fields.Integer(strict=True, validate=validate.Range(0, 2**63 - 1), metadata={"description": "untrained"})

    @validates_schema
    def check_count(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse several origins at once."""
        if len(data) > 1:
            raise ValidationError(f"at most one of {', '.join(self.fields)} may be given")


class InputSchema(Schema):
    """How an image becomes the network's input: resize, crop, then (pixel * scale - mean) / std.

    A generator's has `latent` and `range` instead.
    """

    resize = Size(allow_none=True, metadata={"description": "a side for the shorter one, or [height, width]"})
    crop = Size(allow_none=True, metadata={"description": "central crop: a side or [height, width]"})
    channels = fields.String(validate=validate.OneOf(["rgb", "bgr"]))
    scale = Real(validate=validate.Range(0, min_inclusive=False))
    mean = fields.List(Real(), validate=validate.Length(equal=3))
    std = fields.List(Real(validate=validate.Range(0, min_inclusive=False)), validate=validate.Length(equal=3))
    latent = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, MAX_LATENT)),
        validate=[validate.Length(1, 3), check_latent],
        metadata={"description": "shape of one latent of a generator, without the batch: [d] or [d, 1, 1]"},
    )
    range = fields.List(
        Real(),
        validate=[validate.Length(equal=2), check_range],
        metadata={"description": "values of a generator's output that become 0 and 255; [-1, 1] unless told"},
    )


class LocationSchema(ExactlyOne):
    """Where a dataset lies."""

    path = fields.String(validate=validate.Length(1, 1024), metadata={"description": "under UNITATLAS_IMPORT_DIR"})
    artifact = fields.String(validate=check_digest, metadata={"description": "sha256 of an uploaded zip"})
    builtin = fields.String(validate=validate.Regexp(r"\A[a-z0-9-]{1,64}\Z"))


class OutputSchema(Schema):
    """The concept that an output of a segmenter stands for."""

    category = fields.String(required=True, validate=[validate.Length(1, 64), check_printable])
    name = fields.String(required=True, validate=[validate.Length(1, 256), check_printable])


class ModelRequestSchema(Schema):
    """A model to register; what `input`, `classes` and `concepts` give wins over what the source knows."""

    name = fields.String(required=True, validate=NAME)
    kind = fields.String(load_default="classifier", validate=validate.OneOf(MODEL_KINDS))
    source = fields.String(required=True, validate=check_source)
    weights = fields.Nested(WeightsSchema, load_default=dict)
    input = fields.Nested(InputSchema, load_default=dict)
    classes = fields.List(
        fields.String(validate=validate.Length(1, 256)),
        load_default=None,
        validate=validate.Length(1, MAX_CLASSES),
        metadata={"description": "names of a classifier's outputs, in order"},
    )
    concepts = fields.List(
        fields.Nested(OutputSchema, allow_none=True),
        load_default=None,
        validate=validate.Length(1, MAX_CLASSES),
        metadata={"description": "what a segmenter's outputs stand for, in order; null for one without a concept"},
    )

    @validates_schema
    def check_outputs(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse classes and concepts of a kind that has none, and concepts that do not tell outputs apart."""
        for foreign in FOREIGN[data["kind"]]:
            if data[foreign] is not None:
                raise ValidationError(f"a {data['kind']} has no {foreign}", foreign)
        if data["concepts"] is not None:
            check_distinct(data["concepts"])

    @validates_schema
    def check_input(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse latents of what takes images, and images of what takes latents."""
        takes = "latents" if data["kind"] == GENERATOR else "images"
        for name in data["input"]:
            if (name in LATENT_FIELDS) != (takes == "latents"):
                raise ValidationError({"input": {name: [f"a {data['kind']} takes {takes}, so it has no {name}"]}})


class DatasetRequestSchema(Schema):
    """A dataset to register."""

    name = fields.String(required=True, validate=NAME)
    format = fields.String(required=True, validate=FORMAT, metadata={"description": "e.g. masks, folder, ade20k"})
    location = fields.Nested(LocationSchema, required=True)
    grid = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(1, 512))
    scenes = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "whether the class of an image is a concept, a scene, that all of it shows"},
    )


class ModelSchema(Schema):
    """A registered network."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    source = fields.String(required=True)
    weights = fields.Dict(required=True)
    input = fields.Dict(required=True)
    digest = fields.String(
        required=True, metadata={"description": "two models with the same digest give the same figures"}
    )
    layers = fields.Integer(required=True)
    classes = fields.Integer(required=True)
    concepts = fields.List(
        fields.Nested(OutputSchema, allow_none=True),
        required=True,
        allow_none=True,
        metadata={"description": "what a segmenter's outputs stand for"},
    )
    created_at = fields.AwareDateTime(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class LayerSchema(Schema):
    """A named module whose output is a map of units."""

    name = fields.String(required=True)
    position = fields.Integer(required=True, metadata={"description": "order in the forward pass, from 0"})
    units = fields.Integer(required=True)
    height = fields.Integer(required=True)
    width = fields.Integer(required=True)


class LayersSchema(Schema):
    """All layers of a model, in the order of the forward pass."""

    data = fields.List(fields.Nested(LayerSchema), required=True)


class DatasetSchema(Schema):
    """Registered images, with class labels and/or segmentations."""

    name = fields.String(required=True)
    format = fields.String(required=True)
    location = fields.Dict(required=True)
    digest = fields.String(
        required=True, metadata={"description": "sha256 of the list of all files with their digests"}
    )
    images = fields.Integer(required=True)
    grid = fields.Integer(required=True, allow_none=True)
    classes = fields.Integer(required=True)
    concepts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "number of concepts by category"},
    )
    created_at = fields.AwareDateTime(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ClassesQuerySchema(PageQuery):
    """Which classes are asked for."""

    model = fields.String(load_default=None, validate=validate.Length(1, 128))
    q = fields.String(
        load_default=None, validate=validate.Length(1, 256), metadata={"description": "a part of the name"}
    )


class ClassSchema(Schema):
    """One output of a classifier."""

    model = fields.String(required=True)
    index = fields.Integer(required=True)
    name = fields.String(required=True)
    important_units = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "units whose removal lowers its balanced accuracy beyond chance, by the newest ablation of "
            "each layer; null if it was never ablated"
        },
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
