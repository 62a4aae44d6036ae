"""What teams use, what they may use, and the refusal of more."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.tables import Team
from service.artifacts.tables import Artifact, ArtifactOwner
from service.database import now
from service.errors import StorageFull, TooMany
from service.jobs.queries import count_unfinished
from service.quotas.tables import Quota, WorkerTime
from service.settings import Settings


class Allowed(NamedTuple):
    """What a team may use; 0 is without a limit."""

    queued_jobs: int
    worker_seconds: float
    stored_bytes: int


class Used(NamedTuple):
    """What a team uses."""

    queued_jobs: int
    worker_seconds: float
    stored_bytes: int


def get_allowed(session: Session, team_id: uuid.UUID, settings: Settings) -> Allowed:
    """What the team may use, of its own or by the settings."""
    own = session.get(Quota, team_id)
    defaults = Allowed(settings.max_queued_jobs, settings.max_worker_seconds, settings.max_stored_bytes)
    named = {name: getattr(own, name, None) for name in Allowed._fields}
    return defaults._replace(**{name: value for name, value in named.items() if value is not None})


def get_used(session: Session, team_id: uuid.UUID, period: float) -> Used:
    """What the team uses, of workers' time in so many seconds until now."""
    jobs, seconds = count_unfinished(session, team_id), sum_worker_seconds(session, team_id, period)
    return Used(jobs, seconds, sum_stored_bytes(session, team_id))


def sum_worker_seconds(session: Session, team_id: uuid.UUID, period: float) -> float:
    """Workers' time that the team has used in so many seconds until now."""
    since = now(session) - timedelta(seconds=period)
    statement = sa.select(sa.func.sum(WorkerTime.seconds)).where(WorkerTime.team_id == team_id, WorkerTime.at > since)
    return float(session.scalar(statement) or 0.0)


def sum_stored_bytes(session: Session, team_id: uuid.UUID) -> int:
    """Bytes of all artifacts that the team may read, those shared with other teams among them."""
    statement = sa.select(sa.func.sum(Artifact.size)).join(ArtifactOwner).where(ArtifactOwner.team_id == team_id)
    return int(session.scalar(statement) or 0)


def check_quotas(session: Session, team_id: uuid.UUID, settings: Settings) -> None:
    """Raise TooMany or StorageFull where the team may start no job now; no other request of its own starts any."""
    _lock(session, team_id)
    allowed = get_allowed(session, team_id, settings)
    if allowed.queued_jobs and (jobs := count_unfinished(session, team_id)) >= allowed.queued_jobs:
        raise TooMany(
            f"the team has {jobs} unfinished jobs and may have {allowed.queued_jobs}; "
            "wait until one ends, or cancel one",
            "quota:queued_jobs",
        )
    if allowed.worker_seconds:
        _check_seconds(session, team_id, allowed.worker_seconds, settings.quota_period_seconds)
    if allowed.stored_bytes:
        _check_bytes(session, team_id, allowed.stored_bytes, more=1)


def _lock(session: Session, team_id: uuid.UUID) -> None:
    # what refers to the team is still written meanwhile
    session.get_one(Team, team_id, with_for_update={"key_share": True})


def _check_seconds(session: Session, team_id: uuid.UUID, allowed: float, period: float) -> None:
    if (used := sum_worker_seconds(session, team_id, period)) >= allowed:
        raise TooMany(
            f"workers spent {used:.0f} s on the team's jobs within {period / 3600:g} h and may spend {allowed:.0f} s; "
            "wait, or ask the person who runs the service for more",
            "quota:worker_seconds",
        )


def check_storage(session: Session, team_id: uuid.UUID, size: int, settings: Settings) -> None:
    """Raise StorageFull where the team may not store so many bytes more; nobody else of it stores any meanwhile."""
    if allowed := get_allowed(session, team_id, settings).stored_bytes:
        _lock(session, team_id)
        _check_bytes(session, team_id, allowed, size)


def _check_bytes(session: Session, team_id: uuid.UUID, allowed: int, more: int) -> None:
    if (used := sum_stored_bytes(session, team_id)) + more > allowed:
        raise StorageFull(
            f"the team stores {used} bytes and may store {allowed}, so that {more} more are too many; "
            "ask the person who runs the service for more",
            "quota:stored_bytes",
        )


def note_time(session: Session, team_id: uuid.UUID, seconds: float) -> None:
    """Count time that a worker spent for the team."""
    session.add(WorkerTime(team_id=team_id, at=now(session), seconds=seconds))


def forget_times(session: Session, period: float) -> None:
    """Forget workers' time that counts no more."""
    session.execute(sa.delete(WorkerTime).where(WorkerTime.at < now(session) - timedelta(seconds=period)))


def list_quotas(session: Session) -> Sequence[tuple[Team, Quota | None]]:
    """All teams by name, each with what is its own."""
    statement = sa.select(Team, Quota).join(Quota, Quota.team_id == Team.id, isouter=True).order_by(Team.name)
    return list(session.execute(statement).tuples())


def set_quota(session: Session, team_id: uuid.UUID, **values: float | None) -> Quota:
    """Give a team quotas of its own, None where those of the settings shall hold."""
    quota = session.get(Quota, team_id) or Quota(team_id=team_id)
    for name, value in values.items():
        setattr(quota, name, value)
    session.add(quota)
    return quota
