"""All SQL of a worker on its shard: claim, keep, commit, give back.

The row of the job is the lock of all its shards: whoever changes a shard's state locks the job first, so nobody waits
in a circle and nobody decides on what another is changing. Only the heartbeat writes a shard without it.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.database import new_id, now
from service.errors import UnitAtlasError
from service.jobs.queries import WORKER_LIFETIME, finish_job, record_event
from service.jobs.tables import Job, Shard, Stage, Worker
from service.settings import Settings
from workers.jobs.kind import Canceled, FinishedStage, JobKind, JobView, ShardContext, ShardLost, StagePlan

LIVE_STATES = ("queued", "running")
"""States of a job whose shards are to be run."""
MOST_DOUBLINGS = 6
"""How often the pause before a new attempt doubles."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a shard; `attempt` is the fencing token."""

    shard_id: uuid.UUID
    attempt: int
    job: JobView
    stage: str
    index: int
    payload: dict[str, Any]
    request_id: str | None = None
    """Of the request that the job came by."""


class Load(NamedTuple):
    """What a worker tells of itself, see `service.jobs.tables.Worker`."""

    device: str
    shards: dict[str, int]
    gpu_used_bytes: int | None
    gpu_total_bytes: int | None


class Standing(Enum):
    """What a heartbeat finds."""

    HELD = auto()
    CANCELED = auto()
    LOST = auto()


