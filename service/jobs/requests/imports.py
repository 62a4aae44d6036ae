"""The request for an import."""

from marshmallow import fields, validate

from service.catalog.schemas import check_digest
from service.jobs.requests.submission import SubmissionSchema, cutoff
from service.results.tables import IMPORTED_METHODS


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
    cutoff = cutoff()
