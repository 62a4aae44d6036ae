"""What a request for work of any kind may say."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.catalog.schemas import Real
from service.jobs.fields import whole

LABEL_NAME = "[A-Za-z0-9._/-]{1,64}"
MAX_LABELS = 32
MAX_LAYERS = 256
MAX_DEADLINE_SECONDS = 30 * 24 * 3600


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


def cutoff() -> Real:
    """The field of the IoU above which a unit detects its label."""
    return Real(
        load_default=0.04,
        validate=validate.Range(0, 1, max_inclusive=False),
        metadata={"description": "A unit whose label's IoU is above it is a detector.", "exclusiveMaximum": 1},
    )
