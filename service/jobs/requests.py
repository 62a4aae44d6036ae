"""The wire format of requests for work: one schema for the request of each kind."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.catalog.schemas import Real, check_digest
from service.jobs.ablation import SIZES
from service.jobs.estimates import PERMUTATION, ROTATION, UNTRAINED
from service.jobs.fields import SEGMENTATION, AllOr, Distinct, Segmentation, whole
from service.jobs.segmentation import MAX_SEGMENTATIONS
from service.results.tables import IMPORTED_METHODS

LABEL_NAME = "[A-Za-z0-9._/-]{1,64}"
MAX_LABELS = 32
MAX_LAYERS = 256
MAX_DEADLINE_SECONDS = 30 * 24 * 3600
CONTROLS = (PERMUTATION, ROTATION, UNTRAINED)


class SubmissionSchema(Schema):
    """What a request for work of any kind may say beside the kind's own params."""

    COMMON = ("kind", "model", "dataset", "priority", "reuse", "labels", "deadline_seconds")

    kind = fields.String(required=True)
    model = fields.String(required=True, validate=validate.Length(1, 128))
    priority = fields.Integer(
        strict=True,
        load_default=0,
        validate=validate.Range(-100, 100),
        metadata={"description": "Higher goes first."},
    )
    reuse = fields.Boolean(
        load_default=True,
        truthy={True},
        falsy={False},
        metadata={"description": "Answer with the team's job for the same work, if there is one."},
    )
    labels = fields.Dict(
        keys=fields.String(
            validate=whole(LABEL_NAME, "a label's name is 1 to 64 letters, digits, '.', '_', '/' and '-'")
        ),
        values=fields.String(validate=validate.Length(max=256)),
        load_default=dict,
        validate=validate.Length(max=MAX_LABELS),
        metadata={"description": "Your own notes, to find the job by.", "maxProperties": MAX_LABELS},
    )
    deadline_seconds = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MAX_DEADLINE_SECONDS),
        metadata={"description": "The job expires if it is not done by then."},
    )

    @ma.post_load
    def gather_params(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Set the kind's own params apart."""
        params = {name: value for name, value in values.items() if name not in self.COMMON}
        return {name: values.get(name) for name in self.COMMON} | {"params": params}


def _cutoff() -> Real:
    return Real(
        load_default=0.04,
        validate=validate.Range(0, 1, max_inclusive=False),
        metadata={"description": "A unit whose label's IoU is above it is a detector.", "exclusiveMaximum": 1},
    )


class DissectionRequestSchema(SubmissionSchema):
    """A dissection: which concept each unit of some layers detects; the defaults are the paper's."""

    kind = fields.String(required=True, validate=validate.Equal("dissection"))
    dataset = fields.String(required=True, validate=validate.Length(1, 128))
    layers = fields.List(
        fields.String(validate=validate.Length(1, 256)),
        required=True,
        validate=[validate.Length(1, MAX_LAYERS), Distinct()],
        metadata={"description": "As in GET /v1/models/{name}/layers."},
    )
    quantile = Real(
        load_default=0.01,
        validate=validate.Range(0, 0.5, min_inclusive=False),
        metadata={
            "description": "Share of all grid cells that lie above a unit's threshold.",
            "exclusiveMinimum": 0,
        },
    )
    grid = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(4, 512),
        metadata={"description": "Side of the grid; null takes the dataset's, else a quarter of the input's side."},
    )
    upsampling = fields.String(
        load_default="zero",
        validate=validate.OneOf(["zero", "edge"]),
        metadata={"description": "What lies outside a map: zeros, or its border repeated."},
    )
    segmentation = Segmentation(
        load_default=lambda: ["masks"],
        metadata={
            "description": "`masks`, `colors`, `model:<name of a segmenter>` or a list of several. A concept that "
            "several of them name is one.",
            "anyOf": [
                {"type": "string", "pattern": rf"^({SEGMENTATION})$(?!\n)"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": rf"^({SEGMENTATION})$(?!\n)"},
                    "minItems": 1,
                    "maxItems": MAX_SEGMENTATIONS,
                    "uniqueItems": True,
                },
            ],
        },
    )
    halves = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "Label the top, bottom, left and right half of each object as a part, too."},
    )
    cutoff = _cutoff()
    max_images = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "Use this many images, evenly strided; null uses all."},
    )
    top_images = fields.Integer(
        strict=True,
        load_default=5,
        validate=validate.Range(1, 100),
        metadata={"description": "Images shown for each unit."},
    )
    precision = fields.String(
        load_default="float32",
        validate=validate.OneOf(["float32", "bfloat16"]),
        metadata={"description": "What the network computes in; figures are float32 either way."},
    )
    controls = fields.List(
        fields.String(validate=validate.OneOf(CONTROLS)),
        load_default=list,
        validate=Distinct(),
        metadata={
            "description": "Ask for p-values from shuffled masks, for the layer in a random basis, for the same "
            "architecture untrained; the summary has them beside the figures."
        },
    )


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


class ImportRequestSchema(SubmissionSchema):
    """An import: labels that another tool found, to be queried beside ours."""

    kind = fields.String(required=True, validate=validate.Equal("import"))
    format = fields.String(
        required=True,
        validate=validate.OneOf(IMPORTED_METHODS),
        metadata={"description": "The tool; its labels answer `GET /v1/units?method=` with this name."},
    )
    artifact = fields.String(
        required=True, validate=check_digest, metadata={"description": "sha256 of the CSV file, uploaded before."}
    )
    layer = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 256),
        metadata={"description": "Which layer the file is about; `clip-dissect` files say it themselves."},
    )
    cutoff = _cutoff()


REQUEST_SCHEMAS: dict[str, type[SubmissionSchema]] = {
    "ablation": AblationRequestSchema,
    "dissection": DissectionRequestSchema,
    "import": ImportRequestSchema,
}


class JobRequestSchema(Schema):
    """A request for work; its `kind` says which schema holds for the rest."""

    class Meta:  # noqa: D106
        unknown = ma.INCLUDE

    kind = fields.String(
        required=True,
        validate=validate.OneOf(REQUEST_SCHEMAS, error="no jobs of this kind can be submitted; there is {choices}"),
    )

    @ma.post_load
    def read(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Read the whole body by the schema of its kind."""
        loaded: dict[str, Any] = REQUEST_SCHEMAS[values["kind"]]().load(values)
        return loaded


REQUEST_BODY = {
    "content": {
        "application/json": {
            "schema": {"oneOf": list(REQUEST_SCHEMAS.values()), "discriminator": {"propertyName": "kind"}},
        }
    }
}
"""What `JobRequestSchema` does not say in the OpenAPI document: the schemas that it chooses from."""
