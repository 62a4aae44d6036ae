"""All SQL of the relay: what waits unheard, what has lost its worker, what is over and what is left over."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.database import now
from service.errors import DeadlinePassed, WorkerLost
from service.health.queries import LEASE_EXPIRIES, raise_tally
from service.jobs import queries as jobs
from service.jobs.queries import REPLY_LIFETIME, finish_job
from service.jobs.tables import ACTIVE_STATES, IdempotentReply, Job, Shard, Worker
from service.settings import Settings
from workers.runner.queries import LIVE_STATES, lock_job, requeue, settle_cancelling, stop

UNHEARD = timedelta(seconds=10)
"""A shard published this long ago and still queued is published again."""
WORKER_FORGOTTEN = timedelta(minutes=10)
SCRATCH_LIFETIME = timedelta(hours=24)
"""How long an ended job that may be retried keeps what its finished shards left for later stages."""


class Holder(NamedTuple):
    """A worker that holds a shard, and the Celery task it does it in."""

    owner: str
    task_id: str


def take_unheard(session: Session, limit: int) -> list[uuid.UUID]:
    """Note as published now the shards whose hints were lost, most urgent first, and return them."""
    time = now(session)
    unheard = list(
        session.scalars(
            sa.select(Shard.id)
            .join(Job, Job.id == Shard.job_id)
            .where(Shard.state == "queued", Shard.not_before <= time, Job.state.in_(LIVE_STATES))
            .where(sa.or_(Shard.published_at.is_(None), Shard.published_at <= time - UNHEARD))
            .order_by(Shard.priority.desc(), Shard.id)
            .limit(limit)
            .with_for_update(of=Shard, skip_locked=True)  # several relays share the work, and wait for nobody
        )
    )
    session.execute(sa.update(Shard).where(Shard.id.in_(unheard)).values(published_at=time))
    return unheard


def find_lost(session: Session) -> list[Shard]:
    """Shards whose lease ran out."""
    return list(session.scalars(sa.select(Shard).where(Shard.state == "running", Shard.lease_until <= now(session))))


def find_overstaying(session: Session, grace: timedelta) -> list[Shard]:
    """Shards still running so long after their job was cancelled or has ended."""
    end = sa.func.coalesce(Job.finished_at, Job.cancel_requested_at)
    statement = sa.select(Shard).join(Job, Job.id == Shard.job_id).where(Shard.state == "running")
    return list(session.scalars(statement.where(Job.state.not_in(LIVE_STATES), end <= now(session) - grace)))


def reap(session: Session, seen: Shard, settings: Settings) -> Holder | None:
    """Take the shard from the worker that let its lease run out; None where it was not so any more.

    Returns the holder, whose process may hang and is to be ended.
    """
    job = lock_job(session, seen.job_id)
    shard = session.get_one(Shard, seen.id, with_for_update=True, populate_existing=True)  # no heartbeat in between
    if shard.state != "running" or shard.lease_until is None or shard.lease_until > now(session):
        return None
    holder = _holder(shard)
    error = WorkerLost(
        f"shard {shard.index} of stage {job.stage} lost its worker in each of {shard.attempt} attempts; "
        "where memory ran out a smaller job helps, and the log of the worker names the cause"
    )
    requeue(session, job, shard, settings, error)
    raise_tally(session, LEASE_EXPIRIES)
    return holder


def evict(session: Session, seen: Shard) -> Holder | None:
    """Take the shard of an unwanted job from its worker and return the holder; None where it has stopped by itself."""
    job = lock_job(session, seen.job_id)
    shard = session.get_one(Shard, seen.id, with_for_update=True, populate_existing=True)
    if shard.state != "running" or job.state in LIVE_STATES:
        return None
    holder = _holder(shard)
    stop(session, job, shard)
    return holder


def _holder(shard: Shard) -> Holder:
    assert shard.lease_owner is not None and shard.task_id is not None
    return Holder(shard.lease_owner, shard.task_id)


def find_overdue(session: Session) -> list[uuid.UUID]:
    """Jobs whose deadline passed."""
    statement = sa.select(Job.id).where(Job.state.in_(ACTIVE_STATES), Job.deadline_at <= now(session))
    return list(session.scalars(statement))


def expire(session: Session, job_id: uuid.UUID) -> None:
    """End a job whose deadline passed, if it has not ended by itself."""
    job = lock_job(session, job_id)
    if job.state in LIVE_STATES and job.deadline_at is not None:
        detail = f"the deadline, {job.deadline_at.isoformat()}, passed in stage {job.stage}; retry allows as long again"
        finish_job(session, job, "expired", error=DeadlinePassed(detail).problem())


def find_cancelling(session: Session) -> list[uuid.UUID]:
    """Jobs that are being cancelled."""
    return list(session.scalars(sa.select(Job.id).where(Job.state == "cancelling")))


def settle(session: Session, job_id: uuid.UUID) -> None:
    """End the job if it is being cancelled and no worker is at it."""
    settle_cancelling(session, lock_job(session, job_id))


def find_with_scratch_to_remove(session: Session, job_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Of these jobs the ones that need their scratch no more: succeeded, ended a day ago, or unknown."""
    kept = sa.or_(
        Job.state.in_(ACTIVE_STATES),
        sa.and_(Job.state != "succeeded", Job.finished_at > now(session) - SCRATCH_LIFETIME),
    )
    keeping = set(session.scalars(sa.select(Job.id).where(Job.id.in_(job_ids), kept)))
    return [job_id for job_id in job_ids if job_id not in keeping]


def forget_progress(session: Session, job_id: uuid.UUID) -> bool:
    """Let a retry of this job begin anew, because its scratch goes; False where it is being retried already."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state == "succeeded":
        return True
    if job.state in ACTIVE_STATES:
        return False
    jobs.forget_progress(session, job)
    return True


def prune(session: Session) -> None:
    """Forget old replies to idempotency keys, and workers not seen for long."""
    time = now(session)
    session.execute(sa.delete(IdempotentReply).where(IdempotentReply.created_at < time - REPLY_LIFETIME))
    session.execute(sa.delete(Worker).where(Worker.seen_at < time - WORKER_FORGOTTEN))
