"""What is to be seen of a thing that is shared: whether it is there, and which artifacts are a part of it."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from service.catalog.queries import get_unit_layer
from service.collections.queries import get_collection, units_of
from service.collections.replies import describe_collected
from service.errors import Invalid
from service.jobs.queries import find_job
from service.painting.queries import get_painting
from service.painting.replies import describe as describe_painting
from service.results.comparing.queries import find_comparison
from service.results.effects.explaining_queries import explain
from service.results.effects.replies import describe_explanation
from service.results.effects.schemas import MOST_UNITS
from service.results.effects.unit_queries import see_unit
from service.results.replies import describe_unit
from service.results.search_queries import job_kind
from service.sharing.doors import Fields
from service.sharing.queries import job_has_picture, layer_has_picture
from service.sharing.subjects import POINTER, Subject

Shown = Mapping[str, Any]
DIGEST = re.compile(r"[0-9a-f]{64}")


def check_subject(session: Session, team_id: uuid.UUID, subject: Subject) -> Subject:
    """The thing, if the team has it, with what its address left open and shall never change; raise as its view does."""
    shown = _SHOW[subject.kind](session, team_id, subject.fields)
    if subject.kind == "class":
        # else another model with such a class, or another ablated layer, would one day be meant, too
        return subject._replace(fields={**subject.fields, "model": shown["model"], "layer": shown["layer"]})
    return subject


def shows_artifact(session: Session, team_id: uuid.UUID, subject: Subject, digest: str) -> bool:
    """Whether an artifact is a part of the thing."""
    fields = subject.fields
    if not DIGEST.fullmatch(digest):
        return False
    if subject.kind == "layer":
        return layer_has_picture(session, team_id, _text(fields, "model"), _text(fields, "layer"), _job(fields), digest)
    if subject.kind == "job":
        job = find_job(session, team_id, _id(fields, "job_id"))
        return job_has_picture(session, job, digest) or digest in json.dumps(job.summary)
    return f"/v1/artifacts/{digest}" in json.dumps(_SHOW[subject.kind](session, team_id, fields), default=str)


def _show_unit(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    names = _text(fields, "model"), _text(fields, "layer"), int(_text(fields, "unit"))
    seen = see_unit(session, team_id, *names, _job(fields))
    return describe_unit(seen, seen.found)


def _show_layer(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    get_unit_layer(session, team_id, _text(fields, "model"), _text(fields, "layer"), 0)
    job_kind(session, team_id, _job(fields), ("dissection", "import"))
    return {}


def _show_job(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    job = find_job(session, team_id, _id(fields, "job_id"))
    if job.kind == "registration":
        raise Invalid("a registration found nothing that could be shown", POINTER)
    return {}


def _show_class(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    wanted = {**fields, "job": _job(fields), "units": MOST_UNITS}
    return describe_explanation(explain(session, team_id, _text(fields, "name"), wanted))


def _show_comparison(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    find_comparison(session, team_id, _id(fields, "a"), _id(fields, "b"), fields["layer_a"], fields["layer_b"])
    return {}


def _show_painting(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    return describe_painting(get_painting(session, team_id, _id(fields, "painting_id")))


def _show_collection(session: Session, team_id: uuid.UUID, fields: Fields) -> Shown:
    collection = get_collection(session, team_id, _id(fields, "collection_id"))
    return describe_collected(collection, units_of(session, collection))


_SHOW: Mapping[str, Callable[[Session, uuid.UUID, Fields], Shown]] = {
    "unit": _show_unit,
    "layer": _show_layer,
    "job": _show_job,
    "class": _show_class,
    "comparison": _show_comparison,
    "painting": _show_painting,
    "collection": _show_collection,
}


def _text(fields: Fields, name: str) -> str:
    value = fields[name]
    assert value is not None
    return value


def _id(fields: Fields, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(_text(fields, name))
    except ValueError:
        raise Invalid(f"{fields[name]!r} is not the id of a job", POINTER) from None


def _job(fields: Fields) -> uuid.UUID | None:
    return None if fields["job"] is None else _id(fields, "job")
