"""The wire format of members, keys, sessions and the audit log."""

from typing import Any

from marshmallow import fields, post_load, validate

from service.access.tables import ROLE_SCOPES, SCOPES
from service.api import Schema
from service.pagination import PageQuery
from service.sharing.schemas import ShareSchema

DEFAULT_SCOPES = ["read", "write", "run"]
NAME = validate.Length(1, 64)
ROLE = validate.OneOf([*ROLE_SCOPES])


class RoleSchema(Schema):
    """What a member may do."""

    role = fields.String(
        required=True,
        validate=ROLE,
        metadata={
            "description": "`reader`: look. `member`: work, too. `admin`: see to members, keys and the audit log"
        },
    )


class NewMemberSchema(RoleSchema):
    """A person to be taken into the team."""

    name = fields.String(required=True, validate=NAME)


class MemberSchema(NewMemberSchema):
    """A person in the team."""

    created_at = fields.AwareDateTime(required=True)


class NewKeySchema(Schema):
    """A key to be made."""

    name = fields.String(required=True, validate=NAME)
    member = fields.String(
        load_default=None,
        validate=NAME,
        metadata={"description": "whose it is; it then never does more than their role allows"},
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        load_default=None,
        validate=validate.Length(1, len(SCOPES)),
        metadata={"description": f"those of the member's role, without a member {', '.join(DEFAULT_SCOPES)}"},
    )
    expires_at = fields.AwareDateTime(load_default=None)

    @post_load
    def order_scopes(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Each scope once, in the order in which we name them."""
        given = values["scopes"]
        return {**values, "scopes": given and [scope for scope in SCOPES if scope in given]}


class KeySchema(Schema):
    """A key without its secret."""

    prefix = fields.String(required=True)
    name = fields.String(required=True)
    member = fields.String(required=True, allow_none=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    last_used_at = fields.AwareDateTime(required=True, allow_none=True)


class MadeKeySchema(KeySchema):
    """A key just made: the only time that its text is shown."""

    key = fields.String(required=True)


class SignInSchema(Schema):
    """By what a browser is signed in."""

    key = fields.String(required=True, validate=validate.Length(1, 256))


class CallerSchema(Schema):
    """Who is asking, and what they may do."""

    team = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, metadata={"description": "the member's, or that of a key that is nobody's"})
    role = fields.String(required=True, allow_none=True)
    scopes = fields.List(fields.String(), required=True)
    key = fields.String(required=True, allow_none=True, metadata={"description": "its prefix"})
    share = fields.Nested(
        ShareSchema, required=True, allow_none=True, metadata={"description": "of somebody who followed a link"}
    )


class AuditQuerySchema(PageQuery):
    """Which entries are asked for."""

    actor = fields.String(load_default=None, validate=NAME)
    action = fields.String(load_default=None, validate=NAME)
    subject = fields.String(load_default=None, validate=validate.Length(1, 1024))


class AuditEntrySchema(Schema):
    """Something that somebody changed."""

    at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    key_prefix = fields.String(required=True, allow_none=True)
    action = fields.String(required=True, metadata={"description": "the part of the API and the call, `jobs.submit`"})
    subject = fields.String(required=True, metadata={"description": "the address of what was made or changed"})
    request_id = fields.String(required=True, allow_none=True)
