"""Fields of requests for work that marshmallow has not."""

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from service.jobs.segmentation import COLORS, MASKS, MAX_SEGMENTATIONS, SEGMENTER

SEGMENTATION = f"{MASKS}|{COLORS}|{SEGMENTER}[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}"
SEGMENTATIONS = "'masks', 'colors' or 'model:<name of a segmenter>'"
MAX_ITEMS = 100_000
ALL = "all"


def whole(pattern: str, error: str) -> validate.Regexp:
    """Let through what the pattern matches from end to end; JSON Schema knows no `\\Z`, and `$` forgives a newline."""
    return validate.Regexp(rf"^{pattern}$(?!\n)", error=error)


class Distinct(validate.Validator):
    """Refuses a list that names something twice."""

    def __call__(self, values: list[Any]) -> list[Any]:
        """Return the values; raise ValidationError at the second of two equal ones."""
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ma.ValidationError({index: [f"{value!r} is there twice; name it once"]})
        return values


class Segmentation(fields.Field[list[str]]):
    """One way to segment the images, or a list of several; read as masks, segmenters by their names, then colors."""

    def __init__(self, *, metadata: dict[str, Any], **options: Any) -> None:
        name = {"type": "string", "pattern": rf"^({SEGMENTATION})$(?!\n)"}
        bounds = {"minItems": 1, "maxItems": MAX_SEGMENTATIONS, "uniqueItems": True}
        several = {"type": "array", "items": name, **bounds}
        nothing = [{"type": "null"}] if options.get("allow_none") else []
        super().__init__(metadata=metadata | {"anyOf": [name, several, *nothing]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        names = value if isinstance(value, list) else [value]
        if not 1 <= len(names) <= MAX_SEGMENTATIONS:
            raise ma.ValidationError(f"name 1 to {MAX_SEGMENTATIONS} of {SEGMENTATIONS}")
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(SEGMENTATION, name):
                raise ma.ValidationError(f"there is no segmentation {name!r}; choose {SEGMENTATIONS}")
        Distinct()(names)
        return sorted(names, key=lambda name: (name == COLORS, name != MASKS, name))


class AllOr(fields.Field[Any]):
    """The word `all`, or a list that is not empty and names nothing twice."""

    def __init__(self, item: fields.Field[Any], *, metadata: dict[str, Any], **options: Any) -> None:
        self._list = fields.List(item, validate=[validate.Length(1, MAX_ITEMS), Distinct()])
        nothing = [{"type": "null"}] if options.get("allow_none") else []
        super().__init__(metadata=metadata | {"anyOf": [{"const": ALL}, _list_of(item), *nothing]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value == ALL:
            return ALL
        if not isinstance(value, list):
            raise ma.ValidationError(f"give a list, or the word {ALL!r}")
        return self._list.deserialize(value, attr, data, **kwargs)


def _list_of(item: fields.Field[Any]) -> dict[str, Any]:
    """The JSON Schema of a list of such items."""
    kind = "integer" if isinstance(item, fields.Integer) else "string"
    return {"type": "array", "items": {"type": kind}, "minItems": 1, "maxItems": MAX_ITEMS, "uniqueItems": True}