def find_claimable(session: Session, job_id: uuid.UUID | None = None) -> Shard | None:
    """The shard to claim next, of the job or of all: the first queued of the highest priority; None without any."""
    statement = (
        sa.select(Shard)
        .join(Job, Job.id == Shard.job_id)
        .where(Shard.state == "queued", Shard.not_before <= now(session), Job.state.in_(LIVE_STATES))
        .order_by(Shard.priority.desc(), Shard.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return session.scalar(statement if job_id is None else statement.where(Shard.job_id == job_id))


def claim(session: Session, job_id: uuid.UUID, owner: str, task_id: str, lease: timedelta) -> Claim | None:
    """Claim the job's next shard; None where others have taken them all."""
    job = lock_job(session, job_id)
    shard = find_claimable(session, job_id)
    if shard is None:
        return None
    shard.state, shard.attempt = "running", shard.attempt + 1
    shard.lease_owner, shard.lease_until, shard.task_id = owner, now(session) + lease, task_id
    if job.state == "queued":
        job.state, job.started_at = "running", now(session)
        record_event(session, job, "running")
    return Claim(shard.id, shard.attempt, view(job), job.stage, shard.index, shard.payload, job.request_id)


def lock_job(session: Session, job_id: uuid.UUID) -> Job:
    """The job, its row locked until the transaction ends."""
    return session.get_one(Job, job_id, with_for_update=True, populate_existing=True)


def view(job: Job) -> JobView:
    """What a kind may know of the job."""
    return JobView(job.id, job.team_id, job.kind, job.params, job.model_id, job.dataset_id)


def heartbeat(session: Session, claim: Claim, lease: timedelta) -> Standing:
    """Extend the lease while the claim and the job stand, and tell what stands."""
    if session.scalar(sa.select(Job.state).where(Job.id == claim.job.id)) not in LIVE_STATES:
        return Standing.CANCELED
    held = session.scalar(
        sa.update(Shard)
        .where(Shard.id == claim.shard_id, Shard.attempt == claim.attempt, Shard.state == "running")
        .values(lease_until=now(session) + lease)
        .returning(Shard.id)
    )
    return Standing.LOST if held is None else Standing.HELD


def commit(
    session: Session, claim: Claim, kind: JobKind, context: ShardContext, result: dict[str, Any], seconds: float
) -> list[uuid.UUID]:
    """Store the result and, after the last shard of a stage, open the next stage or end the job.

    Returns the shards of the new stage, if any; raises ShardLost or Canceled where the result is not wanted any more.
    """
    job, shard = _hold(session, claim)
    if job.state not in LIVE_STATES:
        raise Canceled(f"the job is {job.state}")
    _let_go(shard, "done")
    shard.result, shard.seconds = result, seconds
    job.progress_done += shard.weight
    record_event(session, job, "progress", _progress(job))
    return [] if _is_stage_open(session, shard) else _advance(session, job, kind, context)


def _hold(session: Session, claim: Claim) -> tuple[Job, Shard]:
    job = lock_job(session, claim.job.id)
    shard = session.get_one(Shard, claim.shard_id, populate_existing=True)
    if shard.state != "running" or shard.attempt != claim.attempt:
        raise ShardLost(f"the shard is {shard.state} in attempt {shard.attempt}, this was attempt {claim.attempt}")
    return job, shard


def _let_go(shard: Shard, state: str) -> None:
    shard.state, shard.lease_owner, shard.lease_until, shard.task_id = state, None, None, None


def _progress(job: Job) -> dict[str, Any]:
    return {"stage": job.stage, "done": job.progress_done, "total": job.progress_total, "unit": job.progress_unit}


def _is_stage_open(session: Session, shard: Shard) -> bool:
    missing = sa.select(Shard.id).where(
        Shard.job_id == shard.job_id, Shard.stage_position == shard.stage_position, Shard.state != "done"
    )
    return session.scalar(missing.limit(1)) is not None


def _advance(session: Session, job: Job, kind: JobKind, context: ShardContext) -> list[uuid.UUID]:
    finished = _finished_stages(session, job)
    plan = kind.plan(session, view(job), finished)
    if plan is not None:
        return _open_stage(session, job, plan, position=len(finished))
    finish_job(session, job, "succeeded", summary=kind.merge(session, context, finished))
    return []


def _finished_stages(session: Session, job: Job) -> list[FinishedStage]:
    stages = session.scalars(sa.select(Stage).where(Stage.job_id == job.id).order_by(Stage.position))
    columns = sa.select(Shard.payload, Shard.result).where(Shard.job_id == job.id).order_by(Shard.index)
    finished = []
    for stage in stages:
        rows = session.execute(columns.where(Shard.stage_position == stage.position)).all()
        finished.append(FinishedStage(stage.name, [row.payload for row in rows], [row.result for row in rows]))
    return finished


def _open_stage(session: Session, job: Job, plan: StagePlan, position: int) -> list[uuid.UUID]:
    if not plan.shards:
        raise ValueError(f"stage {plan.name} of a {job.kind} has no shards, so nothing would ever end it")
    job.stage, job.progress_unit = plan.name, plan.unit
    job.progress_done, job.progress_total = 0, sum(shard.weight for shard in plan.shards)
    time, count = now(session), len(plan.shards)
    session.add(Stage(job_id=job.id, position=position, name=plan.name, unit=plan.unit, shards=count, created_at=time))
    session.flush()
    shards = [
        Shard(
            id=new_id(),
            job_id=job.id,
            stage_position=position,
            index=index,
            priority=job.priority,
            payload=shard.payload,
            weight=shard.weight,
            not_before=time,
            published_at=time,  # by the caller, as soon as the transaction is over
        )
        for index, shard in enumerate(plan.shards)
    ]
    session.add_all(shards)
    record_event(session, job, "stage", _progress(job))
    return [shard.id for shard in shards]


def give_up(session: Session, claim: Claim) -> None:
    """Leave a shard whose job was cancelled or has ended; raise ShardLost where it is another's by now."""
    stop(session, *_hold(session, claim))


def stop(session: Session, job: Job, shard: Shard) -> None:
    """Note that no worker is at this shard of an unwanted job, and end the job's cancelling with the last one."""
    _let_go(shard, "canceled")
    session.flush()
    settle_cancelling(session, job)


def settle_cancelling(session: Session, job: Job) -> None:
    """End a job that is being cancelled once no worker is at it any more."""
    running = sa.select(Shard.id).where(Shard.job_id == job.id, Shard.state == "running")
    if job.state == "cancelling" and session.scalar(running.limit(1)) is None:
        finish_job(session, job, "canceled")


def fail(session: Session, claim: Claim, error: UnitAtlasError) -> None:
    """Fail the shard and with it the job, for good; raise ShardLost where the shard is another's by now."""
    job, shard = _hold(session, claim)
    if job.state not in LIVE_STATES:
        stop(session, job, shard)
    else:
        _fail(session, job, shard, error)


def _fail(session: Session, job: Job, shard: Shard, error: UnitAtlasError) -> None:
    _let_go(shard, "failed")
    shard.error = error.problem()
    finish_job(session, job, "failed", error=error.problem())


def put_back(session: Session, claim: Claim, settings: Settings, error: UnitAtlasError) -> None:
    """Let the shard be tried again, see `requeue`; raise ShardLost where it is another's by now."""
    requeue(session, *_hold(session, claim), settings, error)


def requeue(session: Session, job: Job, shard: Shard, settings: Settings, error: UnitAtlasError) -> None:
    """Queue the shard again after a pause, or fail the job with the error where it was tried often enough."""
    if job.state not in LIVE_STATES:
        stop(session, job, shard)
    elif shard.attempt >= settings.max_attempts * job.attempt:
        _fail(session, job, shard, error)
    else:
        _let_go(shard, "queued")
        shard.not_before, shard.published_at = now(session) + _pause(settings, shard.attempt), None
        record_event(session, job, "requeued", {"stage": job.stage, "index": shard.index, "attempt": shard.attempt})


def _pause(settings: Settings, attempt: int) -> timedelta:
    return timedelta(seconds=settings.retry_seconds * 2 ** min(attempt - 1, MOST_DOUBLINGS))


def announce_worker(session: Session, name: str, load: Load) -> None:
    """Note that the worker is alive, and what it tells of itself."""
    told = {**load._asdict(), "seen_at": now(session)}
    if session.scalar(sa.update(Worker).where(Worker.name == name).values(**told).returning(Worker.name)) is None:
        session.add(Worker(name=name, started_at=told["seen_at"], **told))


def was_seen(session: Session, name: str) -> bool:
    """Whether the worker told lately that it is alive."""
    alive = sa.exists().where(Worker.name == name, Worker.seen_at > now(session) - WORKER_LIFETIME)
    return bool(session.scalar(sa.select(alive)))
