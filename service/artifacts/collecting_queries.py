"""Which artifacts something names, and the removal of those that nothing has named for long.

Whoever comes to name an artifact touches it in the same transaction, by `record_artifacts` or `touch_named`. So an
artifact that was not touched for a day, and that nothing named when one looked, is named by nobody.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.artifacts.queries import digests_in
from service.artifacts.tables import Artifact, ArtifactOwner
from service.jobs.tables import ACTIVE_STATES, Job, Shard
from service.tables import Table

HISTORY = ("artifacts", "artifact_owners", "events", "audit_entries", "idempotent_replies", "webhook_deliveries")
"""Tables that tell what was once, or of artifacts themselves, and show none."""
ENDED_IN_VAIN = ("canceled", "failed", "expired")
ROWS_AT_A_TIME = 5000


def find_named(session: Session, before: datetime) -> set[bytes]:
    """The digests of all artifacts that any row names, those of jobs that ended in vain before a time left out.

    Every column that holds text or JSON is read, so that a table to come is looked at, too.
    """
    named: set[bytes] = set()
    for table in Table.metadata.sorted_tables:
        if table.name not in HISTORY:
            for text in _texts(session, table, before):
                named.update(map(bytes.fromhex, digests_in(text)))
    return named


def _texts(session: Session, table: sa.Table, before: datetime) -> Iterator[str]:
    columns = [column for column in table.columns if isinstance(column.type, sa.String | sa.JSON)]
    if not columns:
        return
    statement = sa.select(*(sa.cast(column, sa.Text) for column in columns)).select_from(table)
    for condition in _showing(table, before):
        statement = statement.where(condition)
    for row in session.execute(statement.execution_options(yield_per=ROWS_AT_A_TIME)):
        yield " ".join(text for text in row if text)


def _showing(table: sa.Table, before: datetime) -> list[sa.ColumnElement[bool]]:
    """What a row must be like to show what it names."""
    if table is Job.__table__:
        return [sa.or_(Job.state.not_in(ENDED_IN_VAIN), Job.finished_at.is_(None), Job.finished_at > before)]
    if table is Shard.__table__:  # of a job that succeeded, what it found is in rows of their own
        return [Shard.job_id.not_in(sa.select(Job.id).where(Job.state == "succeeded"))]
    return []


def find_open_since(session: Session, keeping: timedelta, time: datetime) -> datetime:
    """When the oldest job was submitted that may still record what it has stored; a given time without any."""
    retriable = sa.and_(Job.state.in_(ENDED_IN_VAIN), Job.finished_at > time - keeping)
    oldest = session.scalar(
        sa.select(sa.func.min(Job.created_at)).where(sa.or_(Job.state.in_(ACTIVE_STATES), retriable))
    )
    return min(oldest or time, time)


def all_artifacts(session: Session) -> Iterator[Artifact]:
    """Every artifact, by its digest."""
    statement = sa.select(Artifact).order_by(Artifact.digest)
    yield from session.scalars(statement.execution_options(yield_per=ROWS_AT_A_TIME))


def remove_untouched(session: Session, digest: str, before: datetime) -> bool:
    """Remove an artifact unless it was touched since a time; False where it was, or is gone."""
    untouched = sa.select(Artifact.digest).where(Artifact.digest == digest, Artifact.touched_at < before)
    if session.scalar(untouched.with_for_update()) is None:
        return False
    session.execute(sa.delete(ArtifactOwner).where(ArtifactOwner.digest == digest))
    session.execute(sa.delete(Artifact).where(Artifact.digest == digest))
    return True


def find_known(session: Session, digests: Sequence[str]) -> set[str]:
    """Those of these digests that are artifacts."""
    return set(session.scalars(sa.select(Artifact.digest).where(Artifact.digest.in_(digests))))
