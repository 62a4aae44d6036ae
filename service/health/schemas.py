"""The wire format of health."""

from marshmallow import fields

from service.api import Schema


class HealthSchema(Schema):
    """That all is well."""

    status = fields.String(required=True)
