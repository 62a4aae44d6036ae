"""The wire format of requests for work: one schema for the request of each kind."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.jobs.requests.ablation import AblationRequestSchema
from service.jobs.requests.attack import AttackRequestSchema
from service.jobs.requests.dissection import DissectionRequestSchema
from service.jobs.requests.imports import ImportRequestSchema
from service.jobs.requests.intervention import InterventionRequestSchema
from service.jobs.requests.submission import SubmissionSchema

REQUEST_SCHEMAS: dict[str, type[SubmissionSchema]] = {
    "ablation": AblationRequestSchema,
    "attack": AttackRequestSchema,
    "dissection": DissectionRequestSchema,
    "import": ImportRequestSchema,
    "intervention": InterventionRequestSchema,
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
