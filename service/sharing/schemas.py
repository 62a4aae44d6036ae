"""The wire format of links."""

from datetime import timedelta

from marshmallow import fields, validate

from service.api import Schema
from service.sharing.doors import KINDS

LIFETIME, LONGEST = timedelta(days=30), timedelta(days=366)


class NewShareSchema(Schema):
    """A link to be made."""

    address = fields.String(
        required=True,
        validate=validate.Length(1, 2048),
        metadata={"description": "of what is shown: `/v1/models/scenes/layers/features.12/units/7`"},
    )
    expires_at = fields.AwareDateTime(
        load_default=None,
        metadata={"description": f"by default in {LIFETIME.days} days, at the latest in {LONGEST.days}"},
    )


class ShareSchema(Schema):
    """A link, without its token."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([*KINDS]))
    address = fields.String(required=True, metadata={"description": "of what is shown"})
    author = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class MadeShareSchema(ShareSchema):
    """A link just made: the only time that it is shown."""

    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "`page` for people, `self` for programs; whoever has one of them has the link"},
    )
