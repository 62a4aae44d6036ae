"""What people say of units: added to, never changed; always within one team."""

import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.annotations.tables import Annotation
from service.catalog.tables import Layer, Model
from service.database import new_id, now
from service.errors import Conflict, NotFound
from service.pagination import Page, PageRequest, paginate


class Annotated(NamedTuple):
    """An annotation with the names of its unit; the versions that were asked for, newest first."""

    model: str
    layer: str
    versions: Sequence[Annotation]


def _annotations(team_id: uuid.UUID) -> sa.Select[Annotation, str, str]:
    return (
        sa.select(Annotation, Model.name, Layer.name)
        .join(Layer, Layer.id == Annotation.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Annotation.team_id == team_id)
    )


def annotate(
    session: Session, team_id: uuid.UUID, layer: Layer, unit: int, content: Mapping[str, Any], author: str
) -> uuid.UUID:
    """Write a label or a note on a unit of the team's layer; return the annotation's id."""
    id = new_id()
    row = Annotation(id=id, version=1, team_id=team_id, layer_id=layer.id, unit=unit, withdrawn=False, **content)
    _write(session, row, author)
    return id


def revise(session: Session, newest: Annotation, content: Mapping[str, Any], author: str) -> None:
    """Write another version of an annotation; the older ones stay."""
    place = {name: getattr(newest, name) for name in ("id", "team_id", "layer_id", "unit")}
    newest.current = False
    _write(session, Annotation(**place, version=newest.version + 1, withdrawn=False, **content), author)


def withdraw(session: Session, newest: Annotation, author: str) -> None:
    """Take an annotation back: its newest version says so, and nothing of the older ones is lost."""
    same = ("id", "team_id", "layer_id", "unit", "category", "concept", "note")
    newest.current = False
    kept = {name: getattr(newest, name) for name in same}
    _write(session, Annotation(**kept, version=newest.version + 1, withdrawn=True), author)


def _write(session: Session, row: Annotation, author: str) -> None:
    row.current, row.author, row.created_at = True, author, now(session)
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("somebody else changed the annotation just now; look at it and do it again") from None


def get_annotation(session: Session, team_id: uuid.UUID, annotation_id: uuid.UUID) -> Annotated:
    """An annotation of the team with all its versions; raise NotFound where it has none of this id."""
    found = _gather(session, _annotations(team_id).where(Annotation.id == annotation_id))
    if not found:
        raise NotFound(f"there is no annotation {annotation_id} here; GET /v1/annotations lists the team's")
    return found[0]


def get_annotation_to_change(session: Session, team_id: uuid.UUID, annotation_id: uuid.UUID) -> Annotation:
    """The newest version; raise NotFound, and Conflict where it was withdrawn."""
    newest = get_annotation(session, team_id, annotation_id).versions[0]
    if newest.withdrawn:
        raise Conflict("the annotation was withdrawn; write another one")
    return newest


def annotations_of(session: Session, team_id: uuid.UUID, model: str, layer: str, unit: int) -> list[Annotated]:
    """What people say of a unit, oldest annotation first, each with all its versions; not what they took back."""
    named = (Model.name == model, Layer.name == layer, Annotation.unit == unit)
    found = _gather(session, _annotations(team_id).where(*named))
    return [annotated for annotated in found if not annotated.versions[0].withdrawn]


def _gather(session: Session, statement: sa.Select[Annotation, str, str]) -> list[Annotated]:
    rows = session.execute(statement.order_by(Annotation.id, Annotation.version.desc())).all()
    return [
        Annotated(versions[0][1], versions[0][2], [row[0] for row in versions])
        for versions in (list(group) for _, group in groupby(rows, key=lambda row: row[0].id))
    ]


def list_annotations(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's annotations that fit the page's filters, newest first, each as an Annotated of its newest version."""
    columns: Mapping[str, Any] = {"model": Model.name, "layer": Layer.name}
    wanted = [
        columns.get(name, getattr(Annotation, name, None)) == value
        for name, value in page.filters.items()
        if value is not None
    ]
    statement = _annotations(team_id).where(Annotation.current, sa.not_(Annotation.withdrawn), *wanted)
    found = paginate(session, statement, [Annotation.id], page, descending=True)
    return Page([Annotated(row[1], row[2], [row[0]]) for row in found.data], found.next_cursor)
