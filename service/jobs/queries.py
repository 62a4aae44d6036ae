"""All SQL on jobs, their stages, shards and events; the runner changes a job's state through this module too.

Whoever changes a job locks its row first and touches its shards after, so that no two wait for each other.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.artifacts.queries import touch_named
from service.catalog.tables import Dataset, Model
from service.database import Sessions, now, reading
from service.errors import Conflict, Invalid, NotFound
from service.jobs.tables import (
    ACTIVE_STATES,
    FIRST_STAGE,
    TERMINAL_STATES,
    Event,
    IdempotentReply,
    Job,
    Shard,
    Stage,
    Worker,
)
from service.pagination import Page, PageRequest, paginate
from service.results.effects.tables import LayerAblation
from service.results.tables import OWN_METHOD, LayerDissection
from service.webhooks.messages import job_message
from service.webhooks.queries import find_listening, tell

SHARED_STATES = ("queued", "running", "succeeded")
"""States in which a job answers for later requests for the same work."""
REPLY_LIFETIME = timedelta(hours=24)
WORKER_LIFETIME = timedelta(seconds=30)
POLL_SECONDS = 0.25
ATTACKS = "attacks"
"""Unit of the stages of an attack that attack images."""
EDITS = "edits"
"""Unit of the stages of an intervention that change units: a latent's picture with a set of them changed."""
PAIRS = "removals"
"""Unit of the stages of an ablation that remove units: an image with a set of them removed."""


class Idempotency(NamedTuple):
    """The key that a client gave its request, and the digest of what it asked for."""

    key: str
    request_digest: str


class Reply(NamedTuple):
    """The job that answers a submission, and the HTTP status that goes with it."""

    job: Job
    status: int


def lock_job(session: Session, job: Job) -> None:
    """Lock the job's row until the transaction ends and read what others have changed meanwhile."""
    session.flush()
    session.refresh(job, with_for_update=True)


def record_event(session: Session, job: Job, type: str, data: Mapping[str, Any] | None = None) -> Event:
    """Append to the job's events under the lock of its row, and raise its version."""
    lock_job(session, job)
    last = session.scalar(sa.select(sa.func.max(Event.sequence)).where(Event.job_id == job.id)) or 0
    job.version += 1
    event = Event(job_id=job.id, sequence=last + 1, type=type, data=dict(data or {}), at=now(session))
    session.add(event)
    return event


def finish_job(
    session: Session,
    job: Job,
    state: str,
    error: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
) -> None:
    """End the job in a terminal state and take back the shards that wait; a job that has ended stays as it is.

    Workers still at one of its shards hear of it and stop; until then, or until the relay ends them, it stays running.
    """
    lock_job(session, job)
    if job.state in TERMINAL_STATES:
        return
    job.state, job.finished_at = state, now(session)
    job.error = None if error is None else dict(error)
    job.summary = None if summary is None else dict(summary)
    _take_back(session, job)
    record_event(session, job, state, {"error": job.error} if job.error else {})
    _tell(session, job)


def _tell(session: Session, job: Job) -> None:
    if webhooks := find_listening(session, job.team_id):
        tell(session, webhooks, *job_message(job, subject_names(session, [job])), job.id)


def _take_back(session: Session, job: Job) -> None:
    session.execute(sa.update(Shard).where(Shard.job_id == job.id, Shard.state == "queued").values(state="canceled"))


def find_shared(session: Session, team_id: uuid.UUID, fingerprint: str) -> Job | None:
    """The team's job that answers for all requests of this fingerprint, None where there is none."""
    return session.scalar(
        sa.select(Job).where(
            Job.team_id == team_id, Job.fingerprint == fingerprint, Job.shared, Job.state.in_(SHARED_STATES)
        )
    )


def find_reply(session: Session, team_id: uuid.UUID, idempotency: Idempotency) -> Reply | None:
    """The reply that this key was given in the last day; raise Invalid where the request was another one."""
    found = session.get(IdempotentReply, (team_id, idempotency.key))
    if found is None:
        return None
    if found.created_at < now(session) - REPLY_LIFETIME:
        session.delete(found)
        session.flush()
        return None
    if found.request_digest != idempotency.request_digest:
        raise Invalid(
            "this Idempotency-Key came with another request before; use a new key for a new request",
            pointer="header:Idempotency-Key",
        )
    return Reply(session.get_one(Job, found.job_id), found.status)


