"""The wire format of artifacts."""

from marshmallow import fields

from service.api import Schema


class ArtifactSchema(Schema):
    """Immutable bytes named by their sha256."""

    digest = fields.String(required=True)
    size = fields.Integer(required=True)
    media_type = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class UnfinishedSchema(Schema):
    """An upload of which more is to come."""

    digest = fields.String(required=True)
    offset = fields.Integer(required=True, metadata={"description": "Bytes that are here; the next ones start there."})
