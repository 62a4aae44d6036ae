"""The wire format of jobs: what is answered, and what may be asked of them."""

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.jobs.fields import whole
from service.jobs.requests.submission import LABEL_NAME
from service.jobs.tables import JOB_STATES
from service.pagination import DEFAULT_LIMIT, PageQuery


class ProgressSchema(Schema):
    """How far the present stage is."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    unit = fields.String(required=True)
    stage = fields.String(required=True)


class JobSchema(Schema):
    """One request for work."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(JOB_STATES))
    model = fields.String(required=True, allow_none=True)
    dataset = fields.String(required=True, allow_none=True)
    params = fields.Dict(required=True, metadata={"description": "Canonical: every default is filled in."})
    priority = fields.Integer(required=True)
    labels = fields.Dict(required=True)
    progress = fields.Nested(ProgressSchema, required=True)
    attempt = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    deadline_at = fields.AwareDateTime(required=True, allow_none=True)
    error = fields.Dict(required=True, allow_none=True, metadata={"description": "The problem that ended the job."})
    links = fields.Dict(required=True, keys=fields.String(), values=fields.String())
    fingerprint = fields.String(required=True)


class EstimateSchema(Schema):
    """What a job would cost."""

    shards = fields.Integer(required=True)
    forward_passes = fields.Integer(required=True)
    scratch_bytes = fields.Integer(required=True)
    artifact_bytes = fields.Integer(required=True)
    seconds = fields.Float(required=True, allow_none=True, metadata={"description": "null while no worker is there"})
    workers = fields.Integer(required=True, metadata={"description": "Workers seen in the last half minute."})
    notes = fields.List(
        fields.String(), required=True, metadata={"description": "What makes the job dearer than one would think."}
    )


class EventSchema(Schema):
    """Something that happened to a job."""

    sequence = fields.Integer(required=True)
    type = fields.String(required=True)
    data = fields.Dict(required=True)
    at = fields.AwareDateTime(required=True)


class IdempotencySchema(Schema):
    """The header by which a request can be sent twice and done once."""

    class Meta:  # noqa: D106
        unknown = ma.EXCLUDE

    key = fields.String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=whole("[!-~]{1,255}", "a key is 1 to 255 visible ASCII characters"),
    )


class JobsQuerySchema(PageQuery):
    """Which jobs to list."""

    kind = fields.String()
    model = fields.String()
    state = fields.String(validate=validate.OneOf(JOB_STATES))
    label = fields.String(
        validate=whole(f"{LABEL_NAME}:.{{0,256}}", "write it as name:value"),
        metadata={"description": "`name:value`"},
    )


class WaitSchema(Schema):
    """How long to wait for a change."""

    wait = fields.Float(
        load_default=0.0,
        validate=validate.Range(0, 60),
        metadata={"description": "Seconds to wait for another version than If-None-Match names, or for the job's end."},
    )


class EventsQuerySchema(Schema):
    """From where on to list a job's events."""

    after = fields.Integer(
        load_default=None,
        validate=validate.Range(0, 2**31 - 1),
        metadata={"description": "Only events beyond this sequence number."},
    )
    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1))


class LastEventSchema(Schema):
    """From where on to stream a job's events."""

    class Meta:  # noqa: D106
        unknown = ma.EXCLUDE

    last_event_id = fields.Integer(data_key="Last-Event-ID", load_default=None, validate=validate.Range(0, 2**31 - 1))
