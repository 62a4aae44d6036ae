"""What the addresses of pages may say beside what the API's calls take."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.annotations.schemas import ContentSchema
from service.api import Schema
from service.collections.queries import MAX_UNITS
from service.collections.schemas import LONGEST_NAME, NOTE
from service.painting.schemas import MAX_INDEX
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

    kind = fields.String(load_default=None)
    estimate = fields.Boolean(load_default=False)


class StartSchema(Schema):
    """A job to start: the body that `POST /v1/jobs` takes."""

    body = fields.String(required=True)


class PaintQuerySchema(Schema):
    """What is painted on: a latent and a layer, or a painting to go on from."""

    layer = fields.String(load_default=None, validate=NAME)
    seed = fields.Integer(load_default=1, validate=validate.Range(0, 2**32 - 1))
    index = fields.Integer(load_default=0, validate=validate.Range(0, MAX_INDEX))
    painting = fields.UUID(load_default=None)

    @ma.post_load
    def name_latent(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The latent as a request for a painting names it."""
        return values | {"latent": {"seed": values["seed"], "index": values["index"]}}


class CompareQuerySchema(ChangesQuerySchema):
    """Which two dissections are compared, and which changed units are asked for."""

    a = fields.UUID(load_default=None)
    b = fields.UUID(load_default=None)


class AnnotationFormSchema(Schema):
    """What somebody says of a unit, field by field."""

    category = fields.String(load_default="")
    concept = fields.String(load_default="")
    note = fields.String(load_default="")

    @ma.post_load
    def read(self, values: dict[str, str], **_: Any) -> dict[str, Any]:
        """The same as the API reads it."""
        label = {name: values[name] for name in ("category", "concept")}
        content = {"label": label if any(label.values()) else None, "note": values["note"]}
        loaded: dict[str, Any] = ContentSchema().load(content)
        return loaded


class CollectSchema(Schema):
    """The collection that a unit is put into: one that is there, or a new one."""

    collection = fields.UUID(load_default=None)
    name = fields.String(load_default=None, validate=validate.Length(1, LONGEST_NAME))
    note = fields.String(load_default="", validate=NOTE)

    @ma.validates_schema
    def check_named(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse a new collection without a name."""
        if values["collection"] is None and values["name"] is None:
            raise ma.ValidationError("choose a collection, or name a new one", "name")


class VersionedSchema(Schema):
    """A change of a collection that is at this version."""

    version = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    note = fields.String(load_default="", validate=NOTE)


class CollectionFormSchema(VersionedSchema):
    """A collection's name and note."""

    name = fields.String(required=True, validate=validate.Length(1, LONGEST_NAME))


class CollectedFormSchema(VersionedSchema):
    """A unit's note and place in a collection, from 1, or that it is taken out."""

    place = fields.Integer(required=True, validate=validate.Range(1, MAX_UNITS))
    remove = fields.Boolean(load_default=False)


class ShareFormSchema(Schema):
    """What is shared, and until the end of which day."""

    address = fields.String(required=True, validate=validate.Length(1, 2048))
    until = fields.Date(load_default=None)
