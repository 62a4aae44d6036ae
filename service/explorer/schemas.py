"""What the addresses of pages may say beside what the API's calls take."""

import marshmallow as ma
from marshmallow import fields, validate

from service.api import Schema
from service.explorer.forms import KINDS
from service.results.comparing.schemas import ChangesQuerySchema
from service.results.effects.schemas import ExplanationQuerySchema
from service.results.schemas import NAME, UnitsQuerySchema


class SearchSchema(Schema):
    """What is searched for."""

    q = fields.String(load_default=None, validate=NAME)


class LayerQuerySchema(UnitsQuerySchema):
    """Which units of a layer are asked for."""

    class Meta:  # noqa: D106
        exclude = ("model", "layer")


class ConceptQuerySchema(UnitsQuerySchema):
    """Which units of a concept are asked for."""

    concept = fields.String(required=True, validate=NAME)


class ClassQuerySchema(ExplanationQuerySchema):
    """Which class is explained, and by what."""

    class_name = fields.String(data_key="class", required=True, validate=NAME)


class NextSchema(Schema):
    """Where somebody wants to go once signed in: to a page of ours."""

    next = fields.String(
        load_default="/",
        validate=validate.Regexp(r"/(?![/\\])[!-~]*\Z", error="an address of this service begins with one /"),
    )


class SignInFormSchema(NextSchema):
    """A key, and where to go with it."""

    key = fields.String(required=True, validate=validate.Length(1, 128))


class NewJobSchema(Schema):
    """Which form is asked for, and whether it is filled in; what it was filled in with stands beside."""

    class Meta:  # noqa: D106
        unknown = ma.EXCLUDE

    kind = fields.String(load_default=KINDS[0], validate=validate.OneOf(KINDS))
    estimate = fields.Boolean(load_default=False)


class StartSchema(Schema):
    """A job to start: the body that `POST /v1/jobs` takes."""

    body = fields.String(required=True)


class CompareQuerySchema(ChangesQuerySchema):
    """Which two dissections are compared, and which changed units are asked for."""

    a = fields.UUID(load_default=None)
    b = fields.UUID(load_default=None)
