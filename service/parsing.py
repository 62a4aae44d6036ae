"""Request bodies and query strings: strict JSON, no unknown field, and errors that point at the field."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from service.errors import BadRequest, Invalid


class Parser(FlaskParser):
    """Reads what a view's schema asks for; raises BadRequest for no JSON and Invalid for the wrong JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}  # noqa: RUF012

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The body as JSON; an empty body is an empty object."""
        body = req.get_data()
        if not body:
            return {}
        if not req.is_json:
            raise UnsupportedMediaType("send the body as application/json")
        return parse_json(body)

    def handle_error(self, error: ma.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise Invalid with one entry for each field at fault."""
        errors = list(_point_out(error.messages_dict))
        raise Invalid("; ".join(f"{e['pointer'] or 'body'}: {e['detail']}" for e in errors), errors=errors)


def parse_json(body: bytes) -> Any:
    """Strict JSON: finite numbers, and text that a database can hold; raise BadRequest for anything else."""
    try:
        document = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
        if not all(map(_is_storable, _texts(document))):
            raise ValueError("a string holds a null character or half of a surrogate pair")
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is beyond the range of numbers")
    return value


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _point_out(messages: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for location, tree in messages.items():
        for path, detail in _leaves(tree):
            yield {"pointer": _pointer(location, [str(step) for step in path if step != "_schema"]), "detail": detail}


def _pointer(location: str, steps: list[str]) -> str:
    if location != "json":
        return f"{location}:{'.'.join(steps)}"
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)  # RFC 6901


def _leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(tree, Mapping):
        for step, branch in tree.items():
            yield from _leaves(branch, (*path, step))
    elif isinstance(tree, list):
        for branch in tree:
            yield from _leaves(branch, path)
    else:
        yield path, str(tree)
