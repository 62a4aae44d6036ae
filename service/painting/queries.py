"""All SQL of paintings: the units of concepts, and a painting from its request to its end; always within one team."""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Concept, Layer, Model
from service.database import Sessions, now, reading
from service.errors import DeadlinePassed, Invalid, NotFound
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, paginate
from service.painting.tables import Painting
from service.results.queries import answering
from service.results.tables import LayerDissection, Unit, UnitLabel

POLL_SECONDS = 0.005
ACTIVE_STATES = ("queued", "running")


class DissectedLayer(NamedTuple):
    """A layer as a dissection saw it, and the params of its job."""

    id: int
    job_id: uuid.UUID
    params: dict[str, Any]


class PaintingRow(NamedTuple):
    """A painting and the name of its model."""

    painting: Painting
    model: str


# the units of concepts


def find_dissection(session: Session, layer: Layer, job_id: uuid.UUID | None) -> DissectedLayer | None:
    """The layer as the job, or else its newest dissection, saw it; None where there is none."""
    statement = (
        sa.select(LayerDissection.id, Job.id, Job.params)
        .join(Job, Job.id == LayerDissection.job_id)
        .where(LayerDissection.layer_id == layer.id, Job.kind == "dissection", answering(job_id))
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else DissectedLayer(*row)


def find_concepts(session: Session, team_id: uuid.UUID, name: str, category: str | None) -> list[Concept]:
    """The team's concepts of this name, in the category or in any, by category."""
    within = sa.true() if category is None else Concept.category == category
    statement = sa.select(Concept).where(Concept.team_id == team_id, Concept.name == name, within)
    return list(session.scalars(statement.order_by(Concept.category)))


def concept_names(session: Session, team_id: uuid.UUID) -> list[str]:
    """The names of the team's concepts."""
    return list(session.scalars(sa.select(Concept.name).where(Concept.team_id == team_id).distinct()))


def best_units(session: Session, dissection_id: int, concept_id: int, top: int) -> list[int]:
    """The units that fit a concept best by IoU, best first; pairs that hardly fit are not known."""
    statement = (
        sa.select(Unit.index)
        .join(UnitLabel, UnitLabel.unit_id == Unit.id)
        .where(UnitLabel.dissection_id == dissection_id, UnitLabel.concept_id == concept_id, UnitLabel.iou > 0)
        .order_by(UnitLabel.iou.desc(), Unit.index)
        .limit(top)
    )
    return list(session.scalars(statement))


def best_iou(session: Session, dissection_id: int, concept_id: int, units: Sequence[int]) -> float:
    """The highest IoU that any of the units has with a concept; 0 where no pair is known."""
    statement = (
        sa.select(sa.func.max(UnitLabel.iou))
        .join(Unit, Unit.id == UnitLabel.unit_id)
        .where(UnitLabel.dissection_id == dissection_id, UnitLabel.concept_id == concept_id, Unit.index.in_(units))
    )
    return session.scalar(statement) or 0.0


def thresholds(session: Session, dissection_id: int, units: Sequence[int]) -> list[float]:
    """The units' thresholds, in their order."""
    statement = sa.select(Unit.index, Unit.threshold)
    statement = statement.where(Unit.dissection_id == dissection_id, Unit.index.in_(units))
    found = dict(session.execute(statement).tuples().all())
    return [float(found[unit] or 0.0) for unit in units]


# a painting


def add_painting(
    session: Session,
    team_id: uuid.UUID,
    model: Model,
    document: Mapping[str, Any],
    warnings: Sequence[str],
    seconds: float,
) -> Painting:
    """Write a painting that is to be done within so many seconds."""
    time = now(session)
    painting = Painting(
        team_id=team_id,
        model_id=model.id,
        document=dict(document),
        warnings=list(warnings),
        created_at=time,
        deadline_at=time + timedelta(seconds=seconds),
    )
    session.add(painting)
    session.flush()
    return painting


def get_painting(session: Session, team_id: uuid.UUID, painting_id: uuid.UUID) -> PaintingRow:
    """The team's painting; raise NotFound where it has none of this id."""
    row = session.execute(_rows(team_id).where(Painting.id == painting_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no painting {painting_id} here; GET /v1/paintings lists the team's")
    return PaintingRow(*row)


def list_paintings(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's paintings, or those of one model, newest first; raise Invalid for an unknown model."""
    statement = _rows(team_id)
    if (name := page.filters["model"]) is not None:
        statement = statement.where(Painting.model_id == _model_id(session, team_id, name))
    found = paginate(session, statement, [Painting.id], page, descending=True)
    return Page([PaintingRow(*row[:2]) for row in found.data], found.next_cursor)


def _rows(team_id: uuid.UUID) -> sa.Select[Painting, str]:
    statement = sa.select(Painting, Model.name).join(Model, Model.id == Painting.model_id)
    return statement.where(Painting.team_id == team_id)


def _model_id(session: Session, team_id: uuid.UUID, name: str) -> uuid.UUID:
    found = session.scalar(sa.select(Model.id).where(Model.team_id == team_id, Model.name == name))
    if found is None:
        raise Invalid(f"no model is named {name!r}", "query:model")
    return found


def wait_for(sessions: Sessions, painting_id: uuid.UUID, seconds: float) -> bool:
    """Whether the painting ends within so many seconds, as soon as it does; no session stays open meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with reading(sessions) as session:
            if session.scalar(sa.select(Painting.state).where(Painting.id == painting_id)) not in ACTIVE_STATES:
                return True
        time.sleep(POLL_SECONDS)
    return False


def claim(session: Session, painting_id: uuid.UUID, owner: str) -> Painting | None:
    """Take a painting that waits; None where it was taken, has ended or is too late."""
    time = now(session)
    taken = session.scalar(
        sa.update(Painting)
        .where(Painting.id == painting_id, Painting.state == "queued", Painting.deadline_at > time)
        .values(state="running", owner=owner, started_at=time)
        .returning(Painting.id)
    )
    return None if taken is None else session.get_one(Painting, taken)


def finish(session: Session, painting_id: uuid.UUID, state: str, **columns: Any) -> bool:
    """End a painting that a worker holds; False where it has ended before, and then nothing is written."""
    statement = (
        sa.update(Painting)
        .where(Painting.id == painting_id, Painting.state == "running")
        .values(state=state, finished_at=now(session), **columns)
        .returning(Painting.id)
    )
    return session.scalar(statement) is not None


def expire(session: Session, painting_id: uuid.UUID) -> None:
    """End a painting that nobody waits for any more, unless it has ended."""
    _expire(session, Painting.id == painting_id)


def expire_overdue(session: Session) -> None:
    """End all paintings whose deadline passed."""
    _expire(session, Painting.deadline_at <= now(session))


def _expire(session: Session, which: sa.ColumnElement[bool]) -> None:
    error = DeadlinePassed("no worker had painted it by its deadline; ask again").problem()
    session.execute(
        sa.update(Painting)
        .where(which, Painting.state.in_(ACTIVE_STATES))
        .values(state="expired", finished_at=now(session), error=error)
    )
