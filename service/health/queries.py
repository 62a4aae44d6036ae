"""What the database says about the health of the service."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.database import now
from service.jobs.tables import Job
from service.migrations import newest_revision, present_revision


@dataclass(frozen=True)
class JobCount:
    """How many jobs of a kind are in a state."""

    kind: str
    state: str
    count: int


def count_jobs(session: Session) -> list[JobCount]:
    """The jobs of all teams by kind and state."""
    rows = session.execute(sa.select(Job.kind, Job.state, sa.func.count()).group_by(Job.kind, Job.state))
    return [JobCount(kind, state, count) for kind, state, count in rows]


def oldest_queued_seconds(session: Session) -> float:
    """How long the oldest queued job has waited, 0 while none waits."""
    oldest = session.scalar(sa.select(sa.func.min(Job.created_at)).where(Job.state == "queued"))
    return 0.0 if oldest is None else max(0.0, (now(session) - oldest).total_seconds())


def is_migrated(session: Session) -> bool:
    """Whether the database is at the revision that this code needs."""
    return present_revision(session.connection()) == newest_revision()