def count_unfinished(session: Session, team_id: uuid.UUID) -> int:
    """How many jobs of the team have not ended."""
    return session.scalars(sa.select(sa.func.count()).where(Job.team_id == team_id, Job.state.in_(ACTIVE_STATES))).one()


def queued_shards(session: Session, job: Job) -> list[uuid.UUID]:
    """Ids of the job's shards that wait for a worker: what is to be published after the commit."""
    return list(session.scalars(sa.select(Shard.id).where(Shard.job_id == job.id, Shard.state == "queued")))


def find_job(session: Session, team_id: uuid.UUID, job_id: uuid.UUID) -> Job:
    """The team's job; raise NotFound where it has none of this id."""
    job = session.scalar(sa.select(Job).where(Job.team_id == team_id, Job.id == job_id))
    if job is None:
        raise NotFound(f"there is no job {job_id} here; GET /v1/jobs lists the team's jobs")
    return job


def list_jobs(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's jobs, newest first, that fit the page's filters."""
    statement = sa.select(Job).where(Job.team_id == team_id, *_filters(page.filters))
    return paginate(session, statement, [Job.id], page, descending=True)


def _filters(given: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    filters = [getattr(Job, name) == given[name] for name in ("kind", "state") if given.get(name)]
    if given.get("model"):
        filters.append(Job.model_id.in_(sa.select(Model.id).where(Model.name == given["model"])))
    if given.get("label"):
        name, _, value = given["label"].partition(":")
        filters.append(Job.labels[name].as_string() == value)
    return filters


def subject_names(session: Session, jobs: Sequence[Job]) -> dict[uuid.UUID, str]:
    """Names of the models and datasets that the jobs are about, by id."""
    models = sa.select(Model.id, Model.name).where(Model.id.in_({job.model_id for job in jobs if job.model_id}))
    datasets = sa.select(Dataset.id, Dataset.name).where(Dataset.id.in_({j.dataset_id for j in jobs if j.dataset_id}))
    return dict(session.execute(models.union_all(datasets)).tuples().all())


def wait_for(
    sessions: Sessions, job_id: uuid.UUID, seconds: float, enough: Callable[[Job], bool] = lambda job: False
) -> Job:
    """The job when it has ended, when it is `enough`, or when the time is over; no session stays open meanwhile."""
    end = time.monotonic() + seconds
    while True:
        with reading(sessions) as session:
            job = session.get_one(Job, job_id)
        if job.state in TERMINAL_STATES or enough(job) or time.monotonic() >= end:
            return job
        time.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))


def get_state(session: Session, job_id: uuid.UUID) -> str:
    """The job's state."""
    return session.scalars(sa.select(Job.state).where(Job.id == job_id)).one()


def get_summary(session: Session, team_id: uuid.UUID, job_id: uuid.UUID) -> dict[str, Any]:
    """What the team's job found, in short; raise NotFound without such a job, Conflict unless it has succeeded."""
    job = find_job(session, team_id, job_id)
    if job.state in ACTIVE_STATES:
        raise Conflict(f"the job is {job.state}; its summary is there once it has succeeded")
    if job.state != "succeeded":
        raise Conflict(f"the job is {job.state} and has no summary; retry it")
    return job.summary or {}


def list_events(session: Session, job_id: uuid.UUID, after: int, limit: int) -> list[Event]:
    """The job's events beyond a sequence number, in order."""
    statement = sa.select(Event).where(Event.job_id == job_id, Event.sequence > after)
    return list(session.scalars(statement.order_by(Event.sequence).limit(limit)))


def cancel(session: Session, job: Job) -> None:
    """Ask for the job's end: at once where no worker is at it, else as soon as its workers stop."""
    lock_job(session, job)
    if job.state not in ("queued", "running"):
        return
    job.cancel_requested_at = now(session)
    _take_back(session, job)
    if _count_running(session, job):
        job.state = "cancelling"
        record_event(session, job, "cancelling")
    else:
        finish_job(session, job, "canceled")


def _count_running(session: Session, job: Job) -> int:
    running = sa.select(sa.func.count()).where(Shard.job_id == job.id, Shard.state == "running")
    return session.scalars(running).one()


def retry(session: Session, job: Job) -> None:
    """Queue an ended job again, with the shards that are missing; raise Conflict where there is nothing to retry."""
    lock_job(session, job)
    if job.state not in ("failed", "canceled", "expired"):
        raise Conflict(f"the job is {job.state}; only a failed, canceled or expired job can be tried again")
    touch_named(session, job.params)
    time = now(session)
    if job.deadline_at:
        job.deadline_at = time + (job.deadline_at - job.created_at)
    job.state, job.attempt, job.error = "queued", job.attempt + 1, None
    job.started_at = job.cancel_requested_at = job.finished_at = None
    _flush_shared(session, job)
    session.execute(
        sa.update(Shard)
        .where(Shard.job_id == job.id, Shard.state != "done")
        .values(state="queued", lease_owner=None, lease_until=None, not_before=time, published_at=time, error=None)
    )
    record_event(session, job, "queued", {"attempt": job.attempt})


def _flush_shared(session: Session, job: Job) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(
            "a newer job for the same work is queued, running or has succeeded; GET /v1/jobs lists it"
        ) from None


def forget_progress(session: Session, job: Job) -> None:
    """Let a job that is locked begin with its first stage again, because what it left in the scratch space is gone."""
    later = (Shard.job_id == job.id, Shard.stage_position > 0)
    session.execute(sa.delete(Shard).where(*later))
    session.execute(sa.delete(Stage).where(Stage.job_id == job.id, Stage.position > 0))
    first = sa.update(Shard).where(Shard.job_id == job.id)
    session.execute(first.values(state="canceled", lease_owner=None, lease_until=None, result=None, seconds=None))
    job.stage, job.progress_done, job.progress_total, job.progress_unit = FIRST_STAGE, 0, 1, "shards"


def restart_unfinished(session: Session) -> int:
    """Let every job that has not succeeded begin anew, those that have not ended at once; return how many these are.

    Only for a database that was restored, while no worker runs.
    """
    unfinished = 0
    for job in session.scalars(sa.select(Job).where(Job.state != "succeeded").order_by(Job.id).with_for_update()):
        forget_progress(session, job)
        if job.state in ("queued", "running"):
            unfinished += 1
            again = {"state": "queued", "attempt": 0, "not_before": now(session), "published_at": None}
            session.execute(sa.update(Shard).where(Shard.job_id == job.id).values(**again))
            job.state = "queued"
            record_event(session, job, "queued", {"attempt": job.attempt})
    return unfinished


def count_workers(session: Session) -> int:
    """How many workers were seen lately."""
    return session.scalars(sa.select(sa.func.count()).where(seen_lately(session))).one()


def seen_lately(session: Session) -> sa.ColumnElement[bool]:
    """What holds of a worker that is there."""
    return Worker.seen_at > now(session) - WORKER_LIFETIME


def find_layer_dissection(session: Session, layer_id: int, job_id: uuid.UUID | None) -> uuid.UUID | None:
    """The job, or else the layer's newest dissection, if it dissected the layer."""
    statement = sa.select(LayerDissection.job_id).where(
        LayerDissection.layer_id == layer_id, LayerDissection.method == OWN_METHOD
    )
    which = LayerDissection.current if job_id is None else LayerDissection.job_id == job_id
    return session.scalar(statement.where(which))


def find_layer_ablation(session: Session, layer_id: int, job_id: uuid.UUID | None) -> uuid.UUID | None:
    """The job, or else the layer's newest ablation, if it ablated the layer."""
    which = LayerAblation.current if job_id is None else LayerAblation.job_id == job_id
    return session.scalar(sa.select(LayerAblation.job_id).where(LayerAblation.layer_id == layer_id, which))
