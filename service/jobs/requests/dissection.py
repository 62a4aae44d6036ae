"""The request for a dissection."""

from marshmallow import fields, validate

from service.catalog.schemas import Real
from service.jobs.checks import GENERATED_GRID
from service.jobs.estimates import PERMUTATION, ROTATION, UNTRAINED
from service.jobs.fields import Distinct, Segmentation
from service.jobs.latents import DISSECTED, LatentsSchema
from service.jobs.requests.submission import MAX_LAYERS, SubmissionSchema, cutoff

CONTROLS = (PERMUTATION, ROTATION, UNTRAINED)


class DissectionRequestSchema(SubmissionSchema):
    """A dissection: which concept each unit of some layers detects; the defaults are the paper's."""

    kind = fields.String(required=True, validate=validate.Equal("dissection"))
    dataset = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 128),
        metadata={"description": "The images that a classifier is dissected on; a generator makes its own."},
    )
    latents = fields.Nested(
        LatentsSchema,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "What a generator's pictures are made of; null takes the paper's: the first "
            f"{DISSECTED['count']} of seed {DISSECTED['seed']}. A classifier has none."
        },
    )
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
        metadata={
            "description": "Side of the grid; null takes the dataset's, else a quarter of the input's side; for a "
            f"generator the side of its pictures, {GENERATED_GRID} at the most."
        },
    )
    upsampling = fields.String(
        load_default="zero",
        validate=validate.OneOf(["zero", "edge"]),
        metadata={"description": "What lies outside a map: zeros, or its border repeated."},
    )
    segmentation = Segmentation(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "`masks`, `colors`, `model:<name of a segmenter>` or a list of several. A concept that "
            "several of them name is one. null is `masks`, which the pictures of a generator have not: theirs must be "
            "named.",
        },
    )
    halves = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "Label the top, bottom, left and right half of each object as a part, too."},
    )
    cutoff = cutoff()
    max_images = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "Use this many images of the dataset, evenly strided; null uses all."},
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
