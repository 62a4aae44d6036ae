"""The search for attacked images by model, classes, outcome and job."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Model
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, SortKey, paginate
from service.results.attacks.tables import Attack, AttackedImage
from service.results.search_queries import check_name, job_kind

# newest attack first, its images in order: one direction, as pages need it; -position sorts within an attack alone
_KEYS: Sequence[SortKey] = (AttackedImage.attack_id, -AttackedImage.position)


class Tried(NamedTuple):
    """The attack that a row belongs to."""

    model: str
    job_id: uuid.UUID
    method: str


class AttackRow(NamedTuple):
    """What an attack did to an image, with the names of the classes; of an attack without a target that is None."""

    attack: Tried
    row: AttackedImage
    true: str
    source: str
    target: str | None
    result: str


def search_attacks(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The attacked images that fit the page's filters, each as an AttackRow; raise Invalid for a name that is unknown.

    The newest attack comes first, its images in the order of the dataset.
    """
    wanted = page.filters
    job_kind(session, team_id, wanted["job"], ("attack",))
    models = [Model.team_id == team_id, *([] if wanted["model"] is None else [Model.name == wanted["model"]])]
    check_name(session, sa.select(Model.name).where(Model.team_id == team_id), "model", wanted["model"])
    sources, targets = (_find_classes(session, models, field, wanted[field]) for field in ("source", "target"))
    statement = sa.select(AttackedImage).where(
        AttackedImage.team_id == team_id,
        AttackedImage.attack_id.in_(_attacks(models, wanted["job"], targets)),
        *([] if sources is None else [AttackedImage.source_class_id.in_(sources)]),
        *([] if targets is None else [AttackedImage.target_class_id.in_(targets)]),
        *([] if wanted["outcome"] is None else [AttackedImage.outcome == wanted["outcome"]]),
    )
    found = paginate(session, statement, _KEYS, page, descending=True)
    return Page(name_rows(session, team_id, found.data), found.next_cursor)


def _find_classes(
    session: Session, models: Sequence[sa.ColumnElement[bool]], field: str, name: str | None
) -> list[int] | None:
    """The classes of these models of this name, None where none is asked for; raise Invalid for an unknown one."""
    if name is None:
        return None
    found = list(session.scalars(sa.select(Class.id).join(Model).where(*models, Class.name == name)))
    if not found:
        check_name(session, sa.select(Class.name).join(Model).where(*models), field, name)
    return found


def _attacks(
    models: Sequence[sa.ColumnElement[bool]], job_id: uuid.UUID | None, targets: Sequence[int] | None
) -> sa.Select[int]:
    statement = sa.select(Attack.id).join(Model, Model.id == Attack.model_id).where(*models)
    if job_id is not None:
        statement = statement.where(Attack.job_id == job_id)
    if targets is None:
        return statement
    # one without a target of its own may have an image's least likely class
    return statement.where(sa.or_(Attack.target_class_id.in_(targets), Attack.target_class_id.is_(None)))


def name_rows(session: Session, team_id: uuid.UUID, rows: Sequence[AttackedImage]) -> list[AttackRow]:
    """The team's rows with what they belong to and the names of their classes."""
    attacks = _attacks_of(session, team_id, {row.attack_id for row in rows})
    ids = {
        id
        for row in rows
        for id in (row.true_class_id, row.source_class_id, row.target_class_id, row.result_class_id)
        if id is not None
    }
    names = dict(session.execute(sa.select(Class.id, Class.name).where(Class.id.in_(ids))).tuples().all())
    return [_name(row, attacks[row.attack_id], names) for row in rows]


def _name(row: AttackedImage, attack: Tried, names: Mapping[int, str]) -> AttackRow:
    target = None if row.target_class_id is None else names[row.target_class_id]
    return AttackRow(
        attack, row, names[row.true_class_id], names[row.source_class_id], target, names[row.result_class_id]
    )


def _attacks_of(session: Session, team_id: uuid.UUID, ids: set[int]) -> dict[int, Tried]:
    statement = (
        sa.select(Attack.id, Model.name, Job.id, Job.params["method"].as_string())
        .join(Model, Model.id == Attack.model_id)
        .join(Job, Job.id == Attack.job_id)
        .where(Model.team_id == team_id, Attack.id.in_(ids))
    )
    rows: Sequence[Any] = session.execute(statement).all()
    return {id: Tried(*rest) for id, *rest in rows}
