"""The wire format of keys."""

from typing import Any

from marshmallow import fields, post_load, validate

from service.api import SCOPES, Schema

DEFAULT_SCOPES = ["read", "write", "run"]


class NewKeySchema(Schema):
    """A key to be made."""

    name = fields.String(required=True, validate=validate.Length(1, 64))
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        load_default=DEFAULT_SCOPES,
        validate=validate.Length(1, len(SCOPES)),
    )
    expires_at = fields.AwareDateTime(load_default=None)

    @post_load
    def order_scopes(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Each scope once, in the order in which we name them."""
        return {**values, "scopes": [scope for scope in SCOPES if scope in values["scopes"]]}


class KeySchema(Schema):
    """A key without its secret."""

    prefix = fields.String(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    last_used_at = fields.AwareDateTime(required=True, allow_none=True)


class MadeKeySchema(KeySchema):
    """A key just made: the only time that its text is shown."""

    key = fields.String(required=True)
