"""What the database says about the health of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.database import now
from service.health.tables import Duty, Tally
from service.jobs.queries import seen_lately
from service.jobs.tables import Job, Worker
from service.migrations import newest_revision, present_revision
from service.webhooks.tables import DELIVERY_STATES, Delivery

LEASE_EXPIRIES, DELIVERED, REFUSED = "lease_expiries", "deliveries_delivered", "deliveries_refused"
"""What is counted across processes."""


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


def present_workers(session: Session) -> list[Worker]:
    """The workers seen lately, with what they told of themselves."""
    return list(session.scalars(sa.select(Worker).where(seen_lately(session)).order_by(Worker.name)))


def count_deliveries(session: Session) -> Mapping[str, int]:
    """What webhooks were or will be told in the last month, by state."""
    rows = session.execute(sa.select(Delivery.state, sa.func.count()).group_by(Delivery.state))
    return dict.fromkeys(DELIVERY_STATES, 0) | dict(rows.tuples().all())


def raise_tally(session: Session, name: str) -> None:
    """Count one more of something, last in a transaction, for others who count the same wait for its end."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Tally).values(name=name, count=1)
    more = statement.on_conflict_do_update(index_elements=[Tally.name], set_={"count": Tally.count + 1})
    session.flush()
    session.execute(more)


def read_tallies(session: Session) -> Mapping[str, int]:
    """How often each thing has happened that is counted across processes, 0 where never."""
    found = session.execute(sa.select(Tally.name, Tally.count)).tuples().all()
    return dict.fromkeys((LEASE_EXPIRIES, DELIVERED, REFUSED), 0) | dict(found)


def take_duty(session: Session, name: str, period: timedelta) -> bool:
    """Whether a duty is due, which nobody else takes for a period then."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    time = now(session)
    session.execute(dialect.insert(Duty).values(name=name, due_at=time).on_conflict_do_nothing())
    due = sa.update(Duty).where(Duty.name == name, Duty.due_at <= time).values(due_at=time + period)
    return session.scalar(due.returning(Duty.name)) is not None


def is_migrated(session: Session) -> bool:
    """Whether the database is at the revision that this code needs."""
    return present_revision(session.connection()) == newest_revision()
