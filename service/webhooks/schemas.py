"""The wire format of webhooks and their deliveries."""

from marshmallow import fields, validate

from service.api import Schema
from service.pagination import PageQuery
from service.webhooks.tables import DELIVERY_STATES

STATE = validate.OneOf(DELIVERY_STATES)


class NewWebhookSchema(Schema):
    """A webhook to be registered."""

    url = fields.String(
        required=True,
        validate=validate.Length(1, 2048),
        metadata={"description": "what is told of jobs that end, by POST; https, at a public address"},
    )


class ChangedWebhookSchema(NewWebhookSchema):
    """A webhook as it shall be from now on."""

    active = fields.Boolean(required=True, metadata={"description": "false: it hears nothing until it is true again"})


class WebhookSchema(Schema):
    """A webhook without its secret."""

    id = fields.UUID(required=True)
    url = fields.String(required=True)
    active = fields.Boolean(required=True)
    author = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    rotated_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when its secret was changed; for a day the one before signs, too"},
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class MadeWebhookSchema(WebhookSchema):
    """A webhook whose secret is new: the only time that it is shown."""

    secret = fields.String(required=True, metadata={"description": "`whsec_` and 32 bytes in base64"})


class DeliveriesQuerySchema(PageQuery):
    """Which deliveries are asked for."""

    state = fields.String(load_default=None, validate=STATE)


class DeliverySchema(Schema):
    """A message on its way to a webhook."""

    id = fields.UUID(
        required=True, metadata={"description": "the `webhook-id` of the message, the same when sent again"}
    )
    type = fields.String(required=True, metadata={"description": "`job.succeeded`, `job.failed` ... `webhook.test`"})
    job = fields.UUID(required=True, allow_none=True)
    state = fields.String(required=True, validate=STATE, metadata={"description": "`dead`: every attempt failed"})
    attempts = fields.Integer(required=True)
    due_at = fields.AwareDateTime(required=True, allow_none=True, metadata={"description": "of the next attempt"})
    last_status = fields.Integer(
        required=True, allow_none=True, metadata={"description": "null where there was no answer"}
    )
    last_answer = fields.String(
        required=True, allow_none=True, metadata={"description": "its beginning, or why there was none"}
    )
    created_at = fields.AwareDateTime(required=True)
    delivered_at = fields.AwareDateTime(required=True, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class DeliveryDetailSchema(DeliverySchema):
    """A delivery with what it says."""

    message = fields.Dict(required=True, metadata={"description": "type, timestamp and data, as they are sent"})
