"""The wire format of quotas."""

from marshmallow import fields

from service.api import Schema

ALLOWED = {"description": "null where there is no limit"}


class UsageSchema(Schema):
    """What is used of something, and what is allowed."""

    used = fields.Integer(required=True)
    allowed = fields.Integer(required=True, allow_none=True, metadata=ALLOWED)


class TimeSchema(Schema):
    """What was used within a period that ends now, and what is allowed."""

    used = fields.Float(required=True)
    allowed = fields.Float(required=True, allow_none=True, metadata=ALLOWED)
    period_seconds = fields.Float(required=True)


class QuotasSchema(Schema):
    """What the team uses, and what it may use."""

    queued_jobs = fields.Nested(UsageSchema, required=True, metadata={"description": "jobs that have not ended"})
    worker_seconds = fields.Nested(TimeSchema, required=True, metadata={"description": "that workers spent on jobs"})
    stored_bytes = fields.Nested(UsageSchema, required=True, metadata={"description": "of artifacts"})
