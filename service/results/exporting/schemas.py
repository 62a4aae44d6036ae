"""The wire format of requests for exports."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.results.exporting.formats import FORMATS
from service.results.exporting.rows import ROWS
from service.results.schemas import NAME

HTML = "html"


class ExportQuerySchema(Schema):
    """What is exported, and as what."""

    format = fields.String(
        required=True,
        validate=validate.OneOf([*FORMATS, HTML]),
        metadata={"description": "`html` is a report that needs no network; the others are rows."},
    )
    rows = fields.String(
        load_default=None,
        validate=validate.OneOf(ROWS),
        metadata={
            "description": "`labels`, the default: each unit with each concept that is kept of it. `units`: each unit "
            "with its label. `matrix`: each unit with every concept and their IoU."
        },
    )
    layer = fields.String(load_default=None, validate=NAME, metadata={"description": "Only this layer."})

    @ma.validates_schema
    def check_rows(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse rows of what has none."""
        if values.get("format") == HTML and values.get("rows") is not None:
            raise ma.ValidationError("a report has no rows to choose from; leave it out", "rows")
